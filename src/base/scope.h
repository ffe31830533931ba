// TaskScope: owns background coroutines. Every spawned task is counted, cancelled by cancel(), and awaited by join():
// nothing runs on after its owner is gone. One scope per owner; all its tasks run on the scope's executor, and the scope is
// used from that executor only (or before it runs).
//
//   TaskScope scope(executor, "node");
//   scope.spawn("probes", [this] { return probeLoop(); });   // pass the callable itself, never an already made Task
//   ...  scope.cancel();  co_await scope.join();
#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <functional>
#include <list>
#include <memory>
#include <string>

#include "base/task.h"

namespace slipway {

using Executor = boost::asio::any_io_executor;

class TaskScope {
 public:
  TaskScope(Executor executor, std::string name);
  ~TaskScope();  // cancels what still runs; join() first where completion matters
  TaskScope(const TaskScope&) = delete;
  TaskScope& operator=(const TaskScope&) = delete;

  // Starts task() on the executor. An exception other than cancellation is logged with the task's name. After cancel() it
  // does nothing.
  void spawn(std::string taskName, std::function<Task<void>()> task);
  void cancel();
  Task<void> join();
  std::size_t running() const;
  Executor executor() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace slipway
