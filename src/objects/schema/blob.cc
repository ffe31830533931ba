#include "objects/schema/blob.h"

#include "data/gzip.h"
#include "data/json.h"

extern "C" {
extern const char slipwaySchemasBegin[];
extern const char slipwaySchemasEnd[];
}

namespace slipway::schema {
namespace {

std::vector<BlobMember> readDirectory() {
  const std::string_view blob(slipwaySchemasBegin, static_cast<std::size_t>(slipwaySchemasEnd - slipwaySchemasBegin));
  std::uint32_t size = 0;
  std::memcpy(&size, blob.data(), sizeof size);
  const std::string_view body = blob.substr(sizeof size + size);
  const Json directory = Json::parse(blob.substr(sizeof size, size));  // made by our own build
  std::vector<BlobMember> members;
  for (const auto& [name, entry] : directory.items()) {
    members.push_back({name, body.substr(entry[0].get<std::size_t>(), entry[1].get<std::size_t>()),
                       entry[2].get<std::size_t>(), entry[3].get<std::string>()});
  }
  return members;
}

}  // namespace

const std::vector<BlobMember>& blobMembers() {
  static const std::vector<BlobMember> members = readDirectory();
  return members;
}

const BlobMember* blobMember(std::string_view name) {
  const auto& members = blobMembers();
  auto it = std::lower_bound(members.begin(), members.end(), name,
                             [](const BlobMember& m, std::string_view n) { return m.name < n; });
  return it != members.end() && it->name == name ? &*it : nullptr;
}

Result<std::string> blobText(std::string_view name) {
  const BlobMember* member = blobMember(name);
  if (member == nullptr) return fail(Code::NotFound, fmt::format("no schema document is called '{}'", name));
  return gunzip(member->packed, member->rawSize);
}

}  // namespace slipway::schema
