#include "net/spdy/frames.h"

#include <zlib.h>

#include <algorithm>

#include "net/spdy/dictionary.h"

namespace slipway::net::spdy {
namespace {

constexpr std::uint16_t kVersion = 3;
constexpr std::size_t kFrameHead = 8;
constexpr std::uint8_t kFin = 1;

std::uint32_t number(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint32_t n = 0;
  for (std::size_t i = 0; i < size; ++i) n = n << 8 | static_cast<unsigned char>(bytes[at + i]);
  return n;
}

void append(std::string& out, std::uint32_t n, std::size_t size) {
  for (std::size_t i = size; i-- > 0;) out += static_cast<char>(n >> (8 * i) & 0xff);
}

void controlHead(std::string& out, FrameType type, std::uint8_t flags, std::size_t length) {
  append(out, 0x8000u | kVersion, 2);
  append(out, static_cast<std::uint32_t>(type), 2);
  append(out, flags, 1);
  append(out, static_cast<std::uint32_t>(length), 3);
}

tl::unexpected<Error> broken(const std::string& what) { return fail(Code::BadRequest, "SPDY: " + what); }

const unsigned char* bytesOf(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

// Bytes of a control frame before its header block; also the least length of each kind.
std::size_t fixedPart(FrameType type) {
  switch (type) {
    case FrameType::SynStream: return 10;
    case FrameType::RstStream:
    case FrameType::GoAway:
    case FrameType::WindowUpdate: return 8;
    case FrameType::SynReply:
    case FrameType::Headers:
    case FrameType::Settings:
    case FrameType::Ping: return 4;
    default: return 0;
  }
}

}  // namespace

struct Decoder::Inflater {
  Inflater() { ready = ::inflateInit(&z) == Z_OK; }
  ~Inflater() { ::inflateEnd(&z); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  z_stream z{};
  bool ready = false;

  Result<std::string> inflate(std::string_view block) {
    std::string out(std::min(kMaxHeaderBlock, std::max<std::size_t>(1024, block.size() * 4)), '\0');
    std::size_t have = 0;
    z.next_in = const_cast<unsigned char*>(bytesOf(block));
    z.avail_in = static_cast<unsigned>(block.size());
    for (;;) {
      z.next_out = reinterpret_cast<unsigned char*>(out.data()) + have;
      z.avail_out = static_cast<unsigned>(out.size() - have);
      int rc = ::inflate(&z, Z_SYNC_FLUSH);
      have = out.size() - z.avail_out;
      if (rc == Z_NEED_DICT) {
        const std::string_view dictionary = headerDictionary();
        rc = ::inflateSetDictionary(&z, bytesOf(dictionary), static_cast<unsigned>(dictionary.size()));
        if (rc == Z_OK) continue;
      }
      if (rc != Z_OK && rc != Z_BUF_ERROR) return broken("a header block that does not inflate");
      if (z.avail_out > 0) break;  // all of the input is used
      if (out.size() >= kMaxHeaderBlock) return broken("a header block of more than 64 KiB");
      out.resize(std::min(kMaxHeaderBlock, out.size() * 2));
    }
    out.resize(have);
    return out;
  }
};

Decoder::Decoder() : inflater_(std::make_unique<Inflater>()) {}
Decoder::~Decoder() = default;

Result<std::optional<Frame>> Decoder::next(std::string_view* bytes) {
  for (;;) {
    if (inData_) {
      if (bytes->empty() && dataLeft_ > 0) return std::nullopt;
      Frame piece;
      piece.stream = dataStream_;
      piece.data = bytes->substr(0, dataLeft_);
      bytes->remove_prefix(piece.data.size());
      dataLeft_ -= static_cast<std::uint32_t>(piece.data.size());
      inData_ = dataLeft_ > 0;
      piece.fin = dataFin_ && !inData_;
      return piece;
    }
    if (bytes->size() < kFrameHead) return std::nullopt;
    const std::uint8_t flags = static_cast<std::uint8_t>((*bytes)[4]);
    const std::uint32_t length = number(*bytes, 5, 3);
    if ((static_cast<unsigned char>((*bytes)[0]) & 0x80) == 0) {
      dataStream_ = number(*bytes, 0, 4);
      if (dataStream_ == 0) return broken("data for stream 0");
      dataLeft_ = length;
      dataFin_ = (flags & kFin) != 0;
      inData_ = true;
      bytes->remove_prefix(kFrameHead);
      continue;
    }
    if ((number(*bytes, 0, 2) & 0x7fff) != kVersion) return broken("the peer speaks another version than 3");
    if (kFrameHead + length > kMaxControl)
      return broken("a control frame of " + std::to_string(length) + " bytes; at most 32 KiB");
    if (bytes->size() < kFrameHead + length) return std::nullopt;
    const std::string_view frame = bytes->substr(0, kFrameHead + length);
    bytes->remove_prefix(frame.size());
    SLIP_TRY(auto decoded, control(frame));
    if (decoded) return decoded;
  }
}

// nullopt: a kind of frame that nobody here knows.
Result<std::optional<Frame>> Decoder::control(std::string_view frame) {
  Frame out;
  out.type = static_cast<FrameType>(number(frame, 2, 2));
  out.fin = (static_cast<std::uint8_t>(frame[4]) & kFin) != 0;
  std::string_view body = frame.substr(kFrameHead);
  const std::size_t fixed = fixedPart(out.type);
  if (fixed == 0) return std::nullopt;
  if (body.size() < fixed) return broken("a control frame that is too short");
  switch (out.type) {
    case FrameType::Settings: return out;
    case FrameType::Ping: out.value = number(body, 0, 4); return out;
    case FrameType::RstStream:
    case FrameType::GoAway:
    case FrameType::WindowUpdate: out.value = number(body, 4, 4) & 0x7fffffff; [[fallthrough]];
    default: out.stream = number(body, 0, 4) & 0x7fffffff;
  }
  if (out.type == FrameType::SynStream || out.type == FrameType::SynReply || out.type == FrameType::Headers) {
    SLIP_TRY(out.headers, headers(body.substr(fixed)));
  }
  return out;
}

Result<HeaderList> Decoder::headers(std::string_view block) {
  if (!inflater_->ready) return fail(Code::Internal, "SPDY: zlib could not be set up");
  SLIP_TRY(const std::string text, inflater_->inflate(block));
  std::string_view rest = text;
  const auto take = [&rest](std::string* out) {
    if (rest.size() < 4) return false;
    const std::uint32_t size = number(rest, 0, 4);
    if (rest.size() - 4 < size) return false;
    *out = std::string(rest.substr(4, size));
    rest.remove_prefix(4 + size);
    return true;
  };
  if (rest.size() < 4) return broken("a header block without its count");
  const std::uint32_t count = number(rest, 0, 4);
  rest.remove_prefix(4);
  if (count > kMaxHeaders) return broken("more than " + std::to_string(kMaxHeaders) + " headers in a block");
  HeaderList list(count);
  for (auto& [name, value] : list) {
    if (!take(&name) || !take(&value)) return broken("a header block that ends within a header");
  }
  return list;
}

struct Encoder::Deflater {
  // A small window and little memory: our blocks are a few dozen bytes.
  Deflater() {
    ready = ::deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 11, 1, Z_DEFAULT_STRATEGY) == Z_OK;
    const std::string_view dictionary = headerDictionary();
    ready = ready && ::deflateSetDictionary(&z, bytesOf(dictionary), static_cast<unsigned>(dictionary.size())) == Z_OK;
  }
  ~Deflater() { ::deflateEnd(&z); }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;
  z_stream z{};
  bool ready = false;
};

Encoder::Encoder() : deflater_(std::make_unique<Deflater>()) {}
Encoder::~Encoder() = default;

std::string Encoder::block(const HeaderList& headers) {
  std::string text;
  append(text, static_cast<std::uint32_t>(headers.size()), 4);
  for (const auto& [name, value] : headers) {
    for (const std::string* part : {&name, &value}) {
      append(text, static_cast<std::uint32_t>(part->size()), 4);
      text += *part;
    }
  }
  z_stream& z = deflater_->z;
  std::string out(text.size() + 128, '\0');
  std::size_t have = 0;
  z.next_in = const_cast<unsigned char*>(bytesOf(text));
  z.avail_in = static_cast<unsigned>(text.size());
  do {
    if (have == out.size()) out.resize(out.size() * 2);
    z.next_out = reinterpret_cast<unsigned char*>(out.data()) + have;
    z.avail_out = static_cast<unsigned>(out.size() - have);
    if (!deflater_->ready || ::deflate(&z, Z_SYNC_FLUSH) == Z_STREAM_ERROR) break;
    have = out.size() - z.avail_out;
  } while (z.avail_out == 0);
  out.resize(have);
  return out;
}

void Encoder::synStream(std::string& out, std::uint32_t stream, const HeaderList& headers, bool fin) {
  const std::string packed = block(headers);
  controlHead(out, FrameType::SynStream, fin ? kFin : 0, 10 + packed.size());
  append(out, stream, 4);
  out.append(6, '\0');  // no associated stream, priority 0, no slot
  out += packed;
}

void Encoder::synReply(std::string& out, std::uint32_t stream, const HeaderList& headers) {
  const std::string packed = block(headers);
  controlHead(out, FrameType::SynReply, 0, 4 + packed.size());
  append(out, stream, 4);
  out += packed;
}

void Encoder::data(std::string& out, std::uint32_t stream, std::string_view bytes, bool fin) {
  do {
    const std::string_view piece = bytes.substr(0, kMaxData);
    bytes.remove_prefix(piece.size());
    append(out, stream, 4);
    append(out, fin && bytes.empty() ? kFin : 0, 1);
    append(out, static_cast<std::uint32_t>(piece.size()), 3);
    out += piece;
  } while (!bytes.empty());
}

void Encoder::reset(std::string& out, std::uint32_t stream, StreamError status) {
  controlHead(out, FrameType::RstStream, 0, 8);
  append(out, stream, 4);
  append(out, static_cast<std::uint32_t>(status), 4);
}

void Encoder::ping(std::string& out, std::uint32_t id) {
  controlHead(out, FrameType::Ping, 0, 4);
  append(out, id, 4);
}

void Encoder::goAway(std::string& out, std::uint32_t lastStream, std::uint32_t status) {
  controlHead(out, FrameType::GoAway, 0, 8);
  append(out, lastStream, 4);
  append(out, status, 4);
}

}  // namespace slipway::net::spdy
