#include "proxy/gateway.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <thread>

#include "base/log.h"

namespace slipway::proxy {
namespace asio = boost::asio;

struct Gateway::Worker {
  Worker(RouteBoard& board, const ForwarderOptions& forwarding)
      : work(io.get_executor()), forwarder(io.get_executor(), board, forwarding), flusher(io) {}
  void run() {
    thread = std::thread([this] { io.run(); });
  }
  void flushEverySecond(std::shared_ptr<AccessLog> log) {
    flusher.expires_after(std::chrono::seconds(1));
    flusher.async_wait([this, log](const boost::system::error_code& ec) {
      if (ec) return;
      log->flush();
      flushEverySecond(log);
    });
  }

  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work;
  Forwarder forwarder;
  std::unique_ptr<net::HttpServer> server, adminServer;
  asio::steady_timer flusher;
  std::thread thread;
};

Gateway::Gateway(RouteBoard& board, GatewayOptions options) : board_(board), options_(std::move(options)) {
  options_.forwarder.https = options_.tls != nullptr;
}

Gateway::~Gateway() { stop(std::chrono::milliseconds(0)); }

Result<net::Bound> Gateway::listen() {
  const unsigned threads = options_.threads > 0 ? options_.threads : std::max(1u, std::thread::hardware_concurrency());
  net::ServerOptions server;
  server.maxHeaderBytes = options_.maxHeaderBytes;
  server.maxBodyBytes = options_.maxBodyBytes;
  server.bufferBodyBytes = 64 << 10;  // small bodies whole, so that they can be sent again; larger ones and chunks stream
  server.bufferChunked = false;
  server.maxConnections = options_.maxConnections;
  server.reusePort = threads > 1;
  server.tls = options_.tls;
  server.http2 = options_.http2;
  server.maxStreams = options_.maxStreams;
  SLIP_CHECK(net::HttpServer::checkFree(options_.address, options_.port));
  net::Bound bound{options_.address, options_.port};
  for (unsigned i = 0; i < threads; ++i) {
    auto worker = std::make_unique<Worker>(board_, options_.forwarder);
    auto* forwarder = &worker->forwarder;
    worker->server = std::make_unique<net::HttpServer>(
        worker->io.get_executor(), [forwarder](net::Request r) { return forwarder->handle(std::move(r)); }, server);
    SLIP_TRY(bound, worker->server->listen(options_.address, bound.port));
    workers_.push_back(std::move(worker));
  }
  if (options_.adminPort) {
    auto& first = *workers_.front();
    first.adminServer = std::make_unique<net::HttpServer>(first.io.get_executor(), adminHandler(board_));
    SLIP_TRY(admin_, first.adminServer->listen(options_.address, *options_.adminPort));
  }
  return bound;
}

Result<net::Bound> Gateway::start() {
  auto bound = listen();
  if (!bound) {
    workers_.clear();
    return bound;
  }
  if (options_.forwarder.accessLog) workers_.front()->flushEverySecond(options_.forwarder.accessLog);
  for (auto& worker : workers_) worker->run();
  return bound;
}

void Gateway::stop(std::chrono::milliseconds grace) {
  for (auto& worker : workers_) {
    asio::co_spawn(
        worker->io,
        [w = worker.get(), grace]() -> Task<void> {
          co_await w->server->drain(grace);
          if (w->adminServer) {
            co_await w->adminServer->drain(std::chrono::milliseconds(0));
          }
          w->flusher.cancel();
          w->work.reset();
          w->io.stop();
        },
        asio::detached);
  }
  for (auto& worker : workers_) {
    if (worker->thread.joinable()) worker->thread.join();
  }
  workers_.clear();
  if (options_.forwarder.accessLog) options_.forwarder.accessLog->flush();
}

namespace {

std::string describeRoutes(const Snapshot& snapshot) {
  std::string out = "{\"routes\":[";
  for (std::size_t i = 0; i < snapshot.routes.size(); ++i) {
    const auto& route = snapshot.table->routes()[i];
    out += (i ? ",{\"name\":" : "{\"name\":") + net::jsonQuote(route.name) + ",\"hosts\":[";
    for (std::size_t h = 0; h < route.hosts.size(); ++h) out += (h ? "," : "") + net::jsonQuote(route.hosts[h]);
    out += "],\"endpoints\":[";
    bool first = true;
    for (const auto& backend : snapshot.routes[i].backends) {
      for (const auto& endpoint : backend.endpoints) {
        out += (first ? "{\"address\":" : ",{\"address\":") + net::jsonQuote(endpoint->name) +
               ",\"weight\":" + std::to_string(backend.weight) +
               ",\"inFlight\":" + std::to_string(endpoint->inFlight.load()) + "}";
        first = false;
      }
    }
    out += "],\"queued\":" + std::to_string(snapshot.routes[i].state->queue.size()) +
           ",\"reason\":" + net::jsonQuote(route.reason) + "}";
  }
  return out + "]}\n";
}

}  // namespace

net::Handler adminHandler(RouteBoard& board) {
  return [&board](net::Request request) -> Task<net::Response> {
    const auto path = request.path();
    if (path == "/metrics") {
      auto response = net::Response::text(200, board.registry().render());
      response.headers.set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
      co_return response;
    }
    if (path == "/healthz" || path == "/readyz") co_return net::Response::text(200, "ok\n");
    if (path == "/routes") co_return net::Response::json(200, describeRoutes(*board.current()));
    co_return net::Response::json(404, "{\"error\":\"no such page; there are /metrics, /routes, /healthz and /readyz\"}\n");
  };
}

}  // namespace slipway::proxy
