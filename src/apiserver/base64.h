// Base64 of RFC 4648: the standard alphabet with padding for Secret data, and the URL form without for tokens.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace slipway::apiserver {

std::string base64Encode(std::string_view bytes);
std::string base64UrlEncode(std::string_view bytes);                       // no padding
std::optional<std::string> base64Decode(std::string_view text);            // either alphabet, padding optional; nullopt if malformed

}  // namespace slipway::apiserver
