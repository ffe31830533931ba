// Gateway: the front door. One thread, io_context, listener (SO_REUSEPORT) and Forwarder per core; they share nothing but
// the RouteBoard. Beside it an admin port: /metrics, /healthz, /readyz, /routes.
//
//   Gateway gateway(board, {.port = 8080});
//   auto bound = gateway.start();
//   ...  gateway.stop(10s);          // drains; blocks: call it from outside the loops, or through offload()
#pragma once
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "net/server.h"
#include "proxy/forwarder.h"

namespace slipway::proxy {

struct GatewayOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 8080;                // 0: any free one
  std::optional<std::uint16_t> adminPort;   // on the same address; none: no admin endpoint
  unsigned threads = 0;                     // 0: one per core
  std::uint64_t maxBodyBytes = 1ull << 30;  // of a request: 413 beyond
  std::size_t maxHeaderBytes = 64 << 10;    // 431 beyond
  std::size_t maxConnections = 10000;       // per thread
  std::shared_ptr<net::TlsContext> tls;     // null: plain
  bool http2 = true;                        // beside HTTP/1.1; over TLS the context must offer it too
  std::uint32_t maxStreams = 250;           // requests at a time on one HTTP/2 connection
  ForwarderOptions forwarder;
};

class Gateway {
 public:
  Gateway(RouteBoard& board, GatewayOptions options);
  ~Gateway();  // stop() without grace
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;
  Result<net::Bound> start();  // once; errors as HttpServer::listen
  std::optional<net::Bound> admin() const { return admin_; }
  void stop(std::chrono::milliseconds grace);

 private:
  struct Worker;
  Result<net::Bound> listen();
  RouteBoard& board_;
  GatewayOptions options_;
  std::optional<net::Bound> admin_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

// The admin port's handler, for tests and for a process that has an admin port already.
net::Handler adminHandler(RouteBoard& board);

}  // namespace slipway::proxy
