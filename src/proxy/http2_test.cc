// HTTP/2 and gRPC through the forwarder, between a real client and real backends in one process.
#include <gtest/gtest.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "net/grpc/message.h"
#include "net/server.h"
#include "net/testing/run.h"
#include "proxy/forwarder.h"

namespace slipway::proxy {
namespace {
namespace asio = boost::asio;
using net::Body;
using net::Headers;
using net::HttpClient;
using net::HttpServer;
using net::Origin;
using net::Request;
using net::Response;
using net::testing::eventually;
using net::testing::run;

// Gives each piece back as it comes; trailers at the end.
struct EchoBody final : net::BodyReader {
  explicit EchoBody(Body b) : body(std::move(b)) {}
  Task<Result<std::string>> read() override {
    auto chunk = co_await body.read();
    if (chunk && chunk->empty()) end.set("grpc-status", "0");
    co_return chunk;
  }
  const Headers* trailers() const override { return &end; }
  Body body;
  Headers end;
};

Task<Response> echo(Request r) {
  Response out;
  out.headers.set("content-type", r.headers.getOr("content-type", "text/plain"));
  out.headers.set("x-seen", r.version + " " + std::string(r.headers.getOr("host", "")) +
                                " te=" + std::string(r.headers.getOr("te", "none")));
  out.body = Body(std::make_unique<EchoBody>(std::move(r.body)));
  co_return out;
}

struct Front {
  Front(Executor e, std::vector<Origin> endpoints, std::string reason = "")
      : board(registry),
        forwarder(e, board),
        server(e, [this](Request r) { return forwarder.handle(std::move(r)); },
               {.bufferBodyBytes = 65536, .bufferChunked = false, .http2 = true}),
        client(e) {
    Route route{.name = "r", .hosts = {"m.localhost"}, .reason = std::move(reason)};
    if (!endpoints.empty()) route.backends = {{.endpoints = std::move(endpoints)}};
    board.publish(RouteTable::make({std::move(route)}));
    port = server.listen("127.0.0.1", 0)->port;
  }
  Task<Result<Response>> send(std::string type, Body body, bool http2, std::string host = "m.localhost") {
    Request request{.method = "POST", .target = "/s.S/M"};
    request.headers.add("Host", host);
    request.headers.add("content-type", type);
    request.headers.add("te", "trailers");
    request.body = std::move(body);
    auto r = co_await client.send(Origin{.host = "127.0.0.1", .port = port, .http2 = http2}, std::move(request));
    co_return r;
  }
  MetricRegistry registry;
  RouteBoard board;
  Forwarder forwarder;
  HttpServer server;
  HttpClient client;
  std::uint16_t port = 0;
};

struct Backend {
  explicit Backend(Executor e, net::Handler handler = echo)
      : server(e, std::move(handler), {.bufferChunked = false, .http2 = true}) {
    origin = Origin{"127.0.0.1", server.listen("127.0.0.1", 0)->port};
  }
  HttpServer server;
  Origin origin;
};

TEST(ForwarderHttp2, GrpcGoesOnAsHttp2WithItsTrailers) {
  run([](Executor e) -> Task<void> {
    Backend backend(e);
    Front front(e, {backend.origin});
    auto r = co_await front.send("application/grpc", Body(std::string("message")), true);
    EXPECT_TRUE(r && r->status == 200);
    if (!r) co_return;
    EXPECT_EQ(r->headers.getOr("x-seen", ""), "HTTP/2 m.localhost te=trailers");
    auto body = co_await r->body.readAll(100);
    EXPECT_EQ(*body, "message");
    EXPECT_TRUE(r->body.trailers() && r->body.trailers()->getOr("grpc-status", "") == "0");
  });
}

TEST(ForwarderHttp2, OtherRequestsKeepTheBackendsProtocol) {
  run([](Executor e) -> Task<void> {
    Backend backend(e);
    Origin h2c = backend.origin;
    h2c.http2 = true;
    Front plain(e, {backend.origin}), two(e, {h2c});
    for (const bool http2 : {false, true}) {  // of the client
      auto one = co_await plain.send("application/json", Body(std::string("x")), http2);
      EXPECT_TRUE(one && one->headers.getOr("x-seen", "").starts_with("HTTP/1.1 m.localhost"));
      auto other = co_await two.send("application/json", Body(std::string("x")), http2);
      EXPECT_TRUE(other && other->headers.getOr("x-seen", "").starts_with("HTTP/2 m.localhost"));
    }
  });
}

TEST(ForwarderHttp2, BothWaysStreamAtOnce) {
  run([](Executor e) -> Task<void> {
    struct Fed final : net::BodyReader {
      explicit Fed(Executor e) : changed(e, asio::steady_timer::time_point::max()) {}
      Task<Result<std::string>> read() override {
        while (!chunk) {
          boost::system::error_code ec;
          co_await changed.async_wait(asio::redirect_error(asio::use_awaitable, ec));
        }
        co_return *std::exchange(chunk, std::nullopt);
      }
      void push(std::string text) {
        chunk = std::move(text);
        changed.cancel();
      }
      asio::steady_timer changed;
      std::optional<std::string> chunk;
    };
    Backend backend(e);
    Front front(e, {backend.origin});
    auto fed = std::make_unique<Fed>(e);
    Fed* in = fed.get();
    auto r = co_await front.send("application/grpc", Body(std::move(fed)), true);
    EXPECT_TRUE(r);
    if (!r) co_return;
    for (const char* text : {"one", "two"}) {
      in->push(text);
      auto chunk = co_await r->body.read();
      EXPECT_TRUE(chunk && *chunk == text);
    }
    in->push("");
    auto end = co_await r->body.read();
    EXPECT_TRUE(end && end->empty());
    EXPECT_TRUE(r->body.trailers() && r->body.trailers()->getOr("grpc-status", "") == "0");
  });
}

TEST(ForwarderHttp2, RefusalsOfGrpcCallsAreItsStatuses) {
  run([](Executor e) -> Task<void> {
    Front front(e, {}, "it sleeps");
    auto none = co_await front.send("application/grpc", Body(std::string("x")), true, "other.localhost");
    EXPECT_TRUE(none && none->status == 200 && none->headers.getOr("grpc-status", "") == "5");
    EXPECT_NE(none->headers.getOr("grpc-message", "").find("no route for host 'other.localhost'"), std::string::npos);
    auto down = co_await front.send("application/grpc", Body(std::string("x")), true);
    EXPECT_TRUE(down && down->headers.getOr("grpc-status", "") == "14");
    EXPECT_NE(down->headers.getOr("grpc-message", "").find("it sleeps"), std::string::npos);
    EXPECT_NE(front.registry.render().find("code=\"5xx\""), std::string::npos);
    auto json = co_await front.send("application/json", Body(std::string("x")), true);
    EXPECT_TRUE(json && json->status == 503);
    // A backend that speaks HTTP/1.1 alone.
    HttpServer old(e, echo);
    Front wrong(e, {Origin{"127.0.0.1", old.listen("127.0.0.1", 0)->port}});
    auto r = co_await wrong.send("application/grpc", Body(std::string("x")), true);
    EXPECT_TRUE(r && r->headers.getOr("grpc-status", "") == "14");
    EXPECT_NE(r->headers.getOr("grpc-message", "").find("does not speak HTTP/2"), std::string::npos);
  });
}

TEST(ForwarderHttp2, TheClientsCancelReachesTheBackend) {
  run([](Executor e) -> Task<void> {
    bool started = false, cancelled = false;
    Backend backend(e, [&](Request) -> Task<Response> {
      struct OnExit {
        bool* flag;
        ~OnExit() { *flag = true; }
      } guard{&cancelled};
      started = true;
      asio::steady_timer forever(co_await asio::this_coro::executor, std::chrono::hours(1));
      co_await forever.async_wait(asio::use_awaitable);
      co_return Response{};
    });
    Front front(e, {backend.origin});
    HttpClient hasty(e, {.headTimeout = std::chrono::milliseconds(150)});
    Request request{.method = "POST", .target = "/s.S/M"};
    request.headers.add("Host", "m.localhost");
    request.headers.add("content-type", "application/grpc");
    auto r = co_await hasty.send(Origin{.host = "127.0.0.1", .port = front.port, .http2 = true}, std::move(request));
    EXPECT_FALSE(r);
    auto ended = co_await eventually([&] { return started && cancelled; });
    EXPECT_TRUE(ended);
  });
}

TEST(Routes, AnEndpointMaySayThatItSpeaksHttp2) {
  EXPECT_TRUE(parseEndpoint("h2c://127.0.0.1:9000")->http2);
  EXPECT_EQ(parseEndpoint("h2c://127.0.0.1:9000")->port, 9000);
  EXPECT_FALSE(parseEndpoint("127.0.0.1:9000")->http2);
}

}  // namespace
}  // namespace slipway::proxy
