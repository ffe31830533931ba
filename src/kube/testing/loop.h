// Loop: an io_context for tests, driven by hand: no sleeps, no threads. until() turns the loop until a condition holds.
//
//   Loop loop;  FakeClock clock;  FakeClient api(loop.executor(), clock);
//   Json pod = loop.run(api.get(kinds::kPod, {"ns", "p"})).value();
//   EXPECT_TRUE(loop.until([&] { return controller->idle(); }));
#pragma once
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include "base/scope.h"

namespace slipway::kube {

class Loop {
 public:
  Executor executor() { return io_.get_executor(); }
  boost::asio::io_context& io() { return io_; }

  // Runs what is ready. Returns when nothing is.
  void settle() {
    io_.restart();
    io_.poll();
  }
  // Turns the loop until `done()`, at most 10 seconds of real time; false when it never held.
  bool until(const std::function<bool()>& done) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    auto work = boost::asio::make_work_guard(io_);
    while (!done()) {
      if (std::chrono::steady_clock::now() > limit) return false;
      io_.restart();
      io_.run_one_for(std::chrono::milliseconds(20));
    }
    return true;
  }
  // Runs one coroutine to its end and returns its value. What else is ready runs too.
  template <class T>
  T run(Task<T> task) {
    std::optional<T> value;
    std::exception_ptr error;
    boost::asio::co_spawn(io_, std::move(task), [&](std::exception_ptr e, T v) {
      error = e;
      value.emplace(std::move(v));
    });
    until([&] { return value.has_value() || error; });
    if (error) std::rethrow_exception(error);
    return std::move(value).value();
  }
  void run(Task<void> task) {
    bool done = false;
    boost::asio::co_spawn(io_, std::move(task), [&](std::exception_ptr e) {
      done = true;
      if (e) std::rethrow_exception(e);
    });
    until([&] { return done; });
  }

 private:
  boost::asio::io_context io_;
};

}  // namespace slipway::kube
