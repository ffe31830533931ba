#include "apiserver/watch_hub.h"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <list>

#include "apiserver/api_status.h"

namespace slipway::apiserver {
namespace asio = boost::asio;
namespace {
constexpr std::size_t kChunk = 256;  // changes returned at once

using Changes = WatchHub::Changes;

Task<Result<Changes>> readChanges(Store& store, std::string resource, std::uint64_t after) {
  // Read before recent(): what is committed between the two belongs to the next round.
  const std::uint64_t now = store.revision();
  std::optional<std::vector<Change>> recent = store.recent(resource, after, kChunk);
  Changes changes;
  if (recent) {
    changes.list = std::move(*recent);
  } else {
    Result<std::vector<Change>> old = co_await store.history(resource, after, kChunk);
    if (!old && old.error().code == Code::Gone) co_return expired(after, store.compacted());
    if (!old) co_return fail(old.error());
    changes.list = std::move(*old);
  }
  const std::uint64_t last = changes.list.empty() ? 0 : changes.list.back().revision;
  changes.upTo = changes.list.size() == kChunk ? last : std::max(now, last);
  co_return changes;
}
}  // namespace

struct WatchHub::State {
  State(Store& s, Executor e) : store(s), executor(std::move(e)) {}
  Store& store;
  Executor executor;
  bool closed = false;
  std::map<std::string, std::list<asio::steady_timer*>> waiting;  // by resource
  std::vector<std::function<void(const Store::Batch&)>> observers;
  std::vector<std::function<void()>> closers;

  void wake(std::list<asio::steady_timer*>& timers) {
    for (asio::steady_timer* timer : timers) timer->cancel();
  }
  void onBatch(const Store::Batch& batch) {
    for (auto& observer : observers) observer(batch);
    std::set<std::string_view> resources;
    for (const auto& [resource, change] : batch) resources.insert(resource);
    for (std::string_view resource : resources) {
      if (auto it = waiting.find(std::string(resource)); it != waiting.end()) wake(it->second);
    }
  }
};

class WatchHub::Cursor final : public Subscription {
 public:
  Cursor(std::shared_ptr<State> state, std::string resource, std::uint64_t revision)
      : state_(std::move(state)), resource_(std::move(resource)), revision_(revision) {}

  std::uint64_t revision() const override { return revision_; }

  Task<Result<std::vector<Change>>> next(std::optional<TimePoint> deadline) override {
    for (;;) {
      if (state_->closed) co_return std::vector<Change>{};
      Result<Changes> changes = co_await readChanges(state_->store, resource_, revision_);
      if (!changes) co_return fail(changes.error());
      revision_ = changes->upTo;
      if (!changes->list.empty()) co_return std::move(changes->list);
      if (deadline && std::chrono::steady_clock::now() >= *deadline) co_return std::vector<Change>{};
      co_await wait(deadline);
    }
  }

 private:
  Task<void> wait(std::optional<TimePoint> deadline) {
    asio::steady_timer timer(state_->executor, deadline.value_or(asio::steady_timer::time_point::max()));
    auto& timers = state_->waiting[resource_];
    auto place = timers.insert(timers.end(), &timer);
    struct Leave {
      std::list<asio::steady_timer*>& list;
      std::list<asio::steady_timer*>::iterator it;
      ~Leave() { list.erase(it); }
    } leave{timers, place};
    boost::system::error_code ec;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    const auto cancelled = co_await asio::this_coro::cancellation_state;
    if (cancelled.cancelled() != asio::cancellation_type::none)
      throw boost::system::system_error(asio::error::operation_aborted);
  }

  std::shared_ptr<State> state_;
  std::string resource_;
  std::uint64_t revision_;
};

WatchHub::WatchHub(Store& store, Executor executor) : state_(std::make_shared<State>(store, std::move(executor))) {
  std::weak_ptr<State> weak = state_;
  store.setListener([weak](const Store::Batch& batch) {
    if (auto state = weak.lock()) state->onBatch(batch);
  });
}

WatchHub::~WatchHub() {
  close();
  state_->store.setListener(nullptr);
}

std::unique_ptr<Subscription> WatchHub::subscribe(const std::string& resource, std::uint64_t afterRevision) {
  return std::make_unique<Cursor>(state_, resource, afterRevision);
}

Task<Result<Changes>> WatchHub::read(std::string resource, std::uint64_t afterRevision) const {
  return readChanges(state_->store, std::move(resource), afterRevision);
}

void WatchHub::observe(std::function<void(const Store::Batch&)> observer) {
  state_->observers.push_back(std::move(observer));
}

void WatchHub::onClose(std::function<void()> observer) { state_->closers.push_back(std::move(observer)); }

void WatchHub::close() {
  state_->closed = true;
  for (auto& closer : state_->closers) closer();
  for (auto& [resource, timers] : state_->waiting) state_->wake(timers);
}

bool WatchHub::closed() const { return state_->closed; }
Executor WatchHub::executor() const { return state_->executor; }
const Store& WatchHub::store() const { return state_->store; }

}  // namespace slipway::apiserver
