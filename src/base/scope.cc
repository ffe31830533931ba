#include "base/scope.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>

#include "base/log.h"

namespace slipway {
namespace asio = boost::asio;

struct TaskScope::State {
  State(Executor e, std::string n) : executor(e), name(std::move(n)), drained(e, asio::steady_timer::time_point::max()) {}
  Executor executor;
  std::string name;
  bool cancelled = false;
  std::list<asio::cancellation_signal> running;
  // Tasks that ended after cancel(). Asio posts an emit to the executor and it may arrive after the task's end, so the
  // signal must stay until the scope goes.
  std::list<asio::cancellation_signal> ended;
  asio::steady_timer drained;  // never fires; cancelled when the last task ends
};

TaskScope::TaskScope(Executor executor, std::string name) : state_(std::make_shared<State>(executor, std::move(name))) {}

TaskScope::~TaskScope() { cancel(); }

void TaskScope::spawn(std::string taskName, std::function<Task<void>()> task) {
  auto state = state_;
  if (state->cancelled) return;
  auto signal = state->running.emplace(state->running.end());
  auto done = [state, signal, taskName = std::move(taskName)](std::exception_ptr error) {
    if (state->cancelled)
      state->ended.splice(state->ended.end(), state->running, signal);
    else
      state->running.erase(signal);
    if (state->running.empty()) state->drained.cancel();
    if (!error) return;
    try {
      std::rethrow_exception(error);
    } catch (const boost::system::system_error& e) {
      if (e.code() != asio::error::operation_aborted) logError("{}/{}: {}", state->name, taskName, e.what());
    } catch (const std::exception& e) {
      logError("{}/{}: {}", state->name, taskName, e.what());
    }
  };
  asio::co_spawn(state->executor, std::move(task), asio::bind_cancellation_slot(signal->slot(), std::move(done)));
}

void TaskScope::cancel() {
  if (state_->cancelled) return;
  state_->cancelled = true;
  // Emitting may end tasks at once, which moves their signals to `ended`: walk over a copy.
  std::vector<asio::cancellation_signal*> signals;
  for (auto& signal : state_->running) signals.push_back(&signal);
  for (auto* signal : signals) signal->emit(asio::cancellation_type::all);
  asio::post(state_->executor, [state = state_] {});  // after the emits that Asio posted: keeps their signals until then
}

Task<void> TaskScope::join() {
  auto state = state_;
  while (!state->running.empty()) {
    boost::system::error_code ec;
    co_await state->drained.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    state->drained.expires_at(asio::steady_timer::time_point::max());
  }
}

std::size_t TaskScope::running() const { return state_->running.size(); }
Executor TaskScope::executor() const { return state_->executor; }

}  // namespace slipway
