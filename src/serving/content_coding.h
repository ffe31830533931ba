// Content-Encoding of REST bodies (RFC 9110 section 8.4): gzip both ways. Pure; thread-safe.
//
//   Result<Decoded> body = decodeContent(request.headers, bytes, limit);   … body->view() …
//   encodeContent(request.headers, response);
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "net/http.h"

namespace slipway::serving {

struct Decoded {
  std::string_view plain;            // the body as it came
  std::optional<std::string> owned;  // or what it unpacked to
  std::string_view view() const { return owned ? std::string_view(*owned) : plain; }
};

// Errors: UnsupportedMedia for another coding than gzip, BadRequest for what is not gzip, TooLarge when it would unpack to
// more than `limit` bytes.
Result<Decoded> decodeContent(const net::Headers& headers, std::string_view body, std::size_t limit);

// Packs the body of a response when the client takes gzip and it is large enough to be worth it (4 KiB).
void encodeContent(const net::Headers& request, net::Response& response);

}  // namespace slipway::serving
