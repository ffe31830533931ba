#include "feed/route_feed.h"

#include "base/log.h"

namespace slipway::feed {

RouteFeed::RouteFeed(Executor executor, kube::Cache& cache, proxy::RouteBoard& board, Clock& clock, RouteFeedOptions options)
    : isvcs_(cache.of(kinds::kInferenceService)),
      services_(cache.of(kinds::kService)),
      slices_(cache.of(kinds::kEndpointSlice)),
      board_(board),
      clock_(clock),
      options_(std::move(options)),
      changed_(executor) {}

void RouteFeed::start(TaskScope& scope) {
  const auto onEvent = [this](const kube::InformerEvent&) {
    dirty_ = true;
    changed_.notifyAll();
  };
  for (auto* informer : {&isvcs_, &services_, &slices_}) informer->onEvent(onEvent);
  scope.spawn("route-feed", [this] { return run(); });
}

Task<void> RouteFeed::run() {
  co_await isvcs_.waitForSync();
  co_await services_.waitForSync();
  co_await slices_.waitForSync();
  for (;;) {
    while (!dirty_) {
      co_await changed_.wait();
    }
    if (options_.gather.count() > 0) {
      co_await clock_.sleepFor(options_.gather);
    }
    dirty_ = false;
    auto routes = buildRoutes({isvcs_.list(), services_.list(), slices_.list()}, options_.routes);
    if (published_ > 0 && routes == last_) continue;
    last_ = routes;
    board_.publish(proxy::RouteTable::make(std::move(routes)));
    ++published_;
    logDebug("gateway: {} routes", last_.size());
  }
}

}  // namespace slipway::feed
