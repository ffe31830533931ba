#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "net/client.h"
#include "net/dial.h"
#include "net/h2/session.h"
#include "net/server.h"
#include "net/testing/run.h"
#include "net/tls.h"

namespace slipway::net {
namespace {
namespace asio = boost::asio;
using namespace std::chrono_literals;
using testing::eventually;
using testing::run;

ServerOptions http2() {
  ServerOptions o;
  o.http2 = true;
  return o;
}

// Sends back what comes, piece by piece, with a trailer that counts the bytes.
struct EchoBody final : BodyReader {
  explicit EchoBody(Body b) : body(std::move(b)) {}
  Task<Result<std::string>> read() override {
    auto chunk = co_await body.read();
    if (chunk) bytes += chunk->size();
    if (chunk && chunk->empty()) end.set("x-bytes", std::to_string(bytes));
    co_return chunk;
  }
  const Headers* trailers() const override { return &end; }
  Body body;
  Headers end;
  std::size_t bytes = 0;
};

Task<Response> echo(Request request) {
  Response r;
  r.headers.set("X-Target", request.target);
  r.headers.set("X-Host", request.headers.getOr("host", "?"));
  r.headers.set("X-Version", request.version);
  r.body = Body(std::make_unique<EchoBody>(std::move(request.body)));
  co_return r;
}

Task<Result<Response>> post(HttpClient* client, std::uint16_t port, std::string body, std::string target = "/") {
  Request request{.method = "POST", .target = std::move(target)};
  request.body = Body(std::move(body));
  auto r = co_await client->send(Origin{.host = "127.0.0.1", .port = port, .http2 = true}, std::move(request));
  co_return r;
}

std::string pattern(std::size_t size) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>(i * 2654435761U >> 11);
  return out;
}

TEST(Http2, ARequestAndItsAnswer) {
  run([](Executor e) -> Task<void> {
    HttpServer server(e, echo, http2());
    auto bound = server.listen("127.0.0.1", 0);
    HttpClient client(e);
    auto r = co_await post(&client, bound->port, "hello", "/a?b=c");
    EXPECT_TRUE(r);
    if (!r) co_return;
    EXPECT_EQ(r->status, 200);
    EXPECT_EQ(r->headers.getOr("x-target", ""), "/a?b=c");
    EXPECT_EQ(r->headers.getOr("x-host", ""), "127.0.0.1:" + std::to_string(bound->port));
    EXPECT_EQ(r->headers.getOr("x-version", ""), "HTTP/2");
    auto body = co_await r->body.readAll(100);
    EXPECT_EQ(*body, "hello");
    EXPECT_NE(r->body.trailers(), nullptr);
    EXPECT_EQ(r->body.trailers()->getOr("x-bytes", ""), "5");
    // The same port still speaks HTTP/1.1.
    Request old{.method = "POST", .target = "/old"};
    old.body = Body(std::string("hi"));
    auto h1 = co_await client.send(Origin{"127.0.0.1", bound->port}, std::move(old));
    EXPECT_TRUE(h1 && h1->headers.getOr("x-version", "") == "HTTP/1.1");
  });
}

TEST(Http2, LargeBodiesPassThroughSmallWindows) {
  run([](Executor e) -> Task<void> {
    auto options = http2();
    options.streamWindow = 70'000;
    options.connectionWindow = 100'000;
    options.bufferBodyBytes = 1000;
    HttpServer server(e, echo, options);
    auto bound = server.listen("127.0.0.1", 0);
    HttpClient client(e, {.streamWindow = 66'000, .connectionWindow = 80'000});
    const std::string sent = pattern(3'000'000);
    auto r = co_await post(&client, bound->port, sent);
    EXPECT_TRUE(r) << r.error().message;
    if (!r) co_return;
    auto body = co_await r->body.readAll(4'000'000);
    EXPECT_TRUE(body && *body == sent);
  });
}

TEST(Http2, ManyRequestsShareOneConnection) {
  run([](Executor e) -> Task<void> {
    auto release = std::make_shared<asio::steady_timer>(e, asio::steady_timer::time_point::max());
    std::size_t inside = 0;
    HttpServer server(
        e,
        [&](Request r) -> Task<Response> {
          ++inside;
          boost::system::error_code ec;
          co_await release->async_wait(asio::redirect_error(asio::use_awaitable, ec));
          co_return Response::text(200, r.target);
        },
        http2());
    auto bound = server.listen("127.0.0.1", 0);
    HttpClient client(e);
    std::size_t good = 0;
    for (int i = 0; i < 90; ++i) {
      asio::co_spawn(
          e,
          [&, i]() -> Task<void> {
            auto r = co_await post(&client, bound->port, "x", "/" + std::to_string(i));
            if (!r) co_return;
            auto body = co_await r->body.readAll(100);
            good += body && *body == "/" + std::to_string(i);
          },
          asio::detached);
    }
    auto all = co_await eventually([&] { return inside == 90; });
    EXPECT_TRUE(all);
    EXPECT_EQ(server.connections(), 1u);
    release->cancel();
    auto done = co_await eventually([&] { return good == 90; });
    EXPECT_TRUE(done) << good;
  });
}

TEST(Http2, RequestsBeyondTheStreamLimitTakeAnotherConnectionOrWait) {
  run([](Executor e) -> Task<void> {
    auto options = http2();
    options.maxStreams = 2;
    std::size_t inside = 0, most = 0;
    HttpServer server(
        e,
        [&](Request) -> Task<Response> {
          most = std::max(most, ++inside);
          asio::steady_timer turn(co_await asio::this_coro::executor, 1ms);
          co_await turn.async_wait(asio::use_awaitable);
          --inside;
          co_return Response::text(200, "ok");
        },
        options);
    auto bound = server.listen("127.0.0.1", 0);
    HttpClient client(e, {.maxHttp2Connections = 2});
    std::size_t good = 0;
    for (int i = 0; i < 40; ++i) {
      asio::co_spawn(
          e,
          [&]() -> Task<void> {
            auto r = co_await post(&client, bound->port, "x");
            good += r && r->status == 200;
          },
          asio::detached);
    }
    auto done = co_await eventually([&] { return good == 40; });
    EXPECT_TRUE(done) << good;
    EXPECT_LE(server.connections(), 2u);
  });
}

// A request body that the test feeds.
struct FedBody final : BodyReader {
  explicit FedBody(Executor e) : changed(e, asio::steady_timer::time_point::max()) {}
  Task<Result<std::string>> read() override {
    while (chunks.empty()) {
      boost::system::error_code ec;
      co_await changed.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    }
    auto first = std::move(chunks.front());
    chunks.erase(chunks.begin());
    co_return first;
  }
  void push(std::string chunk) {
    chunks.push_back(std::move(chunk));
    changed.cancel();
  }
  asio::steady_timer changed;
  std::vector<std::string> chunks;
};

TEST(Http2, BodiesStreamBothWaysAtOnce) {
  run([](Executor e) -> Task<void> {
    auto options = http2();
    options.bufferChunked = false;
    HttpServer server(e, echo, options);
    auto bound = server.listen("127.0.0.1", 0);
    HttpClient client(e);
    auto feed = std::make_unique<FedBody>(e);
    FedBody* in = feed.get();
    Request request{.method = "POST", .target = "/"};
    request.body = Body(std::move(feed));
    auto r = co_await client.send(Origin{.host = "127.0.0.1", .port = bound->port, .http2 = true}, std::move(request));
    EXPECT_TRUE(r);
    if (!r) co_return;
    for (const char* text : {"one", "two", "three"}) {  // each comes back before the next is sent
      in->push(text);
      auto chunk = co_await r->body.read();
      EXPECT_TRUE(chunk && *chunk == text);
    }
    in->push("");
    auto end = co_await r->body.read();
    EXPECT_TRUE(end && end->empty());
    EXPECT_TRUE(r->body.trailers() && r->body.trailers()->getOr("x-bytes", "") == "11");
  });
}

Handler foreverHandler(bool* started, bool* cancelled) {
  return [started, cancelled](Request) -> Task<Response> {
    struct OnExit {
      bool* flag;
      ~OnExit() { *flag = true; }
    } guard{cancelled};
    *started = true;
    asio::steady_timer forever(co_await asio::this_coro::executor, 1h);
    co_await forever.async_wait(asio::use_awaitable);
    co_return Response{};
  };
}

TEST(Http2, AHandlerIsCancelledWhenItsRequestTimesOut) {
  run([](Executor e) -> Task<void> {
    bool started = false, cancelled = false;
    HttpServer server(e, foreverHandler(&started, &cancelled), http2());
    auto bound = server.listen("127.0.0.1", 0);
    HttpClient client(e, {.headTimeout = 100ms});
    auto r = co_await post(&client, bound->port, "x");
    EXPECT_FALSE(r);
    EXPECT_EQ(r.error().code, Code::Timeout) << r.error().message;
    auto ended = co_await eventually([&] { return cancelled; });
    EXPECT_TRUE(started && ended);
    EXPECT_EQ(server.connections(), 1u);  // only the stream was given up
  });
}

TEST(Http2, AHandlerIsCancelledWhenItsClientLeaves) {
  run([](Executor e) -> Task<void> {
    bool started = false, cancelled = false;
    HttpServer server(e, foreverHandler(&started, &cancelled), http2());
    auto [ours, theirs] = makePipe();
    server.serve(std::move(theirs));
    struct None final : h2::Events {
      void onHead(const h2::StreamPtr&) override {}
      void onBody(const h2::StreamPtr&) override {}
      void onEnd(const h2::StreamPtr&) override {}
      void onClosed(const h2::StreamPtr&) override {}
    } none;
    h2::Session session(h2::Side::Client, {}, none);
    auto stream = session.request(Request{}, "a", false, false);
    EXPECT_TRUE(stream);
    std::string out;
    session.output(&out, 1 << 20);
    for (const char c : out) {  // the preface in single bytes
      auto written = co_await ours->write(std::string(1, c));
      EXPECT_TRUE(written);
    }
    auto begun = co_await eventually([&] { return started; });
    EXPECT_TRUE(begun);
    ours->close();
    auto ended = co_await eventually([&] { return cancelled && server.connections() == 0; });
    EXPECT_TRUE(ended);
  });
}

TEST(Http2, TooLargeBodiesAndHeadersAreRefused) {
  run([](Executor e) -> Task<void> {
    auto options = http2();
    options.maxBodyBytes = 1000;
    options.maxHeaderBytes = 2000;
    HttpServer server(e, echo, options);
    auto bound = server.listen("127.0.0.1", 0);
    HttpClient client(e);
    auto large = co_await post(&client, bound->port, std::string(200'000, 'x'));
    EXPECT_TRUE(large && large->status == 413);
    Request request;
    request.headers.set("X-Long", std::string(5000, 'y'));
    auto longHead =
        co_await client.send(Origin{.host = "127.0.0.1", .port = bound->port, .http2 = true}, std::move(request));
    EXPECT_TRUE(longHead && longHead->status == 431);
    auto good = co_await post(&client, bound->port, "fine");  // the connection goes on
    EXPECT_TRUE(good && good->status == 200);
    EXPECT_EQ(server.connections(), 1u);
  });
}

// Sends the frames of a client's session and reads until the server closes or `stop` holds.
struct RawClient final : h2::Events {
  void onHead(const h2::StreamPtr&) override {}
  void onBody(const h2::StreamPtr&) override {}
  void onEnd(const h2::StreamPtr&) override {}
  void onClosed(const h2::StreamPtr& stream) override { closed.push_back(stream); }
  std::vector<h2::StreamPtr> closed;
  h2::Session session{h2::Side::Client, {}, *this};
};

TEST(Http2, ABodyThatStallsIsReset) {
  run([](Executor e) -> Task<void> {
    auto options = http2();
    options.stallTimeout = std::chrono::milliseconds(200);
    HttpServer server(e, echo, options);
    auto [ours, theirs] = makePipe(1 << 20);
    server.serve(std::move(theirs));
    RawClient raw;
    auto stream = raw.session.request(Request{.method = "POST"}, "a", false, true);  // its body never comes
    EXPECT_TRUE(stream);
    std::string out, buffer(65536, '\0');
    while (raw.closed.empty()) {
      out.clear();
      raw.session.output(&out, 1 << 20);
      auto written = co_await ours->write(out);
      auto n = co_await ours->read(buffer);
      if (!written || !n || *n == 0) break;
      auto fed = raw.session.feed(std::string_view(buffer).substr(0, *n));
      EXPECT_TRUE(fed);
    }
    EXPECT_EQ(raw.closed.size(), 1u);
    EXPECT_EQ(server.connections(), 1u);
  });
}

TEST(Http2, DrainLetsRunningRequestsEnd) {
  run([](Executor e) -> Task<void> {
    asio::steady_timer release(e, asio::steady_timer::time_point::max());
    bool started = false, drained = false;
    std::string answer;
    HttpServer server(
        e,
        [&](Request) -> Task<Response> {
          started = true;
          boost::system::error_code ec;
          co_await release.async_wait(asio::redirect_error(asio::use_awaitable, ec));
          co_return Response::text(200, "finished");
        },
        http2());
    auto bound = server.listen("127.0.0.1", 0);
    HttpClient client(e);
    asio::co_spawn(
        e,
        [&]() -> Task<void> {
          auto r = co_await post(&client, bound->port, "x");
          if (!r) co_return;
          auto body = co_await r->body.readAll(100);
          answer = body ? *body : "";
        },
        asio::detached);
    auto begun = co_await eventually([&] { return started; });
    EXPECT_TRUE(begun);
    asio::co_spawn(
        e,
        [&]() -> Task<void> {
          co_await server.drain(20s);
          drained = true;
        },
        asio::detached);
    asio::steady_timer twoTicks(e, 300ms);  // time in which an early close would show
    co_await twoTicks.async_wait(asio::use_awaitable);
    EXPECT_FALSE(drained);
    release.cancel();
    auto done = co_await eventually([&] { return drained && answer == "finished"; });
    EXPECT_TRUE(done) << answer;
  });
}

TEST(Http2, APeerWithoutHttp2IsNamed) {
  run([](Executor e) -> Task<void> {
    HttpServer server(e, echo, {});
    auto bound = server.listen("127.0.0.1", 0);
    HttpClient client(e);
    auto r = co_await post(&client, bound->port, "x");
    EXPECT_FALSE(r);
    EXPECT_EQ(r.error().code, Code::BadGateway);
    EXPECT_NE(r.error().message.find("does not speak HTTP/2"), std::string::npos) << r.error().message;
  });
}

TEST(Http2, TlsAgreesByAlpn) {
  run([](Executor e) -> Task<void> {
    auto ca = makeCertificateAuthority("test-ca", 24h);
    auto id = issueCertificate(*ca, {.commonName = "localhost", .dnsNames = {"localhost"}, .ipAddresses = {"127.0.0.1"}});
    auto options = http2();
    auto tls = TlsContext::server(*id, "", true);
    options.tls = *tls;
    HttpServer server(e, echo, options);
    auto bound = server.listen("127.0.0.1", 0);
    auto plain = http2();
    auto oldTls = TlsContext::server(*id, "");
    plain.tls = *oldTls;
    HttpServer old(e, echo, plain);
    auto oldBound = old.listen("127.0.0.1", 0);
    auto clientTls = TlsContext::client(ca->certificate, nullptr);
    HttpClient client(e, {.tls = *clientTls});
    Origin origin{.host = "localhost", .port = bound->port, .tls = true, .http2 = true};
    auto two = co_await client.send(origin, Request{});
    EXPECT_TRUE(two) << two.error().message;
    if (two) EXPECT_EQ(two->headers.getOr("x-version", ""), "HTTP/2");
    origin.http2 = false;
    auto one = co_await client.send(origin, Request{});
    EXPECT_TRUE(one && one->headers.getOr("x-version", "") == "HTTP/1.1");
    auto none =
        co_await client.send(Origin{.host = "localhost", .port = oldBound->port, .tls = true, .http2 = true}, Request{});
    EXPECT_FALSE(none);
    EXPECT_NE(none.error().message.find("ALPN"), std::string::npos) << none.error().message;
  });
}

TEST(Http2, AFloodOfResetsEndsTheConnection) {
  run([](Executor e) -> Task<void> {
    HttpServer server(e, echo, http2());
    auto [ours, theirs] = makePipe(1 << 20);
    server.serve(std::move(theirs));
    struct None final : h2::Events {
      void onHead(const h2::StreamPtr&) override {}
      void onBody(const h2::StreamPtr&) override {}
      void onEnd(const h2::StreamPtr&) override {}
      void onClosed(const h2::StreamPtr&) override {}
    } none;
    h2::Session session(h2::Side::Client, {}, none);
    bool ended = false;
    asio::co_spawn(
        e,
        [&, stream = ours.get()]() -> Task<void> {
          std::string buffer(65536, '\0');
          for (;;) {
            auto n = co_await stream->read(buffer);
            if (!n || *n == 0) break;
          }
          ended = true;
        },
        asio::detached);
    for (int i = 0; i < 20'000 && !ended; ++i) {
      auto stream = session.request(Request{.method = "POST"}, "a", false, true);
      if (!stream) break;
      std::string out;
      session.output(&out, 1 << 20);
      session.reset(*stream, h2::ErrorCode::Cancel);
      session.output(&out, 1 << 20);
      auto written = co_await ours->write(out);
      if (!written) break;
    }
    auto over = co_await eventually([&] { return ended && server.connections() == 0; });
    EXPECT_TRUE(over);
  });
}

TEST(Http2, AnInlineHandlerAnswersWithTrailers) {
  run([](Executor e) -> Task<void> {
    auto options = http2();
    options.inlineHandler = [](const Request& r, Response& out) {
      out.headers.set("content-type", "application/grpc");
      out.body.mutableBytes() = "<" + r.body.bytes() + ">";
      out.body.setTrailers(Headers{{"grpc-status", "0"}});
      return true;
    };
    HttpServer server(e, echo, options);
    auto bound = server.listen("127.0.0.1", 0);
    HttpClient client(e);
    for (int i = 0; i < 3; ++i) {
      auto r = co_await post(&client, bound->port, "a");
      EXPECT_TRUE(r);
      if (!r) co_return;
      auto body = co_await r->body.readAll(10);
      EXPECT_EQ(*body, "<a>");
      EXPECT_TRUE(r->body.trailers() && r->body.trailers()->getOr("grpc-status", "") == "0");
    }
  });
}

}  // namespace
}  // namespace slipway::net
