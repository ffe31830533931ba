// RouteBoard: where the current RouteTable hangs, with the run-time state that outlives one table: requests in flight per
// endpoint, the queue and the metrics of each route. publish() may be called from any thread; every core takes the new
// snapshot with its next request.
//
//   RouteBoard board(registry);
//   board.publish(table);
#pragma once
#include <atomic>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "base/scope.h"
#include "proxy/routes.h"

namespace slipway::proxy {

// One endpoint as all cores see it.
struct EndpointState {
  explicit EndpointState(net::Origin o, std::string text) : origin(std::move(o)), name(std::move(text)) {}
  const net::Origin origin;
  const std::string name;  // "127.1.0.2:8080"
  std::atomic<int> inFlight{0};
  std::atomic<std::int64_t> avoidUntil{0};  // steady-clock nanoseconds; set after a failed connect
};

// Requests that wait for a slot, first come first served over all cores. Thread-safe.
class SlotQueue {
 public:
  struct Waiter {
    explicit Waiter(Executor e) : executor(e), timer(e) {}
    Executor executor;
    boost::asio::steady_timer timer;  // used on `executor` only; cancelled to wake
    bool woken = false;               // likewise
    std::uint64_t ticket = 0;         // its place in the line, given by the first push; the queue's own
  };
  // At the end; one that was woken for nothing (`again`) takes the place that it had. False when `bound` are waiting.
  bool push(std::shared_ptr<Waiter> waiter, std::size_t bound, bool again);
  bool drop(const std::shared_ptr<Waiter>& waiter);  // false when it had been taken to be woken: pass that on with wakeOne()
  void wakeOne();
  void wakeAll();
  std::size_t size() const { return size_.load(std::memory_order_seq_cst); }

 private:
  static void wake(const std::shared_ptr<Waiter>& waiter);
  std::mutex mutex_;
  std::deque<std::shared_ptr<Waiter>> waiters_;  // by ticket
  std::uint64_t tickets_ = 0;
  std::atomic<std::size_t> size_{0};
};

struct RouteMetrics {
  RouteMetrics(MetricRegistry& registry, const std::string& route);
  Counter& byStatus(int status) {
    return *codes[status >= 100 && status < 600 ? static_cast<std::size_t>(status / 100) : 5];
  }
  std::array<std::shared_ptr<Counter>, 6> codes;
  std::shared_ptr<Histogram> seconds;  // to the end of the answer
  std::shared_ptr<Gauge> inFlight, queued;
};

struct RouteState {
  RouteState(MetricRegistry& registry, const std::string& name) : metrics(registry, name) {}
  SlotQueue queue;
  RouteMetrics metrics;
  std::atomic<unsigned> turn{0};  // round robin among equals
  // Every endpoint that still has a holder: one that leaves the table with requests in flight and returns keeps its count.
  // Used by publish() only, under the board's publish lock.
  std::map<net::Origin, std::weak_ptr<EndpointState>> known;
};

struct BackendRuntime {
  unsigned weight = 0;
  std::vector<std::shared_ptr<EndpointState>> endpoints;
};
struct RouteRuntime {
  std::shared_ptr<RouteState> state;
  std::vector<BackendRuntime> backends;  // as in the table, without those that have no endpoint or no weight
  unsigned totalWeight = 0;
};
struct Snapshot {
  std::shared_ptr<const RouteTable> table;
  std::vector<RouteRuntime> routes;  // same order as table->routes()
};

class RouteBoard {
 public:
  explicit RouteBoard(MetricRegistry& registry);
  void publish(std::shared_ptr<const RouteTable> table);
  std::shared_ptr<const Snapshot> current() const;
  std::uint64_t version() const { return version_.load(std::memory_order_acquire); }  // changes with every publish
  MetricRegistry& registry() { return registry_; }

 private:
  MetricRegistry& registry_;
  std::mutex publishing_;  // one publish() at a time
  mutable std::mutex mutex_;
  std::shared_ptr<const Snapshot> current_;
  std::atomic<std::uint64_t> version_{1};
};

}  // namespace slipway::proxy
