// Blob: the schema data that tools/schemagen.py made, as it lies in the binary. Reading a member unpacks it; nothing is
// kept. Thread-safe.
//
//   Result<std::string> doc = schema::blobText("openapi/v3/api/v1");
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace slipway::schema {

struct BlobMember {
  std::string name;         // "structure", "openapi/v3/apis/apps/v1"
  std::string_view packed;  // one gzip member, inside the binary
  std::size_t rawSize = 0;
  std::string hash;  // of the unpacked content: upper-case hex, 32 digits
};

// All members, sorted by name.
const std::vector<BlobMember>& blobMembers();
// nullptr if there is none of that name.
const BlobMember* blobMember(std::string_view name);
// The unpacked member. Error NotFound.
Result<std::string> blobText(std::string_view name);

}  // namespace slipway::schema
