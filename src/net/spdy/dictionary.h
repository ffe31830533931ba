// Internal to net: the preset dictionary of SPDY/3 header compression, a constant of the protocol
// (draft-mbelshe-httpbis-spdy section 2.6.10.1). 1423 bytes, Adler-32 e3c6a7c2.
#pragma once
#include <string_view>

namespace slipway::net::spdy {

std::string_view headerDictionary();

}  // namespace slipway::net::spdy
