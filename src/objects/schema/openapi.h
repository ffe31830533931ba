// The OpenAPI documents of everything the API serves, as kubectl reads them. They are made at build time
// (tools/schemagen.py) and lie gzipped in the binary: answer clients that accept gzip with `packed` as it is, others with
// gunzip(). Thread-safe.
//
//   auto doc = openApiDocument("apis/apps/v1");   // GET /openapi/v3/apis/apps/v1
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "data/json.h"

namespace slipway {

struct OpenApiDocument {
  std::string path;         // "api/v1", "apis/apps/v1"; "" for v2
  std::string hash;         // of the content: ETag and ?hash=
  std::string_view packed;  // one gzip member; lives as long as the program
  std::size_t rawSize = 0;
  Result<std::string> text() const;
};

// GET /openapi/v3: {"paths":{"api/v1":{"serverRelativeURL":"/openapi/v3/api/v1?hash=…"},…}}
Json openApiIndex();
// One group and version, Content-Type application/json. nullopt: not served.
std::optional<OpenApiDocument> openApiDocument(std::string_view path);
// GET /openapi/v2 as protobuf. Content-Type application/com.github.proto-openapi.spec.v2.v1.0+protobuf: clients send the
// same with an @ in Accept, but cannot parse it in an answer.
OpenApiDocument openApiV2();

}  // namespace slipway
