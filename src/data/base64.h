// Base64 (RFC 4648 §4, with padding) as Secrets, ConfigMaps and tensors carry it. Pure, thread-safe.
#pragma once
#include <string>
#include <string_view>

#include "base/result.h"

namespace slipway {

std::string base64Encode(std::string_view bytes);
// Line breaks are skipped, as Go's decoder does. Error BadRequest: "illegal base64 data at input byte 4".
Result<std::string> base64Decode(std::string_view text);

}  // namespace slipway
