// Clock: the only source of time for anything that decides. SystemClock is the real one; FakeClock stands still until a test
// advances it, so a day of autoscaling runs in milliseconds.
//
// now() is monotonic (durations, deadlines); wall() is calendar time for timestamps in objects and logs.
#pragma once
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/task.h"

namespace slipway {

using Duration = std::chrono::nanoseconds;
using TimePoint = std::chrono::steady_clock::time_point;
using WallTime = std::chrono::system_clock::time_point;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint now() const = 0;
  virtual WallTime wall() const = 0;
  // Suspends the calling coroutine until now() >= t. Cancellable like any other await.
  virtual Task<void> sleepUntil(TimePoint t) = 0;
  Task<void> sleepFor(Duration d) { return sleepUntil(now() + std::chrono::duration_cast<TimePoint::duration>(d)); }
};

class SystemClock final : public Clock {
 public:
  TimePoint now() const override { return std::chrono::steady_clock::now(); }
  WallTime wall() const override { return std::chrono::system_clock::now(); }
  Task<void> sleepUntil(TimePoint t) override;
};

// Starts at wall time 2026-01-01T00:00:00Z. Thread-safe; sleepers resume on their own executors after advance().
class FakeClock final : public Clock {
 public:
  FakeClock();
  ~FakeClock() override;
  TimePoint now() const override;
  WallTime wall() const override;
  Task<void> sleepUntil(TimePoint t) override;
  void advance(Duration d);
  std::size_t sleepers() const;  // coroutines asleep now: a test waits for this before it advances

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// "2026-11-24T10:00:00Z" (RFC 3339, UTC, whole seconds), the form of metav1.Time.
std::string formatRfc3339(WallTime t);
// "2026-11-24T10:00:00.123456Z", the form of metav1.MicroTime.
std::string formatRfc3339Micro(WallTime t);
// Accepts both forms and numeric offsets; false on anything else.
bool parseRfc3339(const std::string& text, WallTime* out);

}  // namespace slipway
