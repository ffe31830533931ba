// WatchHub: wakes whoever waits for changes of a resource. A subscription is a cursor into the store's window of changes,
// not a queue of its own: a slow reader costs nothing but its own 410. Our own controllers subscribe; clients of the API,
// who may be thousands, read a WatchFeed (watch_feed.h), which observes.
//
// Lives on one executor, with the store's listener; subscriptions are awaited there.
//
//   auto sub = hub.subscribe("pods", revision);      auto changes = co_await sub->next(clock.now() + 60s);
#pragma once
#include <functional>
#include <memory>
#include <optional>

#include "apiserver/store.h"

namespace slipway::apiserver {

class Subscription {
 public:
  virtual ~Subscription() = default;
  // The next changes in order, at least one; none when `deadline` passed or the hub closed. Gone when the cursor has been
  // compacted. Cancelling the await ends it with an exception as any other.
  virtual Task<Result<std::vector<Change>>> next(std::optional<TimePoint> deadline = {}) = 0;
  // Everything up to this revision has been returned by next() (or did not concern this resource).
  virtual std::uint64_t revision() const = 0;
};

class WatchHub {
 public:
  // Takes the store's listener; `store` must outlive the hub.
  WatchHub(Store& store, Executor executor);
  ~WatchHub();
  std::unique_ptr<Subscription> subscribe(const std::string& resource, std::uint64_t afterRevision);
  // The changes of a resource after a revision, from memory or the table: some of them, in order. Everything through `upTo`
  // is among them or concerns others. Gone when that is compacted.
  struct Changes {
    std::vector<Change> list;
    std::uint64_t upTo = 0;
  };
  Task<Result<Changes>> read(std::string resource, std::uint64_t afterRevision) const;
  // Called for every batch of committed changes, before waiting subscriptions wake.
  void observe(std::function<void(const Store::Batch&)> observer);
  void onClose(std::function<void()> observer);
  void close();  // every waiting next() returns nothing, and so do later ones
  bool closed() const;
  Executor executor() const;
  const Store& store() const;

 private:
  struct State;
  class Cursor;
  std::shared_ptr<State> state_;
};

}  // namespace slipway::apiserver
