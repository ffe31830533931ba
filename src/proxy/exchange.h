// Internal to proxy: one request on its way through the Forwarder, and what is counted and logged when it ends, however it
// ends.
#pragma once
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "proxy/forwarder.h"

namespace slipway::proxy {

// A place in an endpoint. Giving it up wakes the next request in the queue.
struct Forwarder::Lease {
  Lease() = default;
  Lease(std::shared_ptr<EndpointState> e, std::shared_ptr<RouteState> r) : endpoint(std::move(e)), route(std::move(r)) {}
  Lease(Lease&&) = default;
  Lease& operator=(Lease&& other) noexcept {
    release();
    endpoint = std::move(other.endpoint);
    route = std::move(other.route);
    return *this;
  }
  ~Lease() { release(); }
  void release() {
    if (!endpoint) return;
    endpoint->inFlight.fetch_sub(1, std::memory_order_seq_cst);
    route->queue.wakeOne();
    endpoint = nullptr;
  }
  std::shared_ptr<EndpointState> endpoint;
  std::shared_ptr<RouteState> route;
};

struct Forwarder::Exchange {
  explicit Exchange(std::shared_ptr<AccessLog> l) : log(std::move(l)) {}
  ~Exchange() { record(); }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  void record();
  const Route& route() const { return snapshot->table->routes()[index]; }
  const RouteRuntime& runtime() const { return snapshot->routes[index]; }

  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
  std::shared_ptr<AccessLog> log;
  std::shared_ptr<const Snapshot> snapshot;
  std::size_t index = 0;
  bool routed = false, grpc = false;
  int refused = 0;  // HTTP status of an answer of our own
  net::HttpClient::Attempt attempt;
  std::vector<const EndpointState*> tried;
  Lease lease;
  std::string id, client, method, path, host, endpoint, note;
  int status = 499;  // stays when the client leaves before an answer
  std::uint64_t bytes = 0;
};

}  // namespace slipway::proxy
