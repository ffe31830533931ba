// Writing of HTTP/1.x heads and chunk framing, without I/O. Header values can never start a new line: control characters in
// them become spaces.
#pragma once
#include <string>
#include <string_view>

#include "net/http.h"

namespace slipway::net::h1 {

enum class BodyMode { None, Length, Chunked, UntilClose };

struct ResponseContext {
  bool head = false;  // answer to HEAD: no body follows
  bool keepAlive = true;
  int minor = 1;            // version of the request
  std::string_view server;  // value of `Server:`; empty: none
  std::string_view date;    // value of `Date:`; empty: none
};

// Appends the head of `response` and says how its body must follow. Content-Length, Transfer-Encoding and Connection are
// ours; the handler's own are ignored, except Content-Length where no body follows and everything on 101.
BodyMode appendResponseHead(std::string& out, const Response& response, const ResponseContext& context);

// Appends a request head with Host (unless set) and framing. Streams without a known length are sent chunked.
BodyMode appendRequestHead(std::string& out, const Request& request, std::string_view host);

// "1f\r\n": the line before a chunk of that size; the chunk ends with "\r\n", the body with kLastChunk.
std::string chunkHeader(std::size_t size);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

// "Tue, 24 Nov 2026 10:00:00 GMT", renewed once a second. One per thread.
std::string_view httpDate();

}  // namespace slipway::net::h1
