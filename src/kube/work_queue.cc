#include "kube/work_queue.h"

#include <cmath>

namespace slipway::kube {
namespace {
double seconds(Duration d) { return std::chrono::duration<double>(d).count(); }
}  // namespace

void WorkQueue::add(const Key& key, TimePoint now, Priority priority) {
  if (!dirty_.insert(key).second) {
    auto it = readySince_.find(key);
    const bool promote = it != readySince_.end() && it->second.priority == Priority::Low && priority == Priority::High;
    if (promote) {
      it->second.priority = Priority::High;  // its entry in low_ is now stale and is skipped by get()
      high_.push_back(key);
    }
    return;
  }
  ++stats_.adds;
  if (processing_.contains(key)) {
    ++dirtyInProcess_;
    return;
  }
  push(key, now, priority);
}

void WorkQueue::push(const Key& key, TimePoint now, Priority priority) {
  readySince_[key] = Ready{now, priority};
  (priority == Priority::High ? high_ : low_).push_back(key);
}

void WorkQueue::addAt(const Key& key, TimePoint when, TimePoint now) {
  if (when <= now) return add(key, now);
  auto [it, isNew] = delayedAt_.try_emplace(key, when);
  if (!isNew) {
    if (it->second <= when) return;
    delayedOrder_.erase({it->second, key});
    it->second = when;
  }
  delayedOrder_.insert({when, key});
}

void WorkQueue::retry(const Key& key, TimePoint now) {
  const int n = failures_[key]++;
  // 2^40 * 5 ms is far beyond any maxDelay; the exponent is capped so that the product cannot overflow.
  const double wait = std::min(std::ldexp(seconds(options_.baseDelay), std::min(n, 40)), seconds(options_.maxDelay));
  const auto backoff = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(wait));
  ++stats_.retries;
  addAt(key, now + std::max(backoff, reserveToken(now)), now);
}

int WorkQueue::failures(const Key& key) const {
  auto it = failures_.find(key);
  return it == failures_.end() ? 0 : it->second;
}

Duration WorkQueue::reserveToken(TimePoint now) {
  if (tokensAt_) {
    tokens_ = std::min(options_.retryBurst, tokens_ + seconds(now - *tokensAt_) * options_.retriesPerSecond);
  }
  tokensAt_ = now;
  tokens_ -= 1;
  if (tokens_ >= 0) return Duration::zero();
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(-tokens_ / options_.retriesPerSecond));
}

void WorkQueue::promoteDue(TimePoint now) {
  while (!delayedOrder_.empty() && delayedOrder_.begin()->first <= now) {
    const Key key = delayedOrder_.begin()->second;
    delayedOrder_.erase(delayedOrder_.begin());
    delayedAt_.erase(key);
    add(key, now);
  }
}

std::optional<Key> WorkQueue::get(TimePoint now) {
  promoteDue(now);
  for (auto* queue : {&high_, &low_}) {
    const auto priority = queue == &high_ ? Priority::High : Priority::Low;
    while (!queue->empty()) {
      const Key key = queue->front();
      queue->pop_front();
      auto it = readySince_.find(key);
      if (it == readySince_.end() || it->second.priority != priority) continue;
      stats_.queueSeconds += seconds(now - it->second.since);
      ++stats_.taken;
      readySince_.erase(it);
      dirty_.erase(key);
      processing_[key] = now;
      return key;
    }
  }
  return std::nullopt;
}

void WorkQueue::done(const Key& key, TimePoint now) {
  auto it = processing_.find(key);
  if (it == processing_.end()) return;
  stats_.workSeconds += seconds(now - it->second);
  processing_.erase(it);
  if (!dirty_.contains(key)) return;
  --dirtyInProcess_;
  push(key, now, Priority::High);
}

std::optional<TimePoint> WorkQueue::nextDue() const {
  if (delayedOrder_.empty()) return std::nullopt;
  return delayedOrder_.begin()->first;
}

}  // namespace slipway::kube
