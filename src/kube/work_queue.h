// WorkQueue: which keys a controller must look at, and when. The semantics of client-go's queue as a pure, single-threaded
// state machine: time is passed in, nothing sleeps. Owned by one Controller, used from its executor.
//
// A key is in the queue once however often it is added, and is never given out twice at a time: a key added while it is
// being worked on becomes ready again at done(). Its size is bounded by the number of distinct keys, that is, of objects.
//
//   queue.add(key, now);  auto work = queue.get(now);  ...  queue.done(*work, now);
#pragma once
#include <deque>
#include <map>
#include <optional>
#include <set>

#include "base/clock.h"
#include "kube/client.h"

namespace slipway::kube {

struct WorkQueueOptions {
  Duration baseDelay = std::chrono::milliseconds(5);  // first retry of a key; doubles each time
  Duration maxDelay = std::chrono::seconds(1000);
  double retriesPerSecond = 10;  // all keys together
  double retryBurst = 100;
};

// Counters under client-go's metric names (workqueue_*); durations are sums in seconds.
struct WorkQueueStats {
  std::uint64_t adds = 0;
  std::uint64_t retries = 0;
  std::uint64_t taken = 0;
  double queueSeconds = 0;  // from ready to get()
  double workSeconds = 0;   // from get() to done()
};

class WorkQueue {
 public:
  // Low is for the first list of an informer and for resyncs: it never delays what a user just changed.
  enum class Priority { High, Low };

  explicit WorkQueue(WorkQueueOptions options = {}) : options_(options), tokens_(options.retryBurst) {}

  void add(const Key& key, TimePoint now, Priority priority = Priority::High);
  // Adds the key at `when`; of several pending times the earliest counts. A time that has passed adds at once.
  void addAt(const Key& key, TimePoint when, TimePoint now);
  // Adds the key after its back-off (baseDelay * 2^n, or later when retriesPerSecond is used up).
  void retry(const Key& key, TimePoint now);
  // Resets the key's back-off; call it after success.
  void forget(const Key& key) { failures_.erase(key); }
  int failures(const Key& key) const;

  // The next ready key, oldest first, or nothing. The caller works on it and then calls done().
  std::optional<Key> get(TimePoint now);
  void done(const Key& key, TimePoint now);

  // When the next delayed key becomes ready; nothing when none is waiting.
  std::optional<TimePoint> nextDue() const;
  bool hasReady(TimePoint now) const { return !high_.empty() || !low_.empty() || (nextDue() && *nextDue() <= now); }
  std::size_t depth() const { return dirty_.size() - dirtyInProcess_; }  // ready now, without those in work or delayed
  std::size_t processing() const { return processing_.size(); }
  std::size_t delayed() const { return delayedAt_.size(); }
  const WorkQueueStats& stats() const { return stats_; }

 private:
  void promoteDue(TimePoint now);
  void push(const Key& key, TimePoint now, Priority priority);
  Duration reserveToken(TimePoint now);

  WorkQueueOptions options_;
  std::deque<Key> high_, low_;  // may hold stale entries; readySince_ decides
  struct Ready {
    TimePoint since;
    Priority priority;
  };
  std::map<Key, Ready> readySince_;
  std::set<Key> dirty_;
  std::size_t dirtyInProcess_ = 0;       // dirty keys that wait for their own done()
  std::map<Key, TimePoint> processing_;  // since when
  std::map<Key, TimePoint> delayedAt_;
  std::set<std::pair<TimePoint, Key>> delayedOrder_;
  std::map<Key, int> failures_;
  double tokens_;
  std::optional<TimePoint> tokensAt_;
  WorkQueueStats stats_;
};

}  // namespace slipway::kube
