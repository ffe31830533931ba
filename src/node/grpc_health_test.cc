#include "node/grpc_health.h"

#include <gtest/gtest.h>

namespace slipway::node {
namespace {
using namespace std::string_literals;

// SETTINGS, HEADERS with `:status 200`, one DATA frame with the message, trailers.
std::string answer(const std::string& message) {
  const std::string data = "\0\0\0\0"s + static_cast<char>(message.size()) + message;
  return "\0\0\0\4\0\0\0\0\0"s + "\0\0\1\1\4\0\0\0\1\x88"s + "\0\0"s + static_cast<char>(data.size()) + "\0\0\0\0\0\1"s +
         data + "\0\0\1\1\5\0\0\0\1\x88"s;
}

TEST(GrpcHealth, TheRequestIsPrefaceSettingsHeadersAndMessage) {
  const std::string r = grpcHealthRequest("h:1", "svc");
  EXPECT_TRUE(r.starts_with("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"s));
  EXPECT_NE(r.find("/grpc.health.v1.Health/Check"), std::string::npos);
  EXPECT_TRUE(r.ends_with("\0\0\x0a\0\1\0\0\0\1\0\0\0\0\5\x0a\3svc"s));
}

TEST(GrpcHealth, EveryStatusIsReadWhateverThePieces) {
  for (int status = 0; status < 4; ++status) {
    const std::string bytes = answer(status == 0 ? "" : "\x08"s + static_cast<char>(status));
    for (const std::size_t piece : {1, 3, 1000}) {
      GrpcHealthReply reply;
      bool done = false;
      for (std::size_t i = 0; i < bytes.size(); i += piece) {
        ASSERT_FALSE(done);
        const auto r = reply.feed(std::string_view(bytes).substr(i, piece));
        ASSERT_TRUE(r) << r.error().message;
        done = *r;
      }
      EXPECT_TRUE(done);
      EXPECT_EQ(reply.status(), status);
      EXPECT_EQ(reply.takeReplies(), "\0\0\0\4\1\0\0\0\0"s);
    }
  }
}

TEST(GrpcHealth, AFailedCallHasNoStatusAndOtherProtocolsAreNamed) {
  GrpcHealthReply trailersOnly;
  EXPECT_EQ(trailersOnly.feed("\0\0\0\4\0\0\0\0\0\0\0\1\1\5\0\0\0\1\x88"s), true);
  EXPECT_FALSE(trailersOnly.status());
  GrpcHealthReply http1;
  EXPECT_EQ(http1.feed("HTTP/1.1 400 Bad Request\r\n\r\n").error().message, "the server does not speak HTTP/2");
  GrpcHealthReply padded;
  EXPECT_FALSE(padded.feed("\0\0\0\4\0\0\0\0\0\0\0\1\0\x09\0\0\0\1\xff"s));
}

}  // namespace
}  // namespace slipway::node
