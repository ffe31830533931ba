#include "net/testing/run.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdio>
#include <cstdlib>

namespace slipway::net::testing {
namespace asio = boost::asio;

void run(std::function<Task<void>(Executor)> body, std::chrono::milliseconds limit) {
  asio::io_context io(1);
  bool done = false;
  std::exception_ptr error;
  asio::co_spawn(
      io, [&] { return body(io.get_executor()); },
      [&](std::exception_ptr e) {
        done = true;
        error = e;
        io.stop();
      });
  io.run_for(limit);
  if (!done) {
    std::fprintf(stderr, "test coroutine did not end within %lld ms\n", static_cast<long long>(limit.count()));
    std::abort();
  }
  if (error) std::rethrow_exception(error);
}

Task<bool> eventually(std::function<bool()> condition, std::chrono::milliseconds limit) {
  auto executor = co_await asio::this_coro::executor;
  const auto end = std::chrono::steady_clock::now() + limit;
  asio::steady_timer timer(executor);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) co_return false;
    timer.expires_after(std::chrono::milliseconds(1));
    co_await timer.async_wait(asio::use_awaitable);
  }
  co_return true;
}

}  // namespace slipway::net::testing
