// The server alone, over pipes and sockets, as raw bytes.
#include "net/server.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "net/dial.h"
#include "net/testing/run.h"

namespace slipway::net {
namespace {
using namespace std::chrono_literals;
namespace asio = boost::asio;
using testing::eventually;
using testing::run;

Task<Response> echo(Request r) {
  auto body = co_await r.body.readAll(10 << 20);
  if (!body) co_return Response::error(body.error());
  co_return Response::text(200, r.method + " " + r.target + " " + *body);
}

// Everything the server sends until it closes.
Task<std::string> readToEnd(ByteStream* stream) {
  std::string all;
  char buffer[4096];
  for (;;) {
    auto n = co_await stream->read(buffer);
    if (!n || *n == 0) co_return all;
    all.append(buffer, *n);
  }
}
Task<std::string> readUntil(ByteStream* stream, std::string end) {
  std::string all;
  char buffer[4096];
  while (all.find(end) == std::string::npos) {
    auto n = co_await stream->read(buffer);
    if (!n || *n == 0) co_return all;
    all.append(buffer, *n);
  }
  co_return all;
}

// Sends `bytes` on a new connection and returns all that comes back until the server closes.
Task<std::string> talk(HttpServer* server, std::string bytes) {
  auto [ours, theirs] = makePipe(1 << 20);
  server->serve(std::move(theirs));
  auto written = co_await ours->write(bytes);
  EXPECT_TRUE(written);
  auto answer = co_await readToEnd(ours.get());
  co_return answer;
}

TEST(HttpServer, AnswersPipelinedRequestsInOrder) {
  run([](Executor e) -> Task<void> {
    HttpServer server(e, echo);
    auto answer = co_await talk(&server,
                                "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
                                "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nxyz"
                                "GET /c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    const auto a = answer.find("GET /a "), b = answer.find("POST /b xyz"), c = answer.find("GET /c ");
    EXPECT_LT(a, b);
    EXPECT_LT(b, c);
    EXPECT_NE(c, std::string::npos);
  });
}

TEST(HttpServer, ReadsChunkedBodies) {
  run([](Executor e) -> Task<void> {
    HttpServer server(e, echo);
    auto answer = co_await talk(&server,
                                "POST /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
                                "5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\nTrailer: dropped\r\n\r\n");
    EXPECT_NE(answer.find("POST /b hello world"), std::string::npos) << answer;
  });
}

TEST(HttpServer, RefusesMalformedRequestsWithOneLine) {
  run([](Executor e) -> Task<void> {
    HttpServer server(e, echo, {.maxHeaderBytes = 8192, .maxBodyBytes = 100});
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"hello\r\n\r\n", "400"},
        {"GET / HTTP/1.1\r\n\r\n", "400"},
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
        {"GET / HTTP/3.0\r\nHost: a\r\n\r\n", "400"},
        {"GET / HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n", "400"},
        {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", "400"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "400"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "400"},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", "501"},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n", "413"},
        {"GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(70000, 'x') + "\r\n\r\n", "431"},
    };
    for (const auto& [bytes, status] : cases) {
      auto [ours, theirs] = makePipe(1 << 20);
      server.serve(std::move(theirs));
      auto written = co_await ours->write(bytes);
      ours->shutdownWrite();
      auto answer = co_await readToEnd(ours.get());
      EXPECT_EQ(answer.substr(0, 13), "HTTP/1.1 " + status + " ") << bytes.substr(0, 80);
      const auto body = answer.substr(std::min(answer.size(), answer.find("\r\n\r\n") + 4));
      EXPECT_EQ(std::count(body.begin(), body.end(), '\n'), 1) << body;
    }
  });
}

TEST(HttpServer, ContinueIsSentBeforeABodyIsRead) {
  run([](Executor e) -> Task<void> {
    HttpServer server(e, echo);
    auto [ours, theirs] = makePipe();
    server.serve(std::move(theirs));
    auto w1 = co_await ours->write(
        "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n");
    auto interim = co_await readUntil(ours.get(), "\r\n\r\n");
    EXPECT_EQ(interim, "HTTP/1.1 100 Continue\r\n\r\n");
    auto w2 = co_await ours->write("ok");
    auto answer = co_await readToEnd(ours.get());
    EXPECT_NE(answer.find("POST / ok"), std::string::npos);
    EXPECT_TRUE(w1 && w2);
  });
}

TEST(HttpServer, AGatheredAnswerDoesNotWaitForTheNextRequestsBody) {
  run([](Executor e) -> Task<void> {
    ServerOptions options;
    options.inlineHandler = [](const Request& r, Response& out) {
      if (r.target != "/now") return false;
      out = Response::text(200, "at once");
      return true;
    };
    HttpServer server(e, echo, std::move(options));
    auto [ours, theirs] = makePipe();
    server.serve(std::move(theirs));
    auto w1 = co_await ours->write(
        "GET /now HTTP/1.1\r\nHost: x\r\n\r\nPOST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n");
    auto first = co_await readUntil(ours.get(), "at once");
    EXPECT_NE(first.find("at once"), std::string::npos);
    auto w2 = co_await ours->write("ok");
    auto second = co_await readToEnd(ours.get());
    EXPECT_NE(second.find("POST /b ok"), std::string::npos);
    EXPECT_TRUE(w1 && w2);
  });
}

// Closing with unread bytes would send a reset, which can destroy the answer before the client has read it.
TEST(HttpServer, AnEarlyAnswerSurvivesAnUploadThatSomebodyStillReads) {
  run([](Executor e) -> Task<void> {
    auto kept = std::make_shared<Body>();  // outlives the request, as the upload of a proxy does
    HttpServer server(e,
                      [kept](Request r) -> Task<Response> {
                        *kept = std::move(r.body);
                        asio::co_spawn(
                            co_await asio::this_coro::executor,
                            [kept]() -> Task<void> {
                              for (;;) {
                                auto chunk = co_await kept->read();
                                if (!chunk || chunk->empty()) break;
                              }
                              *kept = Body();  // it holds the connection, whose server holds the handler, which holds it
                            },
                            asio::detached);
                        co_return Response::text(403, "not you");
                      },
                      {.bufferBodyBytes = 0, .bufferChunked = false});
    const auto bound = server.listen("127.0.0.1", 0);
    auto client = co_await dial(Origin{"127.0.0.1", bound->port}, nullptr, 5000ms);
    auto head = co_await (*client)->write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n");
    auto answer = co_await readUntil(client->get(), "not you");
    EXPECT_NE(answer.find("403"), std::string::npos);
    for (int i = 0; i < 40; ++i) {  // the rest is read and dropped, not reset
      auto more = co_await (*client)->write(std::string(100000, 'x'));
      EXPECT_TRUE(more) << i;
      if (!more) break;
    }
    (*client)->shutdownWrite();
    auto end = co_await readToEnd(client->get());
    EXPECT_EQ(end, "");
    EXPECT_TRUE(head);
  });
}

TEST(HttpServer, AnUpgradeBeforeTheEndOfTheUploadIsRefused) {
  run([](Executor e) -> Task<void> {
    bool upgraded = false;
    HttpServer server(e,
                      [&](Request) -> Task<Response> {
                        Response response;
                        response.status = 101;
                        response.upgrade = [&](std::unique_ptr<ByteStream>) -> Task<void> {
                          upgraded = true;
                          co_return;
                        };
                        co_return response;
                      },
                      {.bufferBodyBytes = 0});
    auto answer = co_await talk(
        &server, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nabc");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 502")) << answer;
    EXPECT_FALSE(upgraded);
  });
}

TEST(HttpServer, AChunkedBodyOverTheLimitIsA413HoweverItComes) {
  run([](Executor e) -> Task<void> {
    HttpServer gathers(e, echo, {.maxBodyBytes = 40});
    HttpServer streams(e, echo, {.maxBodyBytes = 40, .bufferBodyBytes = 0, .bufferChunked = false});
    const std::string head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    const std::string small = "36\r\n" + std::string(0x36, 'a') + "\r\n0\r\n\r\n";
    const std::string large =
        "9c40\r\n" + std::string(40000, 'a') + "\r\n9c40\r\n" + std::string(40000, 'a') + "\r\n0\r\n\r\n";
    for (HttpServer* server : {&gathers, &streams}) {
      for (const auto& body : {small, large}) {
        auto answer = co_await talk(server, head + body);
        EXPECT_TRUE(answer.starts_with("HTTP/1.1 413")) << answer.substr(0, 60);
        EXPECT_NE(answer.find("limit of 40 bytes"), std::string::npos);
      }
    }
  });
}

TEST(HttpServer, HeadHasTheLengthButNoBody) {
  run([](Executor e) -> Task<void> {
    HttpServer server(e, [](Request) -> Task<Response> { co_return Response::text(200, "12345"); });
    auto answer = co_await talk(&server, "HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_NE(answer.find("Content-Length: 5\r\n"), std::string::npos);
    EXPECT_TRUE(answer.ends_with("\r\n\r\n")) << answer;
  });
}

TEST(HttpServer, OldClientsGetUnchunkedStreams) {
  run([](Executor e) -> Task<void> {
    struct Two final : BodyReader {
      int left = 2;
      Task<Result<std::string>> read() override { co_return left-- > 0 ? std::string("part") : std::string(); }
    };
    HttpServer server(e, [](Request) -> Task<Response> {
      Response r;
      r.body = Body(std::make_unique<Two>());
      co_return r;
    });
    auto old = co_await talk(&server, "GET / HTTP/1.0\r\n\r\n");
    EXPECT_TRUE(old.ends_with("\r\n\r\npartpart")) << old;
    auto now = co_await talk(&server, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_TRUE(now.ends_with("\r\n\r\n4\r\npart\r\n4\r\npart\r\n0\r\n\r\n")) << now;
  });
}

TEST(HttpServer, InlineHandlerAnswersOrPassesOn) {
  run([](Executor e) -> Task<void> {
    ServerOptions options;
    options.inlineHandler = [](const Request& r, Response& out) {
      if (r.target != "/fast") return false;
      out.headers.add("Content-Type", "text/plain");
      out.body.mutableBytes() = "inline " + r.body.bytes();
      return true;
    };
    HttpServer server(e, echo, options);
    auto answer = co_await talk(&server,
                                "POST /fast HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1"
                                "POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n2"
                                "POST /fast HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nConnection: close\r\n\r\n3");
    EXPECT_LT(answer.find("inline 1"), answer.find("POST /slow 2"));
    EXPECT_TRUE(answer.ends_with("inline 3")) << answer;
  });
}

TEST(HttpServer, HandlerIsCancelledWhenTheClientLeaves) {
  run([](Executor e) -> Task<void> {
    bool started = false, cancelled = false;
    HttpServer server(e, [&](Request) -> Task<Response> {
      struct OnExit {
        bool* flag;
        ~OnExit() { *flag = true; }
      } guard{&cancelled};
      started = true;
      asio::steady_timer forever(co_await asio::this_coro::executor, 1h);
      co_await forever.async_wait(asio::use_awaitable);
      co_return Response{};
    });
    auto bound = server.listen("127.0.0.1", 0);
    auto stream = co_await dial(Origin{"127.0.0.1", bound->port}, nullptr, 5s);
    auto written = co_await (*stream)->write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(written);
    auto began = co_await eventually([&] { return started; });
    EXPECT_TRUE(began);
    EXPECT_FALSE(cancelled);
    (*stream)->close();
    auto ended = co_await eventually([&] { return cancelled && server.connections() == 0; }, 2s);
    EXPECT_TRUE(ended);
  });
}

TEST(HttpServer, SlowHeadsTimeOut) {
  run([](Executor e) -> Task<void> {
    HttpServer server(e, echo, {.headTimeout = 100ms, .idleTimeout = 100ms});
    auto slow = co_await talk(&server, "GET / HTTP/1.1\r\nHos");
    EXPECT_TRUE(slow.empty() || slow.starts_with("HTTP/1.1 408 "));
    auto idle = co_await talk(&server, "");
    EXPECT_EQ(idle, "");
  });
}

TEST(HttpServer, DrainLetsRunningRequestsEnd) {
  run([](Executor e) -> Task<void> {
    asio::steady_timer release(e, asio::steady_timer::time_point::max());
    bool started = false;
    HttpServer server(e, [&](Request) -> Task<Response> {
      started = true;
      boost::system::error_code ec;
      co_await release.async_wait(asio::redirect_error(asio::use_awaitable, ec));
      co_return Response::text(200, "finished");
    });
    auto bound = server.listen("127.0.0.1", 0);
    auto busy = co_await dial(Origin{"127.0.0.1", bound->port}, nullptr, 5s);
    auto idle = co_await dial(Origin{"127.0.0.1", bound->port}, nullptr, 5s);
    auto w = co_await (*busy)->write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(w);
    auto ready = co_await eventually([&] { return started && server.connections() == 2; });
    EXPECT_TRUE(ready);
    bool drained = false;
    asio::co_spawn(
        e,
        [&]() -> Task<void> {
          co_await server.drain(5s);
          drained = true;
        },
        asio::detached);
    auto closed = co_await readToEnd(idle->get());
    EXPECT_EQ(closed, "");
    EXPECT_FALSE(drained);
    release.cancel();
    auto answer = co_await readToEnd(busy->get());
    EXPECT_NE(answer.find("Connection: close"), std::string::npos);
    EXPECT_TRUE(answer.ends_with("finished"));
    auto ok = co_await eventually([&] { return drained; });
    EXPECT_TRUE(ok);
  });
}

TEST(HttpServer, DrainCancelsWhatOutlastsTheGrace) {
  run([](Executor e) -> Task<void> {
    HttpServer server(e, [](Request) -> Task<Response> {
      asio::steady_timer forever(co_await asio::this_coro::executor, 1h);
      co_await forever.async_wait(asio::use_awaitable);
      co_return Response{};
    });
    auto [ours, theirs] = makePipe();
    server.serve(std::move(theirs));
    auto w = co_await ours->write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(w);
    co_await server.drain(20ms);
    EXPECT_EQ(server.connections(), 0u);
  });
}

TEST(HttpServer, APortInUseIsNamed) {
  run([](Executor e) -> Task<void> {
    HttpServer first(e, echo), second(e, echo);
    auto bound = first.listen("127.0.0.1", 0);
    auto again = second.listen("127.0.0.1", bound->port);
    EXPECT_EQ(again.error().code, Code::AlreadyExists);
    EXPECT_NE(again.error().message.find(std::to_string(bound->port)), std::string::npos);
    EXPECT_EQ(second.listen("nonsense", 0).error().code, Code::Invalid);
    co_return;
  });
}

TEST(HttpServer, AnExceptionIsA500AndTheConnectionGoesOn) {
  run([](Executor e) -> Task<void> {
    HttpServer server(e, [](Request r) -> Task<Response> {
      if (r.target == "/bad") throw std::runtime_error("secret detail");
      co_return Response::text(200, "fine");
    });
    auto answer =
        co_await talk(&server, "GET /bad HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 500 "));
    EXPECT_EQ(answer.find("secret"), std::string::npos);
    EXPECT_TRUE(answer.ends_with("fine"));
  });
}

TEST(HttpServer, HeaderValuesCannotStartANewLine) {
  run([](Executor e) -> Task<void> {
    HttpServer server(e, [](Request) -> Task<Response> {
      auto r = Response::text(200, "");
      r.headers.add("X-Echo", "a\r\nSet-Cookie: b");
      co_return r;
    });
    auto answer = co_await talk(&server, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_EQ(answer.find("\r\nSet-Cookie"), std::string::npos);
  });
}

}  // namespace
}  // namespace slipway::net
