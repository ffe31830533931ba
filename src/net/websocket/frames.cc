#include "net/websocket/frames.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>

namespace slipway::net::websocket {
namespace {

constexpr std::size_t kMaxControlPayload = 125;

tl::unexpected<Error> broken(const char* what) { return fail(Code::BadRequest, what); }

}  // namespace

// False: more bytes are needed. Leaves them in place then.
Result<bool> Decoder::head(std::span<char>* bytes) {
  const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>((*bytes)[i]); };
  if (bytes->size() < 2) return false;
  if ((at(0) & 0x70) != 0) return broken("reserved bits are set and no extension was agreed");
  if ((at(1) & 0x80) == 0) return broken("a frame of the client is not masked");
  const std::uint8_t opcode = at(0) & 0x0f;
  const bool fin = (at(0) & 0x80) != 0;
  const bool control = opcode >= 8;
  if ((opcode > 2 && opcode < 8) || opcode > 10) return broken("unknown opcode");
  const std::uint8_t small = at(1) & 0x7f;
  if (control && (!fin || small > kMaxControlPayload)) return broken("a control frame is fragmented or over 125 bytes");
  if (!control && (opcode == 0) != inMessage_)
    return broken(opcode == 0 ? "a continuation without a message" : "a message inside another");
  const std::size_t lengthBytes = small == 126 ? 2 : small == 127 ? 8 : 0;
  const std::size_t size = 2 + lengthBytes + 4;
  if (bytes->size() < size) return false;
  std::uint64_t length = small;
  if (lengthBytes > 0) {
    length = 0;
    for (std::size_t i = 0; i < lengthBytes; ++i) length = length << 8 | at(2 + i);
    if (length >> 63 != 0) return broken("a frame length with its top bit set");
  }
  // A control frame is taken whole, so its head stays until all of it is there.
  if (control && bytes->size() < size + length) return false;
  std::copy_n(bytes->begin() + static_cast<std::ptrdiff_t>(size) - 4, 4, mask_.begin());
  *bytes = bytes->subspan(size);
  frame_ = static_cast<Opcode>(opcode);
  left_ = length;
  offset_ = 0;
  inFrame_ = true;
  if (!control) {
    frameFin_ = fin;
    first_ = opcode != 0;
    if (opcode != 0) opcode_ = frame_;
    inMessage_ = true;
  }
  return true;
}

Result<std::optional<Piece>> Decoder::next(std::span<char>* bytes) {
  if (!inFrame_) {
    SLIP_TRY(const bool complete, head(bytes));
    if (!complete) return std::nullopt;
  }
  if (bytes->empty() && left_ > 0) return std::nullopt;
  const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes->size()));
  const std::span<char> part = bytes->first(n);
  for (std::size_t i = 0; i < n; ++i) part[i] = static_cast<char>(part[i] ^ mask_[(offset_ + i) % 4]);
  *bytes = bytes->subspan(n);
  left_ -= n;
  offset_ += n;
  inFrame_ = left_ > 0;
  Piece piece;
  piece.data = std::string_view(part.data(), n);
  if (frame_ >= Opcode::Close) {
    piece.opcode = frame_;
    return piece;
  }
  piece.opcode = opcode_;
  piece.first = first_;
  piece.last = !inFrame_ && frameFin_;
  first_ = false;
  inMessage_ = !piece.last;
  return piece;
}

void appendFrame(std::string& out, Opcode opcode, std::string_view prefix, std::string_view data) {
  const std::uint64_t size = prefix.size() + data.size();
  out += static_cast<char>(0x80 | static_cast<std::uint8_t>(opcode));
  if (size < 126) {
    out += static_cast<char>(size);
  } else {
    const int bytes = size < 65536 ? 2 : 8;
    out += static_cast<char>(bytes == 2 ? 126 : 127);
    for (int i = bytes; i-- > 0;) out += static_cast<char>(size >> (8 * i) & 0xff);
  }
  out += prefix;
  out += data;
}

void appendClose(std::string& out, std::uint16_t code, std::string_view reason) {
  const std::string status{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
  appendFrame(out, Opcode::Close, status, reason.substr(0, kMaxControlPayload - 2));
}

std::string acceptKey(std::string_view key) {
  const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  unsigned char digest[SHA_DIGEST_LENGTH];
  ::SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  unsigned char encoded[4 * ((SHA_DIGEST_LENGTH + 2) / 3) + 1];
  const int size = ::EVP_EncodeBlock(encoded, digest, SHA_DIGEST_LENGTH);
  return std::string(reinterpret_cast<char*>(encoded), static_cast<std::size_t>(size));
}

}  // namespace slipway::net::websocket
