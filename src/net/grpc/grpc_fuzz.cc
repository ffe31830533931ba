// Any bytes as the body of a gRPC request, cut into pieces at places that the input chooses: whatever the cuts, the same
// messages; nothing beyond the limit.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "net/grpc/message.h"

namespace {

std::string messagesOf(std::string_view bytes, std::size_t cut) {
  constexpr std::size_t kLimit = 1000;
  std::string log, buffer;
  for (;;) {
    const auto frame = slipway::net::grpc::takeFrame(buffer, kLimit);
    if (!frame) return log + "error " + frame.error().message;
    if (*frame) {
      if ((*frame)->message.size() > kLimit || (*frame)->size != (*frame)->message.size() + 5) std::abort();
      log += ((*frame)->compressed ? "packed " : "plain ") + std::string((*frame)->message) + "\n";
      buffer.erase(0, (*frame)->size);
      continue;
    }
    if (bytes.empty()) return log + (buffer.empty() ? "end" : "cut short");
    const auto n = std::min(cut, bytes.size());
    buffer += bytes.substr(0, n);
    bytes.remove_prefix(n);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1 || size > 16384) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (messagesOf(bytes, 1 + data[0] % 64) != messagesOf(bytes, 1 << 20)) std::abort();
  (void)slipway::net::grpc::parseTimeout(bytes.substr(0, 12));
  slipway::net::Headers headers;
  slipway::net::grpc::setStatus(headers, slipway::net::grpc::StatusCode::Internal, bytes);
  for (const char c : headers.getOr("grpc-message", ""))
    if (c < 0x20 || c > 0x7e) std::abort();
  return 0;
}
