// WorkSet: keys that wait to be looked at, each at most once, for one worker coroutine. Used from one executor.
//
//   set.add(key);   …   Key key = co_await set.take();   // suspends until there is one
//   set.addAfter(key, std::chrono::seconds(1));          // it failed: try again, but not at once
#pragma once
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <chrono>
#include <deque>
#include <map>
#include <set>

#include "base/scope.h"

namespace slipway::apiserver {

template <class Key>
class WorkSet {
 public:
  explicit WorkSet(Executor executor) : wake_(executor, boost::asio::steady_timer::time_point::max()) {}

  void add(Key key) {
    if (!known_.insert(key).second) return;
    order_.push_back(std::move(key));
    wake_.cancel();
  }
  void addAfter(Key key, std::chrono::milliseconds delay) {
    if (!delayed_.insert(key).second) return;
    due_.emplace(std::chrono::steady_clock::now() + delay, std::move(key));
    wake_.cancel();
  }
  bool idle() const { return order_.empty() && delayed_.empty() && !busy_; }

  Task<Key> take() {
    busy_ = false;
    for (;;) {
      addDue();
      if (!order_.empty()) break;
      wake_.expires_at(due_.empty() ? std::chrono::steady_clock::time_point::max() : due_.begin()->first);
      boost::system::error_code ec;
      co_await wake_.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ec));
      const auto state = co_await boost::asio::this_coro::cancellation_state;
      if (state.cancelled() != boost::asio::cancellation_type::none) {
        throw boost::system::system_error(boost::asio::error::operation_aborted);
      }
    }
    Key key = std::move(order_.front());
    order_.pop_front();
    known_.erase(key);
    busy_ = true;
    co_return key;
  }

 private:
  void addDue() {
    const auto now = std::chrono::steady_clock::now();
    while (!due_.empty() && due_.begin()->first <= now) {
      Key key = std::move(due_.begin()->second);
      due_.erase(due_.begin());
      delayed_.erase(key);
      add(std::move(key));
    }
  }

  std::set<Key> known_, delayed_;
  std::deque<Key> order_;
  std::multimap<std::chrono::steady_clock::time_point, Key> due_;
  boost::asio::steady_timer wake_;
  bool busy_ = false;
};

// An object of the store: resource ("pods"), namespace, name.
struct ObjectRef {
  std::string resource, ns, name;
  auto operator<=>(const ObjectRef&) const = default;
};

}  // namespace slipway::apiserver
