#include "base/signal.h"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/multiple_exceptions.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace slipway {
namespace asio = boost::asio;

struct Signal::State {
  explicit State(Executor executor) : timer(executor, asio::steady_timer::time_point::max()) {}
  asio::steady_timer timer;  // never fires; cancelling it wakes every waiter
  std::uint64_t round = 0;
};

Signal::Signal(Executor executor) : state_(std::make_shared<State>(std::move(executor))) {}
Signal::~Signal() { notifyAll(); }

void Signal::notifyAll() {
  ++state_->round;
  state_->timer.cancel();
}

// `round` was read when the caller asked, so a notification between then and the first step of this coroutine counts.
Task<void> Signal::waitFrom(std::shared_ptr<State> state, std::uint64_t round) {
  if (state->round != round) co_return;
  boost::system::error_code ec;
  co_await state->timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
  // An aborted wait without a notification is a cancellation of the caller.
  if (state->round == round) throw boost::system::system_error(asio::error::operation_aborted);
}

Task<void> Signal::wait() { return waitFrom(state_, state_->round); }

Task<void> Signal::waitUntil(Clock& clock, std::optional<TimePoint> deadline) {
  using namespace asio::experimental::awaitable_operators;
  if (!deadline) {
    co_await wait();
    co_return;
  }
  bool cancelled = false;
  try {
    co_await (wait() || clock.sleepUntil(*deadline));
  } catch (const asio::multiple_exceptions&) {  // both halves were cancelled
    cancelled = true;
  }
  if (cancelled) throw boost::system::system_error(asio::error::operation_aborted);
}

}  // namespace slipway
