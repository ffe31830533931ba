// Parsing of one HTTP/1.x message after another, without I/O: bytes in, a message head and decoded body bytes out. The
// grammar is Beast's; what we add are the rules that keep a proxy safe (RFC 9112 §6: one framing, one Host).
//
//   h1::Parser<Request> parser(64 << 10);
//   auto progress = parser.parseHead(bytes, request);   // again with more bytes until progress->complete
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "net/http.h"

namespace slipway::net::h1 {

struct Framing {
  std::optional<std::uint64_t> length;  // exact body size; 0 when there is no body
  bool chunked = false;
  bool untilClose = false;  // a response that ends with the connection
  bool keepAlive = false;   // as the peer asked; also false for untilClose
  bool upgrade = false;     // Connection: upgrade
  bool expectContinue = false;
  int minor = 1;  // HTTP/1.minor
};

struct Progress {
  std::size_t consumed = 0;  // bytes of the input that are used up
  bool complete = false;
};

// Message is Request or Response. Parses one message; reset() makes it ready for the next.
template <class Message>
class Parser {
 public:
  explicit Parser(std::size_t maxHeaderBytes);
  ~Parser();
  Parser(Parser&&) noexcept;
  void reset();
  void expectNoBody();  // the response to a HEAD request; call before parseHead
  // Fills the start line and headers of `into`. Errors: BadRequest with what is wrong, TooLarge beyond maxHeaderBytes,
  // Unimplemented for an unknown transfer coding or HTTP version.
  Result<Progress> parseHead(std::string_view in, Message& into);
  const Framing& framing() const;
  // For a chunked body: appends decoded bytes to `out`. Trailers are read and dropped.
  Result<Progress> parseChunks(std::string_view in, std::string& out);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

extern template class Parser<Request>;
extern template class Parser<Response>;

}  // namespace slipway::net::h1
