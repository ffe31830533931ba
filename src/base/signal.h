// Signal: lets coroutines of one executor wait until something may have changed. A waiter re-checks its condition after
// every wake-up; between the check and wait() there is no suspension, so no wake-up is lost.
//
//   while (!ready) {
//     co_await signal.wait();
//   }
#pragma once
#include <memory>
#include <optional>

#include "base/clock.h"
#include "base/scope.h"
#include "base/task.h"

namespace slipway {

class Signal {
 public:
  explicit Signal(Executor executor);
  ~Signal();
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;

  void notifyAll();
  Task<void> wait();
  // Returns at the next notifyAll() or at `deadline`, whichever comes first; without a deadline as wait().
  Task<void> waitUntil(Clock& clock, std::optional<TimePoint> deadline);

 private:
  struct State;
  static Task<void> waitFrom(std::shared_ptr<State> state, std::uint64_t round);
  std::shared_ptr<State> state_;  // shared with waiters, which may outlive the owner by one turn of the loop
};

}  // namespace slipway
