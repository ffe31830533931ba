// RouteFeed: keeps a gateway's RouteBoard true to the API: follows InferenceServices, Services and EndpointSlices and
// publishes a new table when the routes change. Lives on the control loop's executor; the board carries the table over to
// the gateway's threads.
//
//   RouteFeed feed(executor, cache, board, clock);
//   feed.start(scope);
#pragma once
#include "base/clock.h"
#include "base/scope.h"
#include "feed/route_builder.h"
#include "kube/signal.h"
#include "proxy/route_board.h"

namespace slipway::feed {

struct RouteFeedOptions {
  RouteOptions routes;
  Duration gather = std::chrono::milliseconds(5);  // changes within this time make one table; 0: none
};

class RouteFeed {
 public:
  RouteFeed(Executor executor, kube::Cache& cache, proxy::RouteBoard& board, Clock& clock, RouteFeedOptions options = {});
  RouteFeed(const RouteFeed&) = delete;
  RouteFeed& operator=(const RouteFeed&) = delete;
  // Once. Nothing is published before the three kinds have been listed. The feed must outlive the scope's tasks.
  void start(TaskScope& scope);
  std::uint64_t published() const { return published_; }

 private:
  Task<void> run();
  kube::Informer& isvcs_;
  kube::Informer& services_;
  kube::Informer& slices_;
  proxy::RouteBoard& board_;
  Clock& clock_;
  RouteFeedOptions options_;
  kube::Signal changed_;
  bool dirty_ = true;
  std::uint64_t published_ = 0;
  std::vector<proxy::Route> last_;
};

}  // namespace slipway::feed
