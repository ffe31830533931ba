#include "proxy/route_board.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <map>

namespace slipway::proxy {

bool SlotQueue::push(std::shared_ptr<Waiter> waiter, std::size_t bound, bool again) {
  std::lock_guard lock(mutex_);
  if (!again && waiters_.size() >= bound) return false;
  if (!again) waiter->ticket = ++tickets_;
  const auto place = std::upper_bound(waiters_.begin(), waiters_.end(), waiter->ticket,
                                      [](std::uint64_t ticket, const auto& other) { return ticket < other->ticket; });
  waiters_.insert(place, std::move(waiter));
  size_.store(waiters_.size(), std::memory_order_seq_cst);
  return true;
}

bool SlotQueue::drop(const std::shared_ptr<Waiter>& waiter) {
  std::lock_guard lock(mutex_);
  const bool found = std::erase(waiters_, waiter) > 0;
  size_.store(waiters_.size(), std::memory_order_seq_cst);
  return found;
}

void SlotQueue::wakeOne() {
  if (size() == 0) return;
  std::shared_ptr<Waiter> first;
  {
    std::lock_guard lock(mutex_);
    if (waiters_.empty()) return;
    first = std::move(waiters_.front());
    waiters_.pop_front();
    size_.store(waiters_.size(), std::memory_order_seq_cst);
  }
  wake(first);
}

void SlotQueue::wakeAll() {
  std::deque<std::shared_ptr<Waiter>> all;
  {
    std::lock_guard lock(mutex_);
    all.swap(waiters_);
    size_.store(0, std::memory_order_seq_cst);
  }
  for (const auto& waiter : all) wake(waiter);
}

void SlotQueue::wake(const std::shared_ptr<Waiter>& waiter) {
  boost::asio::post(waiter->executor, [waiter] {
    waiter->woken = true;
    waiter->timer.cancel();
  });
}

RouteMetrics::RouteMetrics(MetricRegistry& registry, const std::string& route)
    : seconds(registry.histogram("slipway_gateway_request_seconds", "Time from a request's head to the end of its answer.",
                                 {{"route", route}})),
      inFlight(registry.gauge("slipway_gateway_in_flight", "Requests being forwarded.", {{"route", route}})),
      queued(registry.gauge("slipway_gateway_queued", "Requests that wait for a free slot.", {{"route", route}})) {
  static constexpr const char* kClasses[] = {"0xx", "1xx", "2xx", "3xx", "4xx", "5xx"};
  for (std::size_t i = 1; i < codes.size(); ++i) {
    codes[i] =
        registry.counter("slipway_gateway_requests_total", "Requests answered.", {{"route", route}, {"code", kClasses[i]}});
  }
  codes[0] = codes[5];
}

RouteBoard::RouteBoard(MetricRegistry& registry) : registry_(registry) { publish(RouteTable::make({})); }

std::shared_ptr<const Snapshot> RouteBoard::current() const {
  std::lock_guard lock(mutex_);
  return current_;
}

namespace {

// The state of the endpoint at `origin`, the one that its requests in flight hold where there are any.
std::shared_ptr<EndpointState> endpointState(RouteState& route, const net::Origin& origin) {
  auto& slot = route.known[origin];
  auto state = slot.lock();
  if (!state) {
    const auto text = origin.unixPath.empty() ? origin.host + ":" + std::to_string(origin.port) : "unix:" + origin.unixPath;
    state = std::make_shared<EndpointState>(origin, text);
    slot = state;
  }
  return state;
}

}  // namespace

void RouteBoard::publish(std::shared_ptr<const RouteTable> table) {
  std::lock_guard publishing(publishing_);
  // What the last table's routes and endpoints have come to is kept under their names.
  const auto previous = current();
  std::map<std::string, const RouteRuntime*> known;
  if (previous) {
    for (std::size_t i = 0; i < previous->routes.size(); ++i)
      known.emplace(previous->table->routes()[i].name, &previous->routes[i]);
  }
  auto next = std::make_shared<Snapshot>();
  next->table = std::move(table);
  for (const auto& route : next->table->routes()) {
    RouteRuntime runtime;
    const auto old = known.find(route.name);
    runtime.state = old != known.end() ? old->second->state : std::make_shared<RouteState>(registry_, route.name);
    std::erase_if(runtime.state->known, [](const auto& entry) { return entry.second.expired(); });
    for (const auto& backend : route.backends) {
      if (backend.weight == 0 || backend.endpoints.empty()) continue;
      BackendRuntime made{backend.weight, {}};
      for (const auto& origin : backend.endpoints) made.endpoints.push_back(endpointState(*runtime.state, origin));
      runtime.totalWeight += backend.weight;
      runtime.backends.push_back(std::move(made));
    }
    next->routes.push_back(std::move(runtime));
  }
  {
    std::lock_guard lock(mutex_);
    current_ = next;
  }
  version_.fetch_add(1, std::memory_order_release);
  for (const auto& route : next->routes) route.state->queue.wakeAll();  // an endpoint with free slots may have come
  if (previous) {
    for (const auto& route : previous->routes) route.state->queue.wakeAll();
  }
}

}  // namespace slipway::proxy
