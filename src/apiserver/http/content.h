// What clients send and accept: media types, bodies as JSON, YAML or Kubernetes' protobuf, and what to answer with. Pure.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "data/json.h"
#include "net/http.h"

namespace slipway::apiserver {

struct MediaType {
  std::string type;                                         // "application/json", lower case
  std::vector<std::pair<std::string, std::string>> params;  // lower-case names
  std::string param(std::string_view name) const;
};
std::vector<MediaType> parseMediaTypes(std::string_view header);

// The form of answer that a client prefers among those we have.
struct Accepted {
  enum class Form { Object, Table, Metadata, Discovery, None } form = Form::Object;
  std::string version;    // of Table and Metadata: v1, v1beta1; of Discovery: v2, v2beta1
  bool protobuf = false;  // preferred to `form`, for kinds that have it
};
Accepted negotiate(const net::Headers& headers);

struct ParsedBody {
  Json object;                          // null for an empty body
  std::vector<std::string> duplicates;  // paths of keys that came twice: "spec.foo"
};
// By Content-Type; none means JSON. Errors: UnsupportedMedia, BadRequest with place.
Result<ParsedBody> parseBody(std::string_view contentType, const std::string& bytes);
// A JSON text, which for apply patches and by type may be YAML.
Result<Json> parseYamlOrJson(const std::string& bytes);

inline constexpr const char* kProtobufType = "application/vnd.kubernetes.protobuf";
net::Response jsonResponse(int status, std::string body);
// Error as encodeProtobuf().
Result<net::Response> protobufResponse(int status, const Json& object);
net::Response errorResponse(const Error& error);
void addWarnings(net::Response& response, const std::vector<std::string>& warnings);

}  // namespace slipway::apiserver
