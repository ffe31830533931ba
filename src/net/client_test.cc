// Client and server together over real sockets: keep-alive, streams both ways, retries, upgrades, TLS, Unix sockets.
#include "net/client.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <filesystem>

#include "net/dial.h"
#include "net/server.h"
#include "net/testing/run.h"
#include "net/tls.h"

namespace slipway::net {
namespace {
using namespace std::chrono_literals;
namespace asio = boost::asio;
using testing::eventually;
using testing::run;

struct Pieces final : BodyReader {
  Pieces(std::size_t n, std::size_t size) : left(n), size(size) {}
  std::size_t left, size;
  Task<Result<std::string>> read() override {
    if (left == 0) co_return std::string();
    --left;
    co_return std::string(size, static_cast<char>('a' + left % 26));
  }
};

Task<Response> echo(Request r) {
  auto body = co_await r.body.readAll(64 << 20);
  if (!body) co_return Response::error(body.error());
  auto response = Response::text(200, *body);
  response.headers.add("X-Peer", r.peer.address);
  co_return response;
}

TEST(HttpClient, ReusesOneConnection) {
  run([](Executor e) -> Task<void> {
    HttpServer server(e, echo);
    auto bound = server.listen("127.0.0.1", 0);
    HttpClient client(e);
    std::set<std::string> peers;
    for (int i = 0; i < 20; ++i) {
      auto r = co_await client.send(Origin{"127.0.0.1", bound->port},
                                    Request{.method = "POST", .body = Body("n" + std::to_string(i))});
      EXPECT_EQ(r->body.bytes(), "n" + std::to_string(i));
      peers.insert(std::string(r->headers.getOr("x-peer", "")));
    }
    EXPECT_EQ(peers.size(), 1u);
    EXPECT_EQ(client.idleConnections(), 1u);
  });
}

TEST(HttpClient, StreamsLargeBodiesBothWaysAtOnce) {
  run([](Executor e) -> Task<void> {
    // The server answers with the request's own stream: neither side ever holds the 32 MB.
    HttpServer server(e,
                      [](Request r) -> Task<Response> {
                        Response response;
                        response.body = std::move(r.body);
                        co_return response;
                      },
                      {.bufferBodyBytes = 0});
    auto bound = server.listen("127.0.0.1", 0);
    HttpClient client(e);
    auto r = co_await client.send(Origin{"127.0.0.1", bound->port},
                                  Request{.method = "POST", .body = Body(std::make_unique<Pieces>(512, 65536))});
    EXPECT_TRUE(r);
    EXPECT_TRUE(r->body.streaming());
    std::size_t total = 0;
    for (;;) {
      auto chunk = co_await r->body.read();
      EXPECT_TRUE(chunk);
      if (!chunk || chunk->empty()) break;
      total += chunk->size();
    }
    EXPECT_EQ(total, 512u * 65536u);
  });
}

TEST(HttpClient, KnownLengthStreamsKeepTheirLength) {
  run([](Executor e) -> Task<void> {
    HttpServer server(e, [](Request r) -> Task<Response> {
      auto length = std::string(r.headers.getOr("content-length", "none"));
      auto all = co_await r.body.readAll(1 << 30);
      Response response;
      response.headers.add("X-Length", length);
      response.body = Body(std::make_unique<Pieces>(10, 50000), 500000);
      co_return response;
    });
    auto bound = server.listen("127.0.0.1", 0);
    HttpClient client(e);
    for (int i = 0; i < 2; ++i) {
      auto r = co_await client.send(Origin{"127.0.0.1", bound->port},
                                    Request{.method = "PUT", .body = Body(std::make_unique<Pieces>(100, 30000), 3000000)});
      EXPECT_EQ(r->headers.getOr("x-length", ""), "3000000");
      EXPECT_EQ(r->headers.getOr("content-length", ""), "500000");
      auto all = co_await r->body.readAll(1 << 20);
      EXPECT_EQ(all->size(), 500000u);
      EXPECT_EQ(client.idleConnections(), 1u);
    }
  });
}

TEST(HttpServer, GathersLargeBodiesWhole) {
  run([](Executor e) -> Task<void> {
    HttpServer server(e,
                      [](Request r) -> Task<Response> {
                        co_return Response::text(
                            200, (r.body.streaming() ? "stream " : "whole ") +
                                     std::to_string(std::count(r.body.bytes().begin(), r.body.bytes().end(), 'z')));
                      },
                      {.bufferBodyBytes = 32 << 20});
    auto bound = server.listen("127.0.0.1", 0);
    HttpClient client(e);
    for (const std::size_t size : {5000u, 40000u, 100000u, 20u << 20}) {
      auto r = co_await client.send(Origin{"127.0.0.1", bound->port},
                                    Request{.method = "POST", .body = Body(std::string(size, 'z'))});
      EXPECT_EQ(r->body.bytes(), "whole " + std::to_string(size));
    }
  });
}

TEST(HttpClient, AStaleConnectionIsRetriedOnce) {
  run([](Executor e) -> Task<void> {
    auto first = std::make_unique<HttpServer>(e, echo);
    auto bound = first->listen("127.0.0.1", 0);
    HttpClient client(e);
    auto r1 = co_await client.send(Origin{"127.0.0.1", bound->port}, Request{.method = "POST", .body = Body("1")});
    EXPECT_TRUE(r1);
    co_await first->drain(1s);
    HttpServer second(e, echo);
    auto again = second.listen("127.0.0.1", bound->port);
    EXPECT_TRUE(again);
    auto r2 = co_await client.send(Origin{"127.0.0.1", bound->port}, Request{.method = "POST", .body = Body("2")});
    EXPECT_TRUE(r2) << r2.error().message;
  });
}

TEST(HttpClient, SaysWhatWentWrong) {
  run([](Executor e) -> Task<void> {
    HttpServer server(e, [](Request) -> Task<Response> {
      asio::steady_timer forever(co_await asio::this_coro::executor, 1h);
      co_await forever.async_wait(asio::use_awaitable);
      co_return Response{};
    });
    auto bound = server.listen("127.0.0.1", 0);
    HttpClient client(e, {.headTimeout = 100ms});
    auto slow = co_await client.send(Origin{"127.0.0.1", bound->port}, Request{});
    EXPECT_EQ(slow.error().code, Code::Timeout);
    co_await server.drain(0ms);
    auto closed = co_await client.send(Origin{"127.0.0.1", bound->port}, Request{});
    EXPECT_EQ(closed.error().code, Code::Unavailable);
    EXPECT_NE(closed.error().message.find(":" + std::to_string(bound->port) + ": Connection refused"), std::string::npos);
    auto name = co_await client.send(Origin{"no-such-host.invalid", 80}, Request{});
    EXPECT_EQ(name.error().code, Code::Unavailable);
  });
}

TEST(HttpClient, CancellationReachesTheServersHandler) {
  run([](Executor e) -> Task<void> {
    bool started = false;
    HttpServer server(e, [&](Request) -> Task<Response> {
      started = true;
      asio::steady_timer forever(co_await asio::this_coro::executor, 1h);
      co_await forever.async_wait(asio::use_awaitable);
      co_return Response{};
    });
    auto bound = server.listen("127.0.0.1", 0);
    HttpClient client(e);
    TaskScope scope(e, "test");
    scope.spawn("request", [&]() -> Task<void> {
      auto r = co_await client.send(Origin{"127.0.0.1", bound->port}, Request{});
      EXPECT_EQ(r.error().code, Code::Cancelled);
    });
    auto began = co_await eventually([&] { return started; });
    EXPECT_TRUE(began);
    scope.cancel();
    co_await scope.join();
    auto gone = co_await eventually([&] { return server.connections() == 0; }, 2s);
    EXPECT_TRUE(gone);
  });
}

TEST(HttpClient, MaxConnectionsMakesRequestsWait) {
  run([](Executor e) -> Task<void> {
    int running = 0, most = 0, done = 0;
    HttpServer server(e, [&](Request) -> Task<Response> {
      most = std::max(most, ++running);
      asio::steady_timer pause(co_await asio::this_coro::executor, 2ms);
      co_await pause.async_wait(asio::use_awaitable);
      --running;
      co_return Response::text(200, "x");
    });
    auto bound = server.listen("127.0.0.1", 0);
    HttpClient client(e, {.maxConnectionsPerOrigin = 2});
    for (int i = 0; i < 10; ++i) {
      asio::co_spawn(
          e,
          [&]() -> Task<void> {
            auto r = co_await client.send(Origin{"127.0.0.1", bound->port}, Request{});
            EXPECT_TRUE(r);
            ++done;
          },
          asio::detached);
    }
    auto all = co_await eventually([&] { return done == 10; });
    EXPECT_TRUE(all);
    EXPECT_LE(most, 2);
  });
}

TEST(HttpClient, ACancelledWaitPassesItsTurnOn) {
  run([](Executor e) -> Task<void> {
    asio::steady_timer gate(e, asio::steady_timer::time_point::max());
    int handled = 0;
    HttpServer server(e, [&](Request) -> Task<Response> {
      if (handled++ == 0) {
        boost::system::error_code ec;
        co_await gate.async_wait(asio::redirect_error(asio::use_awaitable, ec));
      }
      co_return Response::text(200, "x");
    });
    const auto bound = server.listen("127.0.0.1", 0);
    HttpClient client(e, {.maxConnectionsPerOrigin = 1});
    int done = 0, cancelled = 0;
    const auto ask = [&]() -> Task<void> {
      auto r = co_await client.send(Origin{"127.0.0.1", bound->port}, Request{});
      if (r) ++done;
    };
    asio::co_spawn(e, ask, asio::detached);
    auto holds = co_await eventually([&] { return handled == 1; });
    asio::cancellation_signal leave;
    asio::co_spawn(e, ask, asio::bind_cancellation_slot(leave.slot(), [&](std::exception_ptr) { ++cancelled; }));
    asio::co_spawn(e, ask, asio::detached);
    asio::steady_timer soon(e, 5ms);  // both wait by now: nothing tells from outside
    co_await soon.async_wait(asio::use_awaitable);
    leave.emit(asio::cancellation_type::terminal);
    auto left = co_await eventually([&] { return cancelled == 1; });
    gate.cancel();
    auto all = co_await eventually([&] { return done == 2; }, 3s);
    EXPECT_TRUE(holds && left && all) << done;
  });
}

TEST(HttpClient, AnUpgradeBeforeTheEndOfTheUploadIsAnError) {
  run([](Executor e) -> Task<void> {
    HttpServer server(e,
                      [](Request) -> Task<Response> {
                        Response response;  // what a server in the wild might do: no upgrade function, just the head
                        response.status = 101;
                        co_return response;
                      },
                      {.bufferBodyBytes = 0});
    const auto bound = server.listen("127.0.0.1", 0);
    HttpClient client(e);
    Request request{.method = "POST", .body = Body(std::make_unique<Pieces>(1000000, 100000), std::nullopt)};
    auto r = co_await client.send(Origin{"127.0.0.1", bound->port}, std::move(request));
    EXPECT_FALSE(r);
    EXPECT_EQ(r.error().code, Code::BadGateway);
    EXPECT_NE(r.error().message.find("switched protocols before the request body ended"), std::string::npos)
        << r.error().message;
  });
}

TEST(HttpClient, UpgradeHandsTheConnectionOver) {
  run([](Executor e) -> Task<void> {
    HttpServer server(e, [](Request r) -> Task<Response> {
      Response response;
      response.status = 101;
      response.headers.add("Connection", "Upgrade");
      response.headers.add("Upgrade", "echo");
      response.upgrade = [](std::unique_ptr<ByteStream> s) -> Task<void> {
        char buffer[100];
        auto n = co_await s->read(buffer);
        auto w = co_await s->write("got " + std::string(buffer, n.value_or(0)));
      };
      co_return response;
    });
    auto bound = server.listen("127.0.0.1", 0);
    HttpClient client(e);
    Request request;
    request.headers.add("Connection", "Upgrade");
    request.headers.add("Upgrade", "echo");
    auto r = co_await client.send(Origin{"127.0.0.1", bound->port}, std::move(request));
    EXPECT_EQ(r->status, 101);
    EXPECT_EQ(r->headers.getOr("upgrade", ""), "echo");
    auto w = co_await r->upgraded->write("hello");
    char buffer[100];
    auto n = co_await r->upgraded->read(buffer);
    EXPECT_EQ(std::string(buffer, *n), "got hello");
  });
}

TEST(HttpClient, UnixSockets) {
  run([](Executor e) -> Task<void> {
    const auto path =
        (std::filesystem::temp_directory_path() / ("slipway-net-" + std::to_string(::getpid()) + ".sock")).string();
    {
      HttpServer server(e, echo);
      EXPECT_TRUE(server.listenUnix(path));
      HttpServer other(e, echo);
      EXPECT_EQ(other.listenUnix(path).error().code, Code::AlreadyExists);
      HttpClient client(e);
      auto r = co_await client.send(Origin{.unixPath = path}, Request{.method = "POST", .body = Body("u")});
      EXPECT_EQ(r->body.bytes(), "u");
      co_await server.drain(1s);
    }
    HttpServer next(e, echo);
    EXPECT_TRUE(next.listenUnix(path)) << "a stale socket file is replaced";
    std::filesystem::remove(path);
  });
}

Task<Response> whoami(Request r) {
  std::string text = r.peer.certCommonName;
  for (const auto& o : r.peer.certOrganizations) text += "/" + o;
  co_return Response::text(200, text);
}

TEST(Tls, ClientCertificatesBecomeThePeersIdentity) {
  run([](Executor e) -> Task<void> {
    auto ca = makeCertificateAuthority("test-ca", 1h);
    auto otherCa = makeCertificateAuthority("other-ca", 1h);
    EXPECT_TRUE(ca && otherCa);
    auto serverId =
        issueCertificate(*ca, {.commonName = "server", .dnsNames = {"localhost"}, .ipAddresses = {"127.0.0.1", "::1"}});
    auto clientId = issueCertificate(*ca, {.commonName = "alice", .organizations = {"devs", "ops"}, .server = false});
    auto strangerId = issueCertificate(*otherCa, {.commonName = "mallory", .server = false});
    EXPECT_TRUE(serverId && clientId && strangerId);
    HttpServer server(e, whoami, {.tls = *TlsContext::server(*serverId, ca->certificate)});
    auto bound = server.listen("127.0.0.1", 0);

    const auto ask = [&](const CertificatePem* identity, std::string host) -> Task<std::string> {
      HttpClient client(e, {.tls = *TlsContext::client(ca->certificate, identity)});
      auto r = co_await client.send(Origin{host, bound->port, true}, Request{});
      co_return r ? r->body.bytes() : "error: " + r.error().message;
    };
    auto alice = co_await ask(&*clientId, "127.0.0.1");
    EXPECT_EQ(alice, "alice/devs/ops");
    auto nobody = co_await ask(nullptr, "localhost");
    EXPECT_EQ(nobody, "");
    auto stranger = co_await ask(&*strangerId, "127.0.0.1");
    EXPECT_EQ(stranger, "");
    HttpClient distrusting(e, {.tls = *TlsContext::client(otherCa->certificate, nullptr)});
    auto refused = co_await distrusting.send(Origin{"127.0.0.1", bound->port, true}, Request{});
    EXPECT_EQ(refused.error().code, Code::Unavailable);
  });
}

TEST(Tls, LargeBodiesAndKeepAlive) {
  run([](Executor e) -> Task<void> {
    auto ca = makeCertificateAuthority("test-ca", 1h);
    auto serverId = issueCertificate(*ca, {.commonName = "server", .ipAddresses = {"127.0.0.1"}});
    HttpServer server(e, echo, {.tls = *TlsContext::server(*serverId, "")});
    auto bound = server.listen("127.0.0.1", 0);
    HttpClient client(e, {.tls = *TlsContext::client(ca->certificate, nullptr)});
    for (int i = 0; i < 3; ++i) {
      std::string big(3 << 20, static_cast<char>('a' + i));
      auto r = co_await client.send(Origin{"127.0.0.1", bound->port, true}, Request{.method = "POST", .body = Body(big)});
      EXPECT_TRUE(r);
      auto all = co_await r->body.readAll(10 << 20);
      EXPECT_EQ(*all, big);
    }
    EXPECT_EQ(client.idleConnections(), 1u);
  });
}

// A streamed answer of which every chunk has bytes of its own and shared ones, larger than what sockets hold.
struct SharedChunks final : BodyReader {
  explicit SharedChunks(int chunks) : left(chunks) {}
  int left;
  std::shared_ptr<const std::string> small = std::make_shared<const std::string>("small");
  std::shared_ptr<const std::string> large = std::make_shared<const std::string>(70'001, 'L');
  Task<Result<std::string>> read() override { co_return fail(Code::Internal, "the server asks for pieces"); }
  Task<Result<BodyPieces>> readPieces() override {
    BodyPieces pieces;
    if (left-- <= 0) co_return pieces;
    pieces.own = left % 3 == 0 ? std::string(left % 2 == 0 ? 3 : 20'000, 'o') : "";
    for (int i = 0; i <= left % 7; ++i) pieces.shared.push_back(i % 2 == 0 ? large : small);
    co_return pieces;
  }
  static std::string all(int chunks) {
    std::string out;
    for (int left = chunks - 1; left >= 0; --left) {
      if (left % 3 == 0) out += std::string(left % 2 == 0 ? 3 : 20'000, 'o');
      for (int i = 0; i <= left % 7; ++i) out += i % 2 == 0 ? std::string(70'001, 'L') : "small";
    }
    return out;
  }
};

TEST(Tls, SharedBytesArriveWholeAtAClientThatIsSlow) {
  run([](Executor e) -> Task<void> {
    static constexpr int kChunks = 100;
    const auto handler = [](Request) -> Task<Response> {
      Response r;
      r.body = Body(std::make_unique<SharedChunks>(kChunks));
      co_return r;
    };
    auto ca = makeCertificateAuthority("test-ca", 1h);
    auto serverId = issueCertificate(*ca, {.commonName = "server", .ipAddresses = {"127.0.0.1"}});
    for (const bool tls : {false, true}) {
      HttpServer server(e, handler, {.tls = tls ? *TlsContext::server(*serverId, "") : nullptr});
      auto bound = server.listen("127.0.0.1", 0);
      HttpClient client(e, {.tls = *TlsContext::client(ca->certificate, nullptr)});
      auto r = co_await client.send(Origin{"127.0.0.1", bound->port, tls}, Request{});
      EXPECT_TRUE(r);
      std::string all;
      for (int turn = 0;; ++turn) {
        // While this client does not read, the server fills the sockets and must wait.
        for (int i = 0; i < 20 && turn % 8 == 0; ++i) co_await asio::post(e, asio::use_awaitable);
        auto chunk = co_await r->body.read();
        EXPECT_TRUE(chunk);
        if (!chunk || chunk->empty()) break;
        all += *chunk;
      }
      EXPECT_TRUE(all == SharedChunks::all(kChunks)) << all.size();
    }
  });
}

TEST(Tls, BothSidesWriteAtOnce) {
  run([](Executor e) -> Task<void> {
    auto ca = makeCertificateAuthority("test-ca", 1h);
    auto serverId = issueCertificate(*ca, {.commonName = "server", .ipAddresses = {"127.0.0.1"}});
    // An upgraded connection of which both ends write four megabytes before they read.
    constexpr std::size_t kBytes = 4 << 20;
    const auto exchange = [](ByteStream* stream, char mine, char theirs) -> Task<bool> {
      bool written = false;
      std::string bytes(kBytes, mine);
      auto executor = co_await asio::this_coro::executor;
      asio::co_spawn(
          executor,
          [&]() -> Task<void> {
            auto done = co_await stream->write(bytes);
            EXPECT_TRUE(done);
            written = true;
          },
          asio::detached);
      std::string got;
      char buffer[10'000];
      while (got.size() < kBytes) {
        auto n = co_await stream->read(buffer);
        if (!n || *n == 0) break;
        got.append(buffer, *n);
      }
      while (!written) co_await asio::post(executor, asio::use_awaitable);
      co_return got == std::string(kBytes, theirs);
    };
    bool served = false;
    const auto handler = [&](Request) -> Task<Response> {
      Response r;
      r.status = 101;
      r.headers.add("Upgrade", "test");
      r.headers.add("Connection", "Upgrade");
      r.upgrade = [&](std::unique_ptr<ByteStream> stream) -> Task<void> {
        served = co_await exchange(stream.get(), 's', 'c');
      };
      co_return r;
    };
    HttpServer server(e, handler, {.tls = *TlsContext::server(*serverId, "")});
    auto bound = server.listen("127.0.0.1", 0);
    HttpClient client(e, {.tls = *TlsContext::client(ca->certificate, nullptr)});
    auto r = co_await client.send(Origin{"127.0.0.1", bound->port, true}, Request{});
    EXPECT_TRUE(r && r->upgraded);
    const bool received = co_await exchange(r->upgraded.get(), 'c', 's');
    EXPECT_TRUE(received);
    while (!served) co_await asio::post(e, asio::use_awaitable);
  });
}

TEST(CopyBothWays, CarriesHalfCloses) {
  run([](Executor e) -> Task<void> {
    auto [client, front] = makePipe(100);
    auto [back, server] = makePipe(100);
    bool done = false;
    asio::co_spawn(
        e,
        [&done, a = std::move(front), b = std::move(back)]() mutable -> Task<void> {
          co_await copyBothWays(std::move(a), std::move(b), 64);
          done = true;
        },
        asio::detached);
    auto w = co_await client->write("ping");
    client->shutdownWrite();
    char buffer[100];
    auto n = co_await server->read(buffer);
    EXPECT_EQ(std::string(buffer, *n), "ping");
    auto end = co_await server->read(buffer);
    EXPECT_EQ(*end, 0u);
    auto w2 = co_await server->write("pong");
    server->shutdownWrite();
    auto back2 = co_await client->read(buffer);
    EXPECT_EQ(std::string(buffer, *back2), "pong");
    auto finished = co_await eventually([&] { return done; });
    EXPECT_TRUE(finished);
  });
}

}  // namespace
}  // namespace slipway::net
