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

// How long a watch rests between two deliveries, by the number of watches on its resource: what it gathers meanwhile goes
// out as one write. A few watches rest for nothing; a thousand, each of which costs some 10 us a write, get theirs every 30
// ms.
std::chrono::microseconds restBetween(std::size_t watches) {
  constexpr std::size_t kFew = 64;
  constexpr std::chrono::microseconds kEach{30}, kMost{100'000};
  return watches <= kFew ? std::chrono::microseconds(0) : std::min(kMost, kEach * static_cast<int>(watches));
}
}  // namespace

struct WatchHub::State {
  State(Store& s, Executor e, std::size_t l) : store(s), executor(std::move(e)), limit(l) {}
  Store& store;
  Executor executor;
  std::size_t limit;
  std::size_t open = 0;
  std::map<std::string, std::size_t> openBy;  // by resource
  bool closed = false;
  std::map<std::string, std::list<asio::steady_timer*>> waiting;  // by resource
  std::vector<std::function<void(const Store::Batch&)>> observers;

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
  Cursor(std::shared_ptr<State> state, std::string resource, std::uint64_t revision, bool counted)
      : state_(std::move(state)), resource_(std::move(resource)), revision_(revision), counted_(counted) {
    if (!counted_) return;
    ++state_->open;
    ++state_->openBy[resource_];
  }
  ~Cursor() override {
    if (!counted_) return;
    --state_->open;
    --state_->openBy[resource_];
  }

  std::uint64_t revision() const override { return revision_; }

  Task<Result<std::vector<Change>>> next(std::optional<TimePoint> deadline) override {
    co_await rest();
    for (;;) {
      if (state_->closed) co_return std::vector<Change>{};
      Result<std::vector<Change>> changes = co_await read();
      delivered_ = std::chrono::steady_clock::now();
      if (!changes || !changes->empty()) co_return changes;
      if (deadline && std::chrono::steady_clock::now() >= *deadline) co_return changes;
      co_await wait(deadline);
    }
  }

 private:
  Task<Result<std::vector<Change>>> read() {
    // Read before recent(): what is committed between the two belongs to the next round.
    const std::uint64_t now = state_->store.revision();
    std::optional<std::vector<Change>> recent = state_->store.recent(resource_, revision_, kChunk);
    Result<std::vector<Change>> changes;
    if (recent) {
      changes = std::move(*recent);
    } else {
      changes = co_await state_->store.history(resource_, revision_, kChunk);
      if (!changes && changes.error().code == Code::Gone) co_return expired(revision_, state_->store.compacted());
      if (!changes) co_return changes;
    }
    if (changes->size() == kChunk)
      revision_ = changes->back().revision;
    else
      revision_ = std::max(now, changes->empty() ? 0 : changes->back().revision);
    co_return changes;
  }

  Task<void> rest() {
    if (!counted_) co_return;
    const auto until = delivered_ + restBetween(state_->openBy[resource_]);
    if (until <= std::chrono::steady_clock::now()) co_return;
    asio::steady_timer timer(state_->executor, until);
    boost::system::error_code ec;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
  }

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
  bool counted_;  // a client's; our own neither count nor rest
  TimePoint delivered_;
};

WatchHub::WatchHub(Store& store, Executor executor, std::size_t limit)
    : state_(std::make_shared<State>(store, std::move(executor), limit)) {
  std::weak_ptr<State> weak = state_;
  store.setListener([weak](const Store::Batch& batch) {
    if (auto state = weak.lock()) state->onBatch(batch);
  });
}

WatchHub::~WatchHub() {
  close();
  state_->store.setListener(nullptr);
}

Result<std::unique_ptr<Subscription>> WatchHub::subscribe(const std::string& resource, std::uint64_t afterRevision,
                                                          bool counted) {
  if (counted && state_->open >= state_->limit) {
    return fail(Code::TooMany,
                fmt::format("{} watches are open, the limit (--max-watches); close one and try again", state_->limit));
  }
  return std::make_unique<Cursor>(state_, resource, afterRevision, counted);
}

void WatchHub::observe(std::function<void(const Store::Batch&)> observer) {
  state_->observers.push_back(std::move(observer));
}

void WatchHub::close() {
  state_->closed = true;
  for (auto& [resource, timers] : state_->waiting) state_->wake(timers);
}

bool WatchHub::closed() const { return state_->closed; }
std::size_t WatchHub::subscriptions() const { return state_->open; }

}  // namespace slipway::apiserver
