#include "node/grpc_health.h"

namespace slipway::node {
namespace {

constexpr std::size_t kMaxFrame = 16384;    // HTTP/2's own default
constexpr std::size_t kMaxMessage = 65536;  // of all data frames
enum FrameType { Data = 0, Headers = 1, ResetStream = 3, Settings = 4, Ping = 6, GoAway = 7 };
constexpr int kEndStream = 1, kAck = 1, kEndHeaders = 4, kPadded = 8;

std::string frameOf(int type, int flags, std::uint32_t stream, const std::string& payload) {
  std::string out;
  for (const int shift : {16, 8, 0}) out += static_cast<char>(payload.size() >> shift & 0xff);
  out += static_cast<char>(type);
  out += static_cast<char>(flags);
  for (const int shift : {24, 16, 8, 0}) out += static_cast<char>(stream >> shift & 0xff);
  return out + payload;
}

// An HPACK text: its length as an integer of 7 bits, then the bytes as they are.
std::string hpackText(std::string_view text) {
  std::string out;
  std::size_t n = text.size();
  if (n < 127) {
    out += static_cast<char>(n);
  } else {
    out += static_cast<char>(127);
    for (n -= 127; n >= 128; n /= 128) out += static_cast<char>(n % 128 + 128);
    out += static_cast<char>(n);
  }
  return out.append(text);
}

std::string varint(std::size_t n) {
  std::string out;
  for (; n >= 128; n /= 128) out += static_cast<char>(n % 128 + 128);
  return out + static_cast<char>(n);
}

std::uint32_t bigEndian(std::string_view bytes) {
  std::uint32_t n = 0;
  for (const char c : bytes) n = n << 8 | static_cast<unsigned char>(c);
  return n;
}

// The enum in field 1 of a HealthCheckResponse; 0, as proto3 has it, when the field is absent.
std::optional<int> statusIn(std::string_view message) {
  int status = 0;
  std::size_t at = 0;
  auto number = [&]() -> std::optional<std::uint64_t> {
    std::uint64_t n = 0;
    for (int shift = 0; shift < 64 && at < message.size(); shift += 7) {
      const auto byte = static_cast<unsigned char>(message[at++]);
      n |= std::uint64_t{byte & 0x7fu} << shift;
      if ((byte & 0x80) == 0) return n;
    }
    return std::nullopt;
  };
  while (at < message.size()) {
    const auto tag = number();
    if (!tag) return std::nullopt;
    const auto value = (*tag & 7) == 0 || (*tag & 7) == 2 ? number() : std::nullopt;
    if (!value) return std::nullopt;  // other wire types do not occur here
    if ((*tag & 7) == 2) {
      if (*value > message.size() - at) return std::nullopt;
      at += *value;
    } else if (*tag >> 3 == 1) {
      status = static_cast<int>(*value & 0x7fffffff);
    }
  }
  return status;
}

}  // namespace

std::string grpcHealthRequest(const std::string& authority, const std::string& service) {
  // Indices of HPACK's static table: 3 is `:method: POST`, 6 `:scheme: http`; names by index, values as literals.
  std::string head = "\x83\x86";
  head += "\x04" + hpackText("/grpc.health.v1.Health/Check");
  head += "\x01" + hpackText(authority);
  head += std::string("\x0f\x10") + hpackText("application/grpc");
  head += std::string("\x0f\x2b") + hpackText("kube-probe/1.34");
  head += std::string(1, '\0') + hpackText("te") + hpackText("trailers");
  const std::string request = service.empty() ? "" : "\x0a" + varint(service.size()) + service;
  std::string message(1, '\0');
  for (const int shift : {24, 16, 8, 0}) message += static_cast<char>(request.size() >> shift & 0xff);
  return "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frameOf(Settings, 0, 0, "") + frameOf(Headers, kEndHeaders, 1, head) +
         frameOf(Data, kEndStream, 1, message + request);
}

Result<bool> GrpcHealthReply::feed(std::string_view bytes) {
  in_.append(bytes);
  while (in_.size() >= 9) {
    const std::size_t length = bigEndian(std::string_view(in_).substr(0, 3));
    const int type = static_cast<unsigned char>(in_[3]);
    if (length > kMaxFrame || (first_ && type != Settings))
      return fail(Code::BadGateway, "the server does not speak HTTP/2");
    if (in_.size() < 9 + length) return false;
    first_ = false;
    const std::string_view payload = std::string_view(in_).substr(9, length);
    SLIP_TRY(const bool done, frame(type, static_cast<unsigned char>(in_[4]),
                                    bigEndian(std::string_view(in_).substr(5, 4)) & 0x7fffffff, payload));
    in_.erase(0, 9 + length);
    if (done) return true;
  }
  return false;
}

Result<bool> GrpcHealthReply::frame(int type, int flags, std::uint32_t stream, std::string_view payload) {
  if (type == Settings && (flags & kAck) == 0) out_ += frameOf(Settings, kAck, 0, "");
  if (type == Ping && (flags & kAck) == 0) out_ += frameOf(Ping, kAck, 0, std::string(payload));
  if (out_.size() > kMaxMessage) return fail(Code::BadGateway, "the server sends too many settings and pings");
  if (type == GoAway) return true;
  if (stream != 1) return false;
  if (type == Data) {
    std::size_t padding = 0;
    if ((flags & kPadded) != 0) {
      if (payload.empty()) return fail(Code::BadGateway, "a data frame without its padding length");
      padding = static_cast<unsigned char>(payload[0]);
      payload.remove_prefix(1);
    }
    if (padding > payload.size()) return fail(Code::BadGateway, "a data frame with more padding than data");
    message_.append(payload.substr(0, payload.size() - padding));
    if (message_.size() > kMaxMessage) return fail(Code::BadGateway, "the reply is larger than 64 KiB");
  }
  return type == ResetStream || ((type == Data || type == Headers) && (flags & kEndStream) != 0);
}

std::string GrpcHealthReply::takeReplies() { return std::exchange(out_, ""); }

std::optional<int> GrpcHealthReply::status() const {
  if (message_.size() < 5 || message_[0] != '\0') return std::nullopt;
  const std::size_t length = bigEndian(std::string_view(message_).substr(1, 4));
  if (message_.size() - 5 < length) return std::nullopt;
  return statusIn(std::string_view(message_).substr(5, length));
}

const char* GrpcHealthReply::statusName(int status) {
  switch (status) {
    case 0: return "UNKNOWN";
    case 1: return "SERVING";
    case 2: return "NOT_SERVING";
    case 3: return "SERVICE_UNKNOWN";
    default: return "?";
  }
}

}  // namespace slipway::node
