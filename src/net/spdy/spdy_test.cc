// SPDY frames against bytes that kubectl really sent, and sessions over pipes.
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "net/spdy/frames.h"
#include "net/spdy/session.h"
#include "net/testing/run.h"

namespace slipway::net::spdy {
namespace {
using namespace std::chrono_literals;
using testing::eventually;
using testing::run;

std::string unhex(std::string_view hex) {
  std::string out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    out += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  return out;
}

std::string synStreamOf(std::uint32_t id, const std::string& block) {
  std::string out = unhex("80030001");
  const std::size_t length = 10 + block.size();
  for (const std::size_t n : {std::size_t{0}, length >> 16, length >> 8 & 0xff, length & 0xff}) out += static_cast<char>(n);
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(id >> shift & 0xff);
  return out + std::string(6, '\0') + block;
}

TEST(SpdyFrames, ReadTheFirstHeaderBlockOfKubectl) {
  const std::string bytes = synStreamOf(
      1, unhex("78f9e3c6a7c202253a48f95b044eea160616060c0c0c9c4590f8ca04a5634603704a2c294a4dcc851636aca9a0a800000000ffff"));
  Decoder decoder;
  std::string_view view = bytes;
  const auto frame = decoder.next(&view);
  ASSERT_TRUE(frame && *frame);
  EXPECT_EQ((*frame)->type, FrameType::SynStream);
  EXPECT_EQ((*frame)->headers, (HeaderList{{"port", "8080"}, {"requestid", "0"}, {"streamtype", "error"}}));
  EXPECT_TRUE(view.empty());
}

TEST(SpdyFrames, EveryKindComesBackAsItWasWritten) {
  std::string wire;
  Encoder encoder;
  encoder.synStream(wire, 1, {{"streamtype", "data"}, {"port", "80"}}, false);
  encoder.synReply(wire, 1, {});
  encoder.synStream(wire, 3, {{"streamtype", "data"}, {"port", "80"}}, true);  // the blocks share one zlib stream
  Encoder::data(wire, 1, "hello", false);
  Encoder::data(wire, 1, "", true);
  Encoder::reset(wire, 3, StreamError::Cancel);
  Encoder::ping(wire, 7);
  Encoder::goAway(wire, 3, 0);
  Decoder decoder;
  std::string_view view = wire;
  std::string log;
  for (;;) {
    auto frame = decoder.next(&view);
    ASSERT_TRUE(frame) << frame.error().message;
    if (!*frame) break;
    const Frame& f = **frame;
    log += fmt::format("{}/{}/{}/{}/{}/{};", static_cast<int>(f.type), f.stream, f.value, f.fin, f.headers.size(), f.data);
  }
  EXPECT_EQ(log,
            "1/1/0/false/2/;2/1/0/false/0/;1/3/0/true/2/;0/1/0/false/0/hello;0/1/0/true/0/;3/3/5/false/0/;6/0/7/false/0/;"
            "7/3/0/false/0/;");
}

TEST(SpdyFrames, DataComesInPiecesAndIsNeverHeld) {
  std::string wire = unhex(
      "00000001"
      "01"
      "ffffff");  // 16 MiB announced
  Decoder decoder;
  std::string_view head = wire;
  auto none = decoder.next(&head);
  ASSERT_TRUE(none);
  EXPECT_FALSE(none->has_value());
  const std::string part(1000, 'x');
  std::string_view view = part;
  const auto piece = decoder.next(&view);
  ASSERT_TRUE(piece && *piece);
  EXPECT_EQ((*piece)->data.size(), 1000u);
  EXPECT_FALSE((*piece)->fin);
}

TEST(SpdyFrames, WhatIsNotSpdyIsRefusedInOneLine) {
  const auto errorOf = [](const std::string& bytes) {
    Decoder decoder;
    std::string_view view = bytes;
    const auto frame = decoder.next(&view);
    return frame ? std::string("accepted") : frame.error().message;
  };
  EXPECT_EQ(errorOf("GET / HTTP/1.1\r\n"), "accepted");  // reads as data of a stream that nobody opened
  EXPECT_EQ(errorOf(unhex("8002000100000004") + "abcd"), "SPDY: the peer speaks another version than 3");
  EXPECT_EQ(errorOf(unhex("80030001000000") + "\x04" + "abcd"), "SPDY: a control frame that is too short");
  EXPECT_EQ(errorOf(unhex("8003000100ffffff")), "SPDY: a control frame of 16777215 bytes; at most 32 KiB");
  EXPECT_EQ(errorOf(synStreamOf(1, "not zlib")), "SPDY: a header block that does not inflate");
  EXPECT_EQ(errorOf(unhex("0000000000000001") + "x"), "SPDY: data for stream 0");
}

TEST(SpdyFrames, AHeaderBlockThatInflatesWithoutEndIsRefused) {
  std::string wire;
  Encoder encoder;
  encoder.synStream(wire, 1, {{"bomb", std::string(10 << 20, 'a')}}, false);
  Decoder decoder;
  std::string_view view = wire;
  const auto frame = decoder.next(&view);
  ASSERT_FALSE(frame);
  EXPECT_EQ(frame.error().message, "SPDY: a header block of more than 64 KiB");
}

// The client's end of a session over a pipe.
struct Client {
  explicit Client(std::unique_ptr<ByteStream> s) : stream(std::move(s)) {}
  Task<void> send() {
    const std::string bytes = std::exchange(wire, {});
    auto written = co_await stream->write(bytes);
    (void)written;
  }
  // Frames until `type` comes; data is gathered.
  Task<std::optional<Frame>> until(FrameType type) {
    for (;;) {
      std::string_view view = std::string_view(in).substr(used);
      const std::size_t before = view.size();
      auto frame = decoder.next(&view);
      used += before - view.size();
      if (!frame) co_return std::nullopt;
      if (*frame) {
        if ((*frame)->type == FrameType::Data) data += (*frame)->data;
        if ((*frame)->type == type && (type != FrameType::Data || (*frame)->fin)) co_return **frame;
        continue;
      }
      in.erase(0, used);
      used = 0;
      std::string more(65536, '\0');
      const auto n = co_await stream->read(more);
      if (!n || *n == 0) co_return std::nullopt;
      in.append(more, 0, *n);
    }
  }
  std::unique_ptr<ByteStream> stream;
  Encoder encoder;
  Decoder decoder;
  std::string wire, in, data;
  std::size_t used = 0;
};

struct Both {
  explicit Both(Executor e, SessionLimits limits = {}) : scope(e, "test") {
    auto [a, b] = makePipe();
    client = std::make_unique<Client>(std::move(a));
    session = Session::start(std::move(b), scope, limits);
  }
  TaskScope scope;
  std::unique_ptr<Client> client;
  std::shared_ptr<Session> session;
};

TEST(SpdySession, CarriesStreamsBothWaysWithHalfCloses) {
  run([](Executor e) -> Task<void> {
    Both both(e);
    Client& c = *both.client;
    c.encoder.synStream(c.wire, 1, {{"streamtype", "data"}}, false);
    Encoder::data(c.wire, 1, "question", true);
    co_await c.send();
    auto stream = co_await both.session->accept();
    EXPECT_EQ(stream->header("streamtype"), "data");
    EXPECT_EQ(stream->header("none"), "");
    std::string got(100, '\0');
    auto n = co_await stream->read(got);
    EXPECT_EQ(got.substr(0, *n), "question");
    n = co_await stream->read(got);
    EXPECT_EQ(*n, 0u);
    auto written = co_await stream->write("answer");
    EXPECT_TRUE(written);
    stream->shutdownWrite();
    const auto reply = co_await c.until(FrameType::SynReply);
    EXPECT_EQ(reply->stream, 1u);
    const auto last = co_await c.until(FrameType::Data);
    EXPECT_TRUE(last->fin);
    EXPECT_EQ(c.data, "answer");
    both.scope.cancel();
    co_await both.scope.join();
  });
}

TEST(SpdySession, AnswersPingsAndEndsWithTheClient) {
  run([](Executor e) -> Task<void> {
    Both both(e);
    Client& c = *both.client;
    Encoder::ping(c.wire, 9);
    co_await c.send();
    const auto pong = co_await c.until(FrameType::Ping);
    EXPECT_EQ(pong->value, 9u);
    c.stream->close();
    co_await both.session->ended();
    const auto none = co_await both.session->accept();
    EXPECT_EQ(none, nullptr);
    both.scope.cancel();
    co_await both.scope.join();
  });
}

TEST(SpdySession, AResetEndsReadsAndWritesOfThatStreamOnly) {
  run([](Executor e) -> Task<void> {
    Both both(e);
    Client& c = *both.client;
    c.encoder.synStream(c.wire, 1, {}, false);
    c.encoder.synStream(c.wire, 3, {}, false);
    Encoder::reset(c.wire, 1, StreamError::Cancel);
    Encoder::data(c.wire, 3, "still here", false);
    co_await c.send();
    auto first = co_await both.session->accept();
    auto second = co_await both.session->accept();
    std::string got(100, '\0');
    const auto failed = co_await first->read(got);
    EXPECT_FALSE(failed);
    const auto written = co_await first->write("x");
    EXPECT_FALSE(written);
    const auto n = co_await second->read(got);
    EXPECT_EQ(got.substr(0, *n), "still here");
    both.scope.cancel();
    co_await both.scope.join();
  });
}

TEST(SpdySession, RefusesStreamsBeyondTheLimitAndReusedNumbers) {
  run([](Executor e) -> Task<void> {
    Both both(e, {.maxStreams = 1});
    Client& c = *both.client;
    c.encoder.synStream(c.wire, 1, {}, false);
    c.encoder.synStream(c.wire, 3, {}, false);
    co_await c.send();
    const auto refused = co_await c.until(FrameType::RstStream);
    EXPECT_EQ(refused->stream, 3u);
    EXPECT_EQ(refused->value, static_cast<std::uint32_t>(StreamError::Refused));
    c.encoder.synStream(c.wire, 3, {}, false);
    co_await c.send();
    const auto bye = co_await c.until(FrameType::GoAway);
    EXPECT_EQ(bye->value, static_cast<std::uint32_t>(StreamError::Protocol));
    EXPECT_TRUE(both.session->over());
    both.scope.cancel();
    co_await both.scope.join();
  });
}

TEST(SpdySession, AStalledReaderStopsTheClientAtTheBudget) {
  run([](Executor e) -> Task<void> {
    Both both(e, {.maxInbound = 256 << 10});
    Client& c = *both.client;
    c.encoder.synStream(c.wire, 1, {}, false);
    co_await c.send();
    auto stream = co_await both.session->accept();
    auto sent = std::make_shared<std::size_t>(0);
    constexpr std::size_t kTotal = 8 << 20;
    boost::asio::co_spawn(
        e,
        [](ByteStream* to, std::shared_ptr<std::size_t> done) -> Task<void> {
          std::string frame;
          Encoder::data(frame, 1, std::string(kMaxData, 'u'), false);
          for (std::size_t i = 0; i < kTotal / kMaxData; ++i) {
            auto written = co_await to->write(frame);
            if (!written) co_return;
            *done += kMaxData;
          }
        }(c.stream.get(), sent),
        boost::asio::detached);
    // Nobody reads the stream: what the client gets rid of is the budget, one read beyond it, and the pipe.
    const auto settled = std::make_shared<std::size_t>(0);
    const bool stopped = co_await eventually([sent, settled] {
      const bool same = *sent > 0 && *sent == *settled;
      *settled = *sent;
      return same;
    });
    EXPECT_TRUE(stopped);
    EXPECT_LT(*sent, 512u << 10);
    std::string buffer(65536, '\0');
    std::size_t got = 0;
    while (got < kTotal) {
      const auto n = co_await stream->read(buffer);
      EXPECT_TRUE(n && *n > 0);
      if (!n || *n == 0) break;
      got += *n;
    }
    EXPECT_EQ(got, kTotal);
    both.scope.cancel();
    co_await both.scope.join();
  });
}

TEST(SpdySession, AFloodOfPingsFromAClientThatDoesNotReadEndsTheSession) {
  run([](Executor e) -> Task<void> {
    Both both(e);
    Client& c = *both.client;
    std::string pings;
    for (std::uint32_t i = 0; i < 4000; ++i) Encoder::ping(pings, 2 * i + 1);
    boost::asio::co_spawn(
        e,
        [](ByteStream* to, std::string flood) -> Task<void> {
          for (;;) {
            auto written = co_await to->write(flood);
            if (!written) co_return;
          }
        }(c.stream.get(), pings),
        boost::asio::detached);
    const bool ended = co_await eventually([&] { return both.session->over(); });
    EXPECT_TRUE(ended);
    co_await both.session->close(0ms);
    both.scope.cancel();
    co_await both.scope.join();
  });
}

}  // namespace
}  // namespace slipway::net::spdy
