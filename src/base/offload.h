// offload(pool, fn): runs a blocking function (SQLite, files, curl, getaddrinfo) on a thread pool and resumes the calling
// coroutine on its own executor with fn's result. The blocking call itself is not interrupted by cancellation.
#pragma once
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/task.h"

namespace slipway {

using BlockingPool = boost::asio::thread_pool;

template <class F>
Task<std::invoke_result_t<F>> offload(BlockingPool& pool, F fn) {
  using R = std::invoke_result_t<F>;
  auto body = [](F f) -> Task<R> { co_return f(); };
  co_return co_await boost::asio::co_spawn(pool, body(std::move(fn)), boost::asio::use_awaitable);
}

}  // namespace slipway
