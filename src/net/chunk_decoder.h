// Internal to net: the chunked transfer coding (RFC 9112 §7.1), without I/O. Our own because Beast 1.81's chunk parser
// asserts on some malformed trailers, which a client could use to stop a server.
//
//   ChunkDecoder decoder(8192);
//   auto consumed = decoder.decode(bytes, out);   // again with more bytes until decoder.done()
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace slipway::net {

class ChunkDecoder {
 public:
  explicit ChunkDecoder(std::size_t maxTrailerBytes) : trailerLeft_(maxTrailerBytes) {}
  // Appends decoded bytes to `out`, returns how many input bytes are used up. Error BadRequest says what is malformed.
  Result<std::size_t> decode(std::string_view in, std::string& out);
  bool done() const { return state_ == State::Done; }

 private:
  enum class State { Size, Data, DataEnd, Trailer, Done };
  Status onSizeLine(std::string_view line);
  Status onTrailerLine(std::string_view line);
  State state_ = State::Size;
  std::uint64_t left_ = 0;  // of the current chunk's data
  std::size_t trailerLeft_;
};

}  // namespace slipway::net
