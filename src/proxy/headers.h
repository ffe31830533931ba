// What a proxy does to header fields (RFC 9110 §7.6), as plain functions.
#pragma once
#include <string>
#include <string_view>

#include "net/http.h"

namespace slipway::proxy {

// Removes every Connection field, what they list, and the other fields that belong to one hop. `keepUpgrade`: Upgrade stays,
// with a Connection that lists it alone.
void removeHopByHop(net::Headers& headers, bool keepUpgrade);

// Appends the client's address to X-Forwarded-For and sets X-Forwarded-Proto and -Host unless an outer proxy did.
void addForwarded(net::Headers& headers, const net::Peer& peer, bool https);

// A usable X-Request-Id: 1 to 128 visible ASCII characters.
bool validRequestId(std::string_view id);

}  // namespace slipway::proxy
