// WebSocket framing (RFC 6455), the server's side: bytes in, pieces of messages out; messages in, frames out. No I/O.
//
//   Decoder decoder;
//   auto piece = decoder.next(&bytes);   // Result<optional<Piece>>; unmasks in place and takes what it used off the front
//
// Messages come in pieces, as they arrive: none is held, whatever its size. Control frames come whole. After an error the
// connection is lost; the error's message says why, for the Close frame.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace slipway::net::websocket {

enum class Opcode : std::uint8_t { Continuation = 0, Text = 1, Binary = 2, Close = 8, Ping = 9, Pong = 10 };

struct Piece {
  Opcode opcode = Opcode::Binary;  // Text or Binary for every piece of such a message; or a control frame's
  bool first = true, last = true;  // of the message
  std::string_view data;           // points into the decoder's input
};

class Decoder {
 public:
  Result<std::optional<Piece>> next(std::span<char>* bytes);

 private:
  Result<bool> head(std::span<char>* bytes);
  std::array<char, 4> mask_{};
  std::uint64_t left_ = 0;    // of the data frame whose pieces come now
  std::uint64_t offset_ = 0;  // in it, for the mask
  bool inFrame_ = false, frameFin_ = false, inMessage_ = false, first_ = false;
  Opcode opcode_ = Opcode::Binary;  // of the message
  Opcode frame_ = Opcode::Binary;   // of the frame
};

// One unmasked frame, a whole message. `prefix` goes before `data`: Kubernetes' channel byte.
void appendFrame(std::string& out, Opcode opcode, std::string_view prefix, std::string_view data);
void appendClose(std::string& out, std::uint16_t code, std::string_view reason);

// Sec-WebSocket-Accept for a client's Sec-WebSocket-Key.
std::string acceptKey(std::string_view key);

}  // namespace slipway::net::websocket
