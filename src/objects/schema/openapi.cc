#include "objects/schema/openapi.h"

#include "data/gzip.h"
#include "objects/schema/blob.h"

namespace slipway {
namespace {

constexpr std::string_view kV3 = "openapi/v3/";

}  // namespace

Result<std::string> OpenApiDocument::text() const { return gunzip(packed, rawSize); }

Json openApiIndex() {
  Json paths = Json::object();
  for (const auto& member : schema::blobMembers()) {
    if (!member.name.starts_with(kV3)) continue;
    paths[member.name.substr(kV3.size())] = {{"serverRelativeURL", "/" + member.name + "?hash=" + member.hash}};
  }
  return {{"paths", std::move(paths)}};
}

std::optional<OpenApiDocument> openApiDocument(std::string_view path) {
  const schema::BlobMember* member = schema::blobMember(std::string(kV3) + std::string(path));
  if (member == nullptr) return std::nullopt;
  return OpenApiDocument{std::string(path), member->hash, member->packed, member->rawSize};
}

OpenApiDocument openApiV2() {
  const schema::BlobMember* member = schema::blobMember("openapi/v2");
  return {"", member->hash, member->packed, member->rawSize};
}

}  // namespace slipway
