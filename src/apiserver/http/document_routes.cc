// Documents that ApiHandler serves besides objects: discovery, OpenAPI and the keys of ServiceAccount tokens.
#include "apiserver/http/api_handler.h"
#include "objects/schema/openapi.h"

namespace slipway::apiserver {
namespace {

constexpr const char* kV2Type = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

std::vector<std::string> splitPath(const std::string& path) {
  std::vector<std::string> parts;
  std::size_t pos = 0;
  while (pos < path.size()) {
    const auto slash = std::min(path.find('/', pos), path.size());
    if (slash > pos) parts.push_back(path.substr(pos, slash - pos));
    pos = slash + 1;
  }
  return parts;
}

bool acceptsGzip(const net::Request& request) {
  for (const MediaType& m : parseMediaTypes(request.headers.getOr("Accept-Encoding", ""))) {
    if (m.type == "gzip") return m.param("q") != "0";
  }
  return false;
}

net::Response document(const net::Request& request, const OpenApiDocument& doc, const char* contentType) {
  const std::string tag = "\"" + doc.hash + "\"";
  net::Response response;
  response.headers.set("Content-Type", contentType);
  response.headers.set("ETag", tag);
  response.headers.set("Vary", "Accept-Encoding");
  const auto known = request.headers.get("If-None-Match");
  if (known && (*known == tag || *known == "W/" + tag)) {
    response.status = 304;
    return response;
  }
  if (acceptsGzip(request)) {
    response.headers.set("Content-Encoding", "gzip");
    response.body = net::Body(std::string(doc.packed));
    return response;
  }
  Result<std::string> text = doc.text();
  if (!text) return errorResponse(text.error());
  response.body = net::Body(std::move(*text));
  return response;
}

}  // namespace

std::optional<net::Response> ApiHandler::discovery(const Call& call) const {
  const auto parts = splitPath(call.info.path);
  if (parts.empty() || (parts[0] != "api" && parts[0] != "apis") || parts.size() > 3) return std::nullopt;
  const bool core = parts[0] == "api";
  if (parts.size() == 1) {
    if (call.accepted.form != Accepted::Form::Discovery)
      return jsonResponse(200, dumpJson(core ? discovery_.coreVersions() : discovery_.groups()));
    net::Response response = jsonResponse(200, dumpJson(discovery_.aggregated(core, call.accepted.version)));
    response.headers.set("Content-Type",
                         "application/json;g=apidiscovery.k8s.io;v=" + call.accepted.version + ";as=APIGroupDiscoveryList");
    response.headers.set("Vary", "Accept");
    return response;
  }
  std::optional<Json> found;
  if (core && parts.size() == 2) found = discovery_.resources("", parts[1]);
  if (!core && parts.size() == 2) found = discovery_.group(parts[1]);
  if (!core && parts.size() == 3) found = discovery_.resources(parts[1], parts[2]);
  if (!found) return std::nullopt;
  return jsonResponse(200, dumpJson(*found));
}

std::optional<net::Response> ApiHandler::openApi(const Call& call) const {
  const std::string& path = call.info.path;
  if (path == "/openapi/v2") return document(call.request, openApiV2(), kV2Type);
  if (path == "/openapi/v3" || path == "/openapi/v3/") return jsonResponse(200, dumpJson(openApiIndex()));
  const std::string prefix = "/openapi/v3/";
  if (path.compare(0, prefix.size(), prefix) != 0) return std::nullopt;
  const auto doc = openApiDocument(path.substr(prefix.size()));
  if (!doc) return std::nullopt;
  net::Response response = document(call.request, *doc, "application/json");
  // Asked for by hash, the content never changes: clients keep it on disk.
  if (call.request.queryValue("hash").value_or("") == doc->hash) {
    response.headers.set("Cache-Control", "public, immutable");
    response.headers.set("Expires", "Fri, 31 Dec 2049 23:59:59 GMT");
  }
  return response;
}

// Who issues ServiceAccount tokens and with which keys (OpenID Connect Discovery 1.0), as kube-apiserver serves it.
std::optional<net::Response> ApiHandler::issuer(const Call& call) const {
  std::string path = call.info.path;
  if (path.ends_with('/')) path.pop_back();
  const bool keys = path == "/openid/v1/jwks";
  if (!keys && path != "/.well-known/openid-configuration") return std::nullopt;
  net::Response response = jsonResponse(200, dumpJson(keys ? tokens_.publicKeys() : tokens_.discoveryDocument(url_)));
  if (keys) response.headers.set("Content-Type", "application/jwk-set+json");
  response.headers.set("Cache-Control", "public, max-age=3600");
  return response;
}

}  // namespace slipway::apiserver
