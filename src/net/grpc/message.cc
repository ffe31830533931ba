#include "net/grpc/message.h"

namespace slipway::net::grpc {
namespace {

constexpr std::size_t kHead = 5;
constexpr std::size_t kMaxStatusText = 4096;

std::string encodedMessage(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text.substr(0, kMaxStatusText)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte <= 0x7e && c != '%')
      out += c;
    else
      out.append({'%', kHex[byte >> 4], kHex[byte & 15]});
  }
  return out;
}

}  // namespace

StatusCode statusOf(Code code) {
  switch (code) {
    case Code::BadRequest:
    case Code::UnsupportedMedia:
    case Code::Invalid: return StatusCode::InvalidArgument;
    case Code::Unauthorized: return StatusCode::Unauthenticated;
    case Code::Forbidden: return StatusCode::PermissionDenied;
    case Code::NotFound:
    case Code::Gone: return StatusCode::NotFound;
    case Code::AlreadyExists: return StatusCode::AlreadyExists;
    case Code::Conflict: return StatusCode::Aborted;
    case Code::TooLarge:
    case Code::TooMany: return StatusCode::ResourceExhausted;
    case Code::Cancelled: return StatusCode::Cancelled;
    case Code::MethodNotAllowed:
    case Code::Unimplemented: return StatusCode::Unimplemented;
    case Code::BadGateway:
    case Code::Unavailable: return StatusCode::Unavailable;
    case Code::Timeout: return StatusCode::DeadlineExceeded;
    case Code::Internal: break;
  }
  return StatusCode::Internal;
}

bool isGrpc(const Headers& headers) {
  constexpr std::string_view kType = "application/grpc";
  const auto type = headers.getOr("content-type", "");
  return type.starts_with(kType) && (type.size() == kType.size() || type[kType.size()] == '+' || type[kType.size()] == ';');
}

Result<std::optional<Frame>> takeFrame(std::string_view bytes, std::size_t maxMessage) {
  if (bytes.size() < kHead) return std::optional<Frame>();
  const auto flag = static_cast<unsigned char>(bytes[0]);
  if (flag > 1)
    return fail(Code::BadRequest, "a gRPC message begins with flag " + std::to_string(flag) + ": 0 or 1 is known");
  std::size_t length = 0;
  for (std::size_t i = 1; i < kHead; ++i) length = length << 8 | static_cast<unsigned char>(bytes[i]);
  if (length > maxMessage)
    return fail(Code::TooLarge, "a message of " + std::to_string(length) + " bytes is larger than the limit of " +
                                    std::to_string(maxMessage) + " bytes");
  if (bytes.size() - kHead < length) return std::optional<Frame>();
  return std::optional<Frame>(Frame{bytes.substr(kHead, length), flag == 1, kHead + length});
}

void appendFrame(std::string& out, std::string_view message, bool compressed) {
  const auto n = message.size();
  out.reserve(out.size() + kHead + n);
  out += static_cast<char>(compressed ? 1 : 0);
  for (const int shift : {24, 16, 8, 0}) out += static_cast<char>(n >> shift & 0xff);
  out.append(message);
}

std::optional<std::chrono::nanoseconds> parseTimeout(std::string_view text) {
  if (text.size() < 2 || text.size() > 9) return std::nullopt;
  std::int64_t n = 0;
  for (const char c : text.substr(0, text.size() - 1)) {
    if (c < '0' || c > '9') return std::nullopt;
    n = n * 10 + (c - '0');
  }
  switch (text.back()) {
    case 'H': return std::chrono::hours(std::min<std::int64_t>(n, 1'000'000));  // a century, which still fits
    case 'M': return std::chrono::minutes(n);
    case 'S': return std::chrono::seconds(n);
    case 'm': return std::chrono::milliseconds(n);
    case 'u': return std::chrono::microseconds(n);
    case 'n': return std::chrono::nanoseconds(n);
    default: return std::nullopt;
  }
}

void setStatus(Headers& headers, StatusCode code, std::string_view message) {
  headers.set("grpc-status", std::to_string(static_cast<int>(code)));
  if (!message.empty()) headers.set("grpc-message", encodedMessage(message));
}

Headers okTrailers() { return Headers{{"grpc-status", "0"}}; }

Response failure(StatusCode code, std::string_view message) {
  Response r;
  r.headers.set("content-type", "application/grpc");
  setStatus(r.headers, code, message);
  return r;
}

Response failure(const Error& error) { return failure(statusOf(error.code), error.message); }

}  // namespace slipway::net::grpc
