#include "net/chunk_decoder.h"

#include <algorithm>
#include <optional>

namespace slipway::net {
namespace {

constexpr std::size_t kMaxLine = 4096;  // a chunk size with its extensions, or one trailer field

tl::unexpected<Error> malformed(const char* what) {
  return fail(Code::BadRequest, std::string("malformed HTTP message: ") + what);
}

int hexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool hasControl(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; });
}

// The line at the front of `in` without its CRLF; nullopt when it has not all come. Only CRLF ends a line.
Result<std::optional<std::string_view>> takeLine(std::string_view in) {
  const auto end = in.find('\n');
  if (end == std::string_view::npos) {
    if (in.size() > kMaxLine) return malformed("a chunk or trailer line is too long");
    return std::nullopt;
  }
  if (end > kMaxLine) return malformed("a chunk or trailer line is too long");
  if (end == 0 || in[end - 1] != '\r') return malformed("a line of the chunked body does not end with CRLF");
  return in.substr(0, end - 1);
}

}  // namespace

Status ChunkDecoder::onSizeLine(std::string_view line) {
  std::uint64_t size = 0;
  std::size_t i = 0;
  for (; i < line.size() && hexDigit(line[i]) >= 0; ++i) {
    if (size >> 60) return malformed("chunk size is too large");
    size = size * 16 + static_cast<std::uint64_t>(hexDigit(line[i]));
  }
  if (i == 0) return malformed("chunk size is not a hexadecimal number");
  const auto rest = line.substr(i);
  const auto mark = rest.find_first_not_of(" \t");
  if (mark != std::string_view::npos && rest[mark] != ';') return malformed("chunk size is not a hexadecimal number");
  if (hasControl(rest)) return malformed("control character in a chunk extension");
  left_ = size;
  state_ = size == 0 ? State::Trailer : State::Data;
  return {};
}

Status ChunkDecoder::onTrailerLine(std::string_view line) {
  if (line.empty()) {
    state_ = State::Done;
    return {};
  }
  if (line.size() > trailerLeft_) return malformed("the trailers are too large");
  trailerLeft_ -= line.size();
  const auto colon = line.find(':');
  if (colon == 0 || colon == std::string_view::npos || hasControl(line)) return malformed("bad trailer field");
  return {};
}

Result<std::size_t> ChunkDecoder::decode(std::string_view in, std::string& out) {
  std::size_t used = 0;
  while (state_ != State::Done) {
    const auto rest = in.substr(used);
    if (state_ == State::Data) {
      if (rest.empty()) break;
      const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(left_, rest.size()));
      out.append(rest.substr(0, n));
      used += n;
      left_ -= n;
      if (left_ == 0) state_ = State::DataEnd;
    } else if (state_ == State::DataEnd) {
      if (rest.size() < 2) break;
      if (!rest.starts_with("\r\n")) return malformed("a chunk is longer than its size");
      used += 2;
      state_ = State::Size;
    } else {
      SLIP_TRY(const auto line, takeLine(rest));
      if (!line) break;
      used += line->size() + 2;
      SLIP_CHECK(state_ == State::Size ? onSizeLine(*line) : onTrailerLine(*line));
    }
  }
  return used;
}

}  // namespace slipway::net
