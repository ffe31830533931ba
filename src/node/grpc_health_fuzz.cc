// The reply of a probed server, in pieces whose sizes the first byte chooses: never a crash, never more than its bounds.
#include "node/grpc_health.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t piece = data[0] % 32u + 1;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  slipway::node::GrpcHealthReply reply;
  for (std::size_t i = 0; i < bytes.size(); i += piece) {
    const auto done = reply.feed(bytes.substr(i, piece));
    (void)reply.takeReplies();
    if (!done || *done) break;
  }
  (void)reply.status();
  return 0;
}
