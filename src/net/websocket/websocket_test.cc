// WebSocket frames, connections and channels over pipes.
#include <gtest/gtest.h>

#include "net/testing/run.h"
#include "net/websocket/channels.h"
#include "net/websocket/connection.h"
#include "net/websocket/frames.h"

namespace slipway::net::websocket {
namespace {
using namespace std::chrono_literals;
using testing::eventually;
using testing::run;

// A frame as a client sends it.
std::string masked(int firstByte, std::string_view data) {
  const std::string mask = "\x11\x22\x33\x44";
  std::string out(1, static_cast<char>(firstByte));
  if (data.size() < 126) {
    out += static_cast<char>(0x80 | data.size());
  } else {
    out += static_cast<char>(0x80 | 126);
    out += static_cast<char>(data.size() >> 8);
    out += static_cast<char>(data.size() & 0xff);
  }
  out += mask;
  for (std::size_t i = 0; i < data.size(); ++i) out += static_cast<char>(data[i] ^ mask[i % 4]);
  return out;
}

std::string decode(std::string bytes) {
  Decoder decoder;
  std::span<char> view(bytes);
  std::string log;
  for (;;) {
    auto piece = decoder.next(&view);
    if (!piece) return log + "error: " + piece.error().message;
    if (!*piece) return log;
    log += fmt::format("{}{}{}{};", static_cast<int>((*piece)->opcode), (*piece)->first ? "<" : "", (*piece)->data,
                       (*piece)->last ? ">" : "");
  }
}

TEST(WebSocketFrames, AcceptKeyIsTheOneOfTheStandard) {
  EXPECT_EQ(acceptKey("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(WebSocketFrames, FragmentsMakeOneMessageAndControlFramesMayComeBetween) {
  EXPECT_EQ(decode(masked(0x82, "abc")), "2<abc>;");
  EXPECT_EQ(decode(masked(0x02, "ab") + masked(0x89, "p") + masked(0x00, "") + masked(0x80, "c") + masked(0x81, "t")),
            "2<ab;9<p>;2;2c>;1<t>;");
  EXPECT_EQ(decode(masked(0x82, std::string(300, 'x'))), "2<" + std::string(300, 'x') + ">;");
  EXPECT_EQ(decode(masked(0x82, "abcdef").substr(0, 9)), "2<abc;");  // the rest has not come yet
}

TEST(WebSocketFrames, WhatBreaksTheProtocolIsRefused) {
  EXPECT_EQ(decode(std::string("\x82\x01x", 3)), "error: a frame of the client is not masked");
  EXPECT_EQ(decode(masked(0xc2, "x")), "error: reserved bits are set and no extension was agreed");
  EXPECT_EQ(decode(masked(0x83, "x")), "error: unknown opcode");
  EXPECT_EQ(decode(masked(0x80, "x")), "error: a continuation without a message");
  EXPECT_EQ(decode(masked(0x02, "a") + masked(0x82, "b")), "2<a;error: a message inside another");
  EXPECT_EQ(decode(masked(0x09, "x")), "error: a control frame is fragmented or over 125 bytes");
  EXPECT_EQ(decode(masked(0x89, std::string(126, 'x'))), "error: a control frame is fragmented or over 125 bytes");
  EXPECT_EQ(decode(std::string("\x82\xff\x80\0\0\0\0\0\0\0mask", 14)), "error: a frame length with its top bit set");
}

struct Both {
  explicit Both(Executor e) : scope(e, "test") {
    auto [a, b] = makePipe();
    client = std::move(a);
    connection = Connection::start(std::move(b), scope);
  }
  Task<void> send(std::string bytes) {
    auto written = co_await client->write(bytes);
    (void)written;
  }
  // Everything that the server has sent so far, at least `size` bytes.
  Task<std::string> receive(std::size_t size) {
    std::string all;
    std::string buffer(4096, '\0');
    while (all.size() < size) {
      const auto n = co_await client->read(buffer);
      if (!n || *n == 0) break;
      all.append(buffer, 0, *n);
    }
    co_return all;
  }
  Task<void> done() {
    scope.cancel();
    co_await scope.join();
  }
  TaskScope scope;
  std::unique_ptr<ByteStream> client;
  std::shared_ptr<Connection> connection;
};

TEST(WebSocketConnection, AnswersPingsAndTheClientsClose) {
  run([](Executor e) -> Task<void> {
    Both both(e);
    co_await both.send(masked(0x89, "beat") + masked(0x88, std::string("\x03\xe8", 2)));
    const auto piece = co_await both.connection->read();
    EXPECT_FALSE(piece);
    const std::string got = co_await both.receive(10);
    EXPECT_EQ(got, std::string("\x8a\x04"
                               "beat\x88\x02\x03\xe8",
                               10));
    co_await both.done();
  });
}

TEST(WebSocketConnection, ABrokenFrameEndsItWithTheReason) {
  run([](Executor e) -> Task<void> {
    Both both(e);
    co_await both.send(masked(0x83, "x"));
    const auto piece = co_await both.connection->read();
    EXPECT_FALSE(piece);
    const std::string got = co_await both.receive(18);
    EXPECT_EQ(got, std::string("\x88\x10\x03\xea", 4) + "unknown opcode");
    co_await both.done();
  });
}

TEST(WebSocketConnection, TunnelJoinsMessagesAndSkipsEmptyOnes) {
  run([](Executor e) -> Task<void> {
    Both both(e);
    auto tunnel = asByteStream(both.connection);
    co_await both.send(masked(0x82, "he") + masked(0x82, "") + masked(0x02, "l") + masked(0x80, "lo"));
    std::string all;
    std::string buffer(3, '\0');
    while (all.size() < 5) {
      const auto n = co_await tunnel->read(buffer);
      EXPECT_TRUE(n && *n > 0);
      all.append(buffer, 0, *n);
    }
    EXPECT_EQ(all, "hello");
    auto written = co_await tunnel->write("back");
    EXPECT_TRUE(written);
    const std::string got = co_await both.receive(6);
    EXPECT_EQ(got,
              "\x82\x04"
              "back");
    co_await both.done();
  });
}

TEST(WebSocketChannels, EachMessageGoesToItsChannelAndTheCloseChannelEndsOne) {
  run([](Executor e) -> Task<void> {
    Both both(e);
    auto channels = Channels::start(both.connection, 3, HalfClose::Yes, both.scope);
    auto in = channels->stream(0);
    auto out = channels->stream(1);
    co_await both.send(masked(0x82, std::string("\0stdin", 6)) + masked(0x82, "\x09nobody") +
                       masked(0x82, std::string("\xff\0", 2)));
    std::string buffer(100, '\0');
    auto n = co_await in->read(buffer);
    EXPECT_EQ(buffer.substr(0, *n), "stdin");
    n = co_await in->read(buffer);
    EXPECT_EQ(*n, 0u);
    auto written = co_await out->write("result");
    EXPECT_TRUE(written);
    const std::string got = co_await both.receive(9);
    EXPECT_EQ(got, "\x82\x07\x01result");
    co_await both.done();
  });
}

TEST(WebSocketChannels, AClientThatLeavesIsNoticedWhileItsInputIsNotRead) {
  run([](Executor e) -> Task<void> {
    Both both(e);
    auto channels = Channels::start(both.connection, 1, HalfClose::No, both.scope);
    auto in = channels->stream(0);
    const std::string message = masked(0x82, std::string(1, '\0') + std::string(30000, 'x'));
    for (int i = 0; i < 36; ++i) co_await both.send(message);
    both.client->close();
    const bool over = co_await eventually([&] { return channels->over(); });
    EXPECT_TRUE(over);
    std::string buffer(100, '\0');
    const auto n = co_await in->read(buffer);
    EXPECT_FALSE(n);
    co_await both.done();
  });
}

}  // namespace
}  // namespace slipway::net::websocket
