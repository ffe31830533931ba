// One call of grpc.health.v1.Health/Check as bytes: what a probe sends on a fresh plaintext HTTP/2 connection, and a reader
// of the reply. Only what this one call needs: reply headers are skipped, not decoded. Pure.
//
//   GrpcHealthReply reply;
//   write(grpcHealthRequest("127.20.0.2:9000", "")); while (!done) { read; auto done = reply.feed(bytes);
//   write(reply.takeReplies()); }
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace slipway::node {

std::string grpcHealthRequest(const std::string& authority, const std::string& service);

class GrpcHealthReply {
 public:
  // True when the call is over; then status() tells. Error: the peer does not speak HTTP/2 or says more than such a reply
  // can.
  Result<bool> feed(std::string_view bytes);
  std::string takeReplies();          // acknowledgements to send
  std::optional<int> status() const;  // of HealthCheckResponse; nullopt: the call failed
  static const char* statusName(int status);

 private:
  Result<bool> frame(int type, int flags, std::uint32_t stream, std::string_view payload);
  std::string in_, out_, message_;
  bool first_ = true;
};

}  // namespace slipway::node
