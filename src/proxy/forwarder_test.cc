// The forwarder between a real client and real backends in one process.
#include "proxy/forwarder.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <filesystem>
#include <fstream>

#include "net/dial.h"
#include "net/server.h"
#include "net/testing/run.h"
#include "proxy/gateway.h"

namespace slipway::proxy {
namespace {
using namespace std::chrono_literals;
namespace asio = boost::asio;
using net::Body;
using net::HttpClient;
using net::HttpServer;
using net::Origin;
using net::Request;
using net::Response;
using net::testing::eventually;
using net::testing::run;

// A backend that says who it is and what it got.
struct Imposter {
  Imposter(Executor e, std::string name, net::ServerOptions options = {})
      : server(e, [this, name](Request r) -> Task<Response> { return answer(std::move(r), name); }, std::move(options)) {
    origin = Origin{"127.0.0.1", server.listen("127.0.0.1", 0)->port};
  }
  Task<Response> answer(Request r, std::string name) {
    ++calls;
    std::string seen;
    for (const auto& [field, value] : r.headers) seen += std::string(field) + "=" + std::string(value) + ";";
    auto body = co_await r.body.readAll(64 << 20);
    auto response =
        Response::text(200, name + " " + r.method + " " + r.target + " " + std::to_string(body ? body->size() : 0));
    response.headers.add("X-Seen", seen);
    co_return response;
  }
  int calls = 0;
  HttpServer server;
  Origin origin;
};

// A gateway on one executor, with a client that talks to it.
struct Front {
  explicit Front(Executor e, ForwarderOptions options = {})
      : board(registry),
        forwarder(e, board, std::move(options)),
        server(e, [this](Request r) { return forwarder.handle(std::move(r)); },
               {.bufferBodyBytes = 65536, .bufferChunked = false}),
        client(e) {
    port = server.listen("127.0.0.1", 0)->port;
  }
  Task<Result<Response>> get(std::string host, std::string target, std::string method = "GET", Body body = {}) {
    Request request{.method = method, .target = target, .body = std::move(body)};
    request.headers.add("Host", host);
    return client.send(Origin{"127.0.0.1", port}, std::move(request));
  }
  MetricRegistry registry;
  RouteBoard board;
  Forwarder forwarder;
  HttpServer server;
  HttpClient client;
  std::uint16_t port = 0;
};

Response slowAnswer() { return Response::text(200, "late"); }

TEST(Forwarder, ForwardsWithTheHeadersOfAProxy) {
  run([](Executor e) -> Task<void> {
    Imposter backend(e, "b");
    Front front(e);
    front.board.publish(RouteTable::make({{.name = "r",
                                           .hosts = {"iris.models.localhost"},
                                           .prefixes = {"/serving/models/iris"},
                                           .backends = {{.endpoints = {backend.origin}}}}}));
    auto r = co_await front.get("iris.models.localhost:8080", "/v1/models/iris:predict?x=1", "POST", Body("12345"));
    EXPECT_EQ(r->status, 200);
    EXPECT_EQ(r->body.bytes(), "b POST /v1/models/iris:predict?x=1 5");
    const auto seen = r->headers.getOr("x-seen", "");
    EXPECT_NE(seen.find("Host=iris.models.localhost:8080;"), std::string::npos);
    EXPECT_NE(seen.find("X-Forwarded-For=127.0.0.1;"), std::string::npos);
    EXPECT_NE(seen.find("X-Request-Id=" + std::string(r->headers.getOr("x-request-id", "?"))), std::string::npos);
    auto byPath = co_await front.get("127.0.0.1", "/serving/models/iris/v2/health/ready");
    EXPECT_EQ(byPath->body.bytes(), "b GET /v2/health/ready 0");
    auto bare = co_await front.get("127.0.0.1", "/serving/models/iris?q=1");
    EXPECT_EQ(bare->body.bytes(), "b GET /?q=1 0");
  });
}

TEST(Forwarder, SaysWhyThereIsNoAnswer) {
  run([](Executor e) -> Task<void> {
    Front front(e);
    auto empty = co_await front.get("x.localhost", "/");
    EXPECT_EQ(empty->status, 404);
    EXPECT_NE(empty->body.bytes().find("no model is deployed"), std::string::npos);
    front.board.publish(
        RouteTable::make({{.name = "models/iris", .hosts = {"iris.models.localhost"}, .reason = "the container is starting"},
                          {.name = "dead", .hosts = {"dead"}, .backends = {{.endpoints = {{"127.0.0.1", 1}}}}}}));
    auto unknown = co_await front.get("x.localhost", "/a");
    EXPECT_EQ(unknown->status, 404);
    EXPECT_EQ(
        unknown->body.bytes(),
        "{\"error\":\"no route for host 'x.localhost' and path '/a'; hosts with a route: iris.models.localhost, dead\"}\n");
    auto starting = co_await front.get("iris.models.localhost", "/");
    EXPECT_EQ(starting->status, 503);
    EXPECT_EQ(starting->body.bytes(), "{\"error\":\"'models/iris' is not ready: the container is starting\"}\n");
    EXPECT_TRUE(starting->headers.has("x-request-id"));
    auto dead = co_await front.get("dead", "/");
    EXPECT_EQ(dead->status, 503);
    EXPECT_NE(dead->body.bytes().find("cannot connect to 127.0.0.1:1"), std::string::npos);
  });
}

TEST(Forwarder, AFailedConnectTriesAnotherEndpoint) {
  run([](Executor e) -> Task<void> {
    Imposter alive(e, "alive");
    Front front(e);
    front.board.publish(
        RouteTable::make({{.name = "r", .hosts = {"r"}, .backends = {{.endpoints = {{"127.0.0.1", 1}, alive.origin}}}}}));
    for (int i = 0; i < 10; ++i) {
      auto r = co_await front.get("r", "/", "POST", Body("x"));
      EXPECT_EQ(r->status, 200);
    }
    EXPECT_EQ(alive.calls, 10);
  });
}

TEST(Forwarder, ABackendThatDiesMidwayIsA502) {
  run([](Executor e) -> Task<void> {
    Front front(e);
    // A raw listener that closes after reading the request.
    asio::ip::tcp::acceptor acceptor(e, {asio::ip::make_address("127.0.0.1"), 0});
    asio::co_spawn(
        e,
        [&acceptor]() -> Task<void> {
          auto socket = co_await acceptor.async_accept(asio::use_awaitable);
          char buffer[1024];
          co_await socket.async_read_some(asio::buffer(buffer), asio::use_awaitable);
        },
        asio::detached);
    front.board.publish(RouteTable::make(
        {{.name = "r", .hosts = {"r"}, .backends = {{.endpoints = {{"127.0.0.1", acceptor.local_endpoint().port()}}}}}}));
    auto r = co_await front.get("r", "/");
    EXPECT_EQ(r->status, 502);
  });
}

TEST(Forwarder, TheRoutesTimeoutIsA504) {
  run([](Executor e) -> Task<void> {
    HttpServer slow(e, [](Request) -> Task<Response> {
      asio::steady_timer forever(co_await asio::this_coro::executor, 1h);
      co_await forever.async_wait(asio::use_awaitable);
      co_return slowAnswer();
    });
    auto bound = slow.listen("127.0.0.1", 0);
    Front front(e);
    front.board.publish(RouteTable::make(
        {{.name = "r", .hosts = {"r"}, .backends = {{.endpoints = {{"127.0.0.1", bound->port}}}}, .timeout = 100ms}}));
    auto r = co_await front.get("r", "/");
    EXPECT_EQ(r->status, 504);
  });
}

struct Pieces final : net::BodyReader {
  explicit Pieces(std::size_t n) : left(n) {}
  std::size_t left;
  Task<Result<std::string>> read() override { co_return left-- > 0 ? std::string(65536, 'x') : std::string(); }
};

TEST(Forwarder, StreamsBothWaysWithoutWaitingForTheEnd) {
  run([](Executor e) -> Task<void> {
    HttpServer echo(e,
                    [](Request r) -> Task<Response> {
                      Response response;
                      response.body = std::move(r.body);
                      co_return response;
                    },
                    {.bufferBodyBytes = 0});
    auto bound = echo.listen("127.0.0.1", 0);
    Front front(e);
    front.board.publish(
        RouteTable::make({{.name = "r", .hosts = {"r"}, .backends = {{.endpoints = {{"127.0.0.1", bound->port}}}}}}));
    auto r = co_await front.get("r", "/", "POST", Body(std::make_unique<Pieces>(256)));
    std::size_t total = 0;
    for (;;) {
      auto chunk = co_await r->body.read();
      EXPECT_TRUE(chunk);
      if (!chunk || chunk->empty()) break;
      total += chunk->size();
    }
    EXPECT_EQ(total, 256u * 65536u);
  });
}

TEST(Forwarder, AnEndpointGetsNoMoreThanItsConcurrency) {
  run([](Executor e) -> Task<void> {
    int running = 0, most = 0, done = 0;
    std::map<int, int> statuses;
    std::vector<std::string> order;
    HttpServer backend(e, [&](Request r) -> Task<Response> {
      order.push_back(r.target);
      most = std::max(most, ++running);
      auto refused = co_await eventually([&] { return statuses[503] == 2; });  // so all ten have come
      EXPECT_TRUE(refused);
      --running;
      co_return slowAnswer();
    });
    auto bound = backend.listen("127.0.0.1", 0);
    Front front(e);
    front.board.publish(RouteTable::make({{.name = "r",
                                           .hosts = {"r"},
                                           .backends = {{.endpoints = {{"127.0.0.1", bound->port}}}},
                                           .concurrency = 1,
                                           .queue = 7}}));
    for (int i = 0; i < 10; ++i) {
      asio::co_spawn(
          e,
          [&, i]() -> Task<void> {
            auto r = co_await front.get("r", "/" + std::to_string(i));
            ++statuses[r->status];
            ++done;
          },
          asio::detached);
    }
    auto all = co_await eventually([&] { return done == 10; });
    EXPECT_TRUE(all);
    EXPECT_EQ(most, 1);
    EXPECT_EQ(statuses[200], 8);
    EXPECT_EQ(statuses[503], 2);
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end())) << "first come, first served";
    EXPECT_NE(front.registry.render().find("slipway_gateway_requests_total{route=\"r\",code=\"5xx\"} 2"), std::string::npos);
  });
}

TEST(Forwarder, AWaitingRequestGetsANewEndpointAtOnce) {
  run([](Executor e) -> Task<void> {
    asio::steady_timer release(e, asio::steady_timer::time_point::max());
    HttpServer stuck(e, [&](Request) -> Task<Response> {
      boost::system::error_code ec;
      co_await release.async_wait(asio::redirect_error(asio::use_awaitable, ec));
      co_return slowAnswer();
    });
    auto bound = stuck.listen("127.0.0.1", 0);
    Imposter fresh(e, "fresh");
    Front front(e);
    Route route{.name = "r", .hosts = {"r"}, .backends = {{.endpoints = {{"127.0.0.1", bound->port}}}}, .concurrency = 1};
    front.board.publish(RouteTable::make({route}));
    int done = 0;
    std::string second;
    asio::co_spawn(
        e,
        [&]() -> Task<void> {
          auto r = co_await front.get("r", "/1");
          ++done;
        },
        asio::detached);
    auto held = co_await eventually([&] { return stuck.connections() == 1; });
    EXPECT_TRUE(held);
    asio::co_spawn(
        e,
        [&]() -> Task<void> {
          auto r = co_await front.get("r", "/2");
          second = r->body.bytes();
          ++done;
        },
        asio::detached);
    auto waiting = co_await eventually(
        [&] { return front.registry.render().find("slipway_gateway_queued{route=\"r\"} 1") != std::string::npos; });
    EXPECT_TRUE(waiting);
    route.backends[0].endpoints.push_back(fresh.origin);
    front.board.publish(RouteTable::make({route}));
    auto got = co_await eventually([&] { return done == 1; });
    EXPECT_TRUE(got);
    EXPECT_EQ(second, "fresh GET /2 0");
    release.cancel();
    auto all = co_await eventually([&] { return done == 2; });
    EXPECT_TRUE(all);
  });
}

TEST(SlotQueue, ThoseWokenForNothingKeepTheirPlaces) {
  asio::io_context io;
  SlotQueue queue;
  std::vector<std::shared_ptr<SlotQueue::Waiter>> all;
  for (int i = 0; i < 4; ++i) {
    all.push_back(std::make_shared<SlotQueue::Waiter>(io.get_executor()));
    EXPECT_TRUE(queue.push(all.back(), 4, false));
  }
  queue.wakeAll();  // a new table, with no slot for anybody
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(queue.push(all[static_cast<std::size_t>(i)], 4, true));
  EXPECT_FALSE(queue.push(std::make_shared<SlotQueue::Waiter>(io.get_executor()), 4, false)) << "four wait";
  for (int i = 0; i < 4; ++i) {
    queue.wakeOne();
    io.restart();
    io.poll();
    EXPECT_TRUE(all[static_cast<std::size_t>(i)]->woken) << i;
    for (int j = i + 1; j < 4; ++j) all[static_cast<std::size_t>(j)]->woken = false;
  }
}

TEST(RouteBoard, AnEndpointThatLeavesAndReturnsKeepsItsRequestsInFlight) {
  MetricRegistry registry;
  RouteBoard board(registry);
  const Origin origin{"127.0.0.1", 9000};
  const Route with{.name = "r", .hosts = {"r"}, .backends = {{.endpoints = {origin}}}};
  board.publish(RouteTable::make({with}));
  const auto inUse = board.current()->routes[0].backends[0].endpoints[0];  // as a request in flight holds it
  inUse->inFlight = 1;
  board.publish(RouteTable::make({{.name = "r", .hosts = {"r"}}}));
  EXPECT_TRUE(board.current()->routes[0].backends.empty());
  board.publish(RouteTable::make({with}));
  EXPECT_EQ(board.current()->routes[0].backends[0].endpoints[0], inUse);
}

TEST(Forwarder, WeightsSplitTheTraffic) {
  run([](Executor e) -> Task<void> {
    Imposter stable(e, "stable"), canary(e, "canary");
    Front front(e);
    front.board.publish(RouteTable::make({{.name = "r",
                                           .hosts = {"r"},
                                           .backends = {{.name = "s", .endpoints = {stable.origin}, .weight = 90},
                                                        {.name = "c", .endpoints = {canary.origin}, .weight = 10}}}}));
    for (int i = 0; i < 1000; ++i) {
      auto r = co_await front.get("r", "/");
      EXPECT_EQ(r->status, 200);
    }
    EXPECT_NEAR(canary.calls, 100, 45);
  });
}

TEST(Forwarder, UpgradedConnectionsPassThrough) {
  run([](Executor e) -> Task<void> {
    HttpServer backend(e, [](Request r) -> Task<Response> {
      Response response;
      response.status = r.headers.getOr("upgrade", "") == "echo" ? 101 : 400;
      response.headers.add("Connection", "Upgrade");
      response.headers.add("Upgrade", "echo");
      response.upgrade = [](std::unique_ptr<net::ByteStream> s) -> Task<void> {
        char buffer[64];
        for (;;) {
          auto n = co_await s->read(buffer);
          if (!n || *n == 0) co_return;
          auto w = co_await s->write("<" + std::string(buffer, *n) + ">");
        }
      };
      co_return response;
    });
    auto bound = backend.listen("127.0.0.1", 0);
    Front front(e);
    front.board.publish(
        RouteTable::make({{.name = "r", .hosts = {"r"}, .backends = {{.endpoints = {{"127.0.0.1", bound->port}}}}}}));
    Request request;
    request.headers.add("Host", "r");
    request.headers.add("Connection", "Upgrade");
    request.headers.add("Upgrade", "echo");
    auto r = co_await front.client.send(Origin{"127.0.0.1", front.port}, std::move(request));
    EXPECT_EQ(r->status, 101);
    auto w = co_await r->upgraded->write("hi");
    char buffer[64];
    auto n = co_await r->upgraded->read(buffer);
    EXPECT_EQ(std::string(buffer, *n), "<hi>");
  });
}

TEST(Forwarder, AClientThatLeavesIsCountedAndCancelsTheBackend) {
  run([](Executor e) -> Task<void> {
    bool started = false;
    HttpServer backend(e, [&](Request) -> Task<Response> {
      started = true;
      asio::steady_timer forever(co_await asio::this_coro::executor, 1h);
      co_await forever.async_wait(asio::use_awaitable);
      co_return slowAnswer();
    });
    auto bound = backend.listen("127.0.0.1", 0);
    Front front(e);
    front.board.publish(
        RouteTable::make({{.name = "r", .hosts = {"r"}, .backends = {{.endpoints = {{"127.0.0.1", bound->port}}}}}}));
    auto stream = co_await net::dial(Origin{"127.0.0.1", front.port}, nullptr, 5s);
    auto w = co_await (*stream)->write("GET / HTTP/1.1\r\nHost: r\r\n\r\n");
    auto began = co_await eventually([&] { return started; });
    EXPECT_TRUE(began);
    (*stream)->close();
    auto gone = co_await eventually([&] { return backend.connections() == 0; }, 3s);
    EXPECT_TRUE(gone);
    EXPECT_NE(front.registry.render().find("slipway_gateway_requests_total{route=\"r\",code=\"4xx\"} 1"), std::string::npos);
    EXPECT_NE(front.registry.render().find("slipway_gateway_in_flight{route=\"r\"} 0"), std::string::npos);
  });
}

TEST(AccessLog, OneLinePerRequestAndABoundOnDisk) {
  const auto path = (std::filesystem::temp_directory_path() / ("slipway-access-" + std::to_string(::getpid()))).string();
  {
    auto log = AccessLog::open({.path = path, .maxBytes = 200000});
    ASSERT_TRUE(log);
    for (int i = 0; i < 3000; ++i)
      (*log)->write({.id = "id", .client = "c", .method = "GET", .path = "/a\"\n", .status = 200});
  }
  EXPECT_LE(std::filesystem::file_size(path), 200000u);
  EXPECT_TRUE(std::filesystem::exists(path + ".1"));
  EXPECT_LE(std::filesystem::file_size(path + ".1"), 200000u);
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  EXPECT_NE(line.find(R"("path":"/a\"\n","route":"","endpoint":"","status":200)"), std::string::npos) << line;
  std::filesystem::remove(path);
  std::filesystem::remove(path + ".1");
  EXPECT_FALSE(AccessLog::open({.path = "/no/such/folder/log"}));
}

TEST(Gateway, ServesOnEveryThreadAndDrains) {
  MetricRegistry registry;
  RouteBoard board(registry);
  Gateway gateway(board, {.port = 0, .adminPort = 0, .threads = 2});
  auto bound = gateway.start();
  ASSERT_TRUE(bound) << bound.error().message;
  run([&](Executor e) -> Task<void> {
    Imposter backend(e, "b");
    board.publish(RouteTable::make({{.name = "r", .hosts = {"r"}, .backends = {{.endpoints = {backend.origin}}}}}));
    for (int i = 0; i < 20; ++i) {
      HttpClient client(e);  // a new connection each time, so that both listeners get some
      Request request;
      request.headers.add("Host", "r");
      auto r = co_await client.send(Origin{"127.0.0.1", bound->port}, std::move(request));
      EXPECT_EQ(r->status, 200);
    }
    HttpClient client(e);
    auto metrics = co_await client.send(Origin{"127.0.0.1", gateway.admin()->port}, Request{.target = "/metrics"});
    auto text = co_await metrics->body.readAll(1 << 20);
    EXPECT_NE(text->find("slipway_gateway_requests_total{route=\"r\",code=\"2xx\"} 20"), std::string::npos);
    auto routes = co_await client.send(Origin{"127.0.0.1", gateway.admin()->port}, Request{.target = "/routes"});
    EXPECT_NE(routes->body.bytes().find("\"name\":\"r\""), std::string::npos);
  });
  gateway.stop(2s);
}

}  // namespace
}  // namespace slipway::proxy
