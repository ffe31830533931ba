// Forwarder: the core that gateway, agent and graph share: takes a request, finds its route in the board's snapshot, picks
// an endpoint with a free slot, forwards, streams back. One per core; used from its executor only.
//
//   Forwarder forwarder(executor, board, {});
//   HttpServer server(executor, [&](Request r) { return forwarder.handle(std::move(r)); });
#pragma once
#include <memory>

#include "net/client.h"
#include "proxy/access_log.h"
#include "proxy/route_board.h"

namespace slipway::proxy {

struct ForwarderOptions {
  net::ClientOptions client{.connectTimeout = std::chrono::milliseconds(2000), .maxIdlePerOrigin = 256};
  std::size_t hostsInNotFound = 8;       // host names that a 404 line lists
  std::shared_ptr<AccessLog> accessLog;  // null: none
  bool https = false;                    // what X-Forwarded-Proto says
};

class Forwarder {
 public:
  Forwarder(Executor executor, RouteBoard& board, ForwarderOptions options = {});
  // 404 without a route, 503 without a ready endpoint or with a full queue, 504 past the route's timeout, 502 when the
  // endpoint breaks the connection or the protocol. Each carries {"error": "…"} and X-Request-Id.
  // To a gRPC call (HTTP/2, content type application/grpc) they are its status: NOT_FOUND, UNAVAILABLE, DEADLINE_EXCEEDED.
  // It goes to its endpoint over HTTP/2 with prior knowledge, as everything does to an origin with `http2`. A failed
  // connect, and a request of which no byte was sent, tries the route's other endpoints.
  Task<net::Response> handle(net::Request request);

 private:
  struct Exchange;
  struct Lease;
  friend class CountedBody;
  const Snapshot& snapshot();
  Task<Status> acquire(Exchange* exchange);
  bool tryAcquire(Exchange* exchange);
  std::shared_ptr<EndpointState> pick(const Exchange& exchange, const BackendRuntime& backend, unsigned limit);
  Task<net::Response> forward(Exchange* exchange);
  static net::Response refuse(Exchange& exchange, int status, const std::string& message);
  void prepare(net::Request& request, Exchange& exchange);
  net::Response finish(std::unique_ptr<Exchange> exchange, net::Response response);
  std::string newRequestId();

  Executor executor_;
  RouteBoard& board_;
  ForwarderOptions options_;
  net::HttpClient client_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::uint64_t version_ = 0;
  std::uint64_t seed_, counter_ = 0;
};

}  // namespace slipway::proxy
