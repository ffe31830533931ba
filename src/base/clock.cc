#include "base/clock.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdio>
#include <ctime>
#include <vector>

namespace slipway {
namespace asio = boost::asio;

Task<void> SystemClock::sleepUntil(TimePoint t) {
  auto executor = co_await asio::this_coro::executor;
  asio::steady_timer timer(executor, t);
  co_await timer.async_wait(asio::use_awaitable);
}

struct FakeClock::State {
  mutable std::mutex mutex;
  TimePoint now{std::chrono::hours(1)};
  WallTime wall{std::chrono::seconds(1767225600)};
  // A sleeper is a timer that never fires by itself; advance() cancels it when its time has come.
  std::multimap<TimePoint, std::shared_ptr<asio::steady_timer>> sleepers;
};

FakeClock::FakeClock() : state_(std::make_shared<State>()) {}
FakeClock::~FakeClock() = default;

TimePoint FakeClock::now() const {
  std::lock_guard lock(state_->mutex);
  return state_->now;
}

WallTime FakeClock::wall() const {
  std::lock_guard lock(state_->mutex);
  return state_->wall;
}

std::size_t FakeClock::sleepers() const {
  std::lock_guard lock(state_->mutex);
  return state_->sleepers.size();
}

Task<void> FakeClock::sleepUntil(TimePoint t) {
  auto state = state_;
  auto executor = co_await asio::this_coro::executor;
  auto timer = std::make_shared<asio::steady_timer>(executor, asio::steady_timer::time_point::max());
  std::multimap<TimePoint, std::shared_ptr<asio::steady_timer>>::iterator it;
  {
    std::lock_guard lock(state->mutex);
    if (state->now >= t) co_return;
    it = state->sleepers.emplace(t, timer);
  }
  boost::system::error_code ec;
  co_await timer->async_wait(asio::redirect_error(asio::use_awaitable, ec));
  std::lock_guard lock(state->mutex);
  if (state->now >= t) co_return;  // advance() removed the entry
  state->sleepers.erase(it);
  throw boost::system::system_error(asio::error::operation_aborted);
}

void FakeClock::advance(Duration d) {
  std::vector<std::shared_ptr<asio::steady_timer>> due;
  {
    std::lock_guard lock(state_->mutex);
    state_->now += std::chrono::duration_cast<TimePoint::duration>(d);
    state_->wall += std::chrono::duration_cast<WallTime::duration>(d);
    auto end = state_->sleepers.upper_bound(state_->now);
    for (auto it = state_->sleepers.begin(); it != end; ++it) due.push_back(it->second);
    state_->sleepers.erase(state_->sleepers.begin(), end);
  }
  for (auto& timer : due) asio::post(timer->get_executor(), [timer] { timer->cancel(); });
}

namespace {
std::string formatDate(std::time_t seconds) {
  std::tm tm{};
  gmtime_r(&seconds, &tm);
  char buffer[40];
  std::strftime(buffer, sizeof buffer, "%Y-%m-%dT%H:%M:%S", &tm);
  return buffer;
}
}  // namespace

std::string formatRfc3339(WallTime t) {
  return formatDate(std::chrono::duration_cast<std::chrono::seconds>(t.time_since_epoch()).count()) + "Z";
}

std::string formatRfc3339Micro(WallTime t) {
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(t.time_since_epoch()).count();
  char fraction[16];
  std::snprintf(fraction, sizeof fraction, ".%06ldZ", static_cast<long>(micros % 1000000));
  return formatDate(micros / 1000000) + fraction;
}

bool parseRfc3339(const std::string& text, WallTime* out) {
  std::tm tm{};
  const char* rest = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &tm);
  if (rest == nullptr) return false;
  std::chrono::nanoseconds fraction{0};
  if (*rest == '.') {
    std::int64_t scale = 100000000;
    for (++rest; *rest >= '0' && *rest <= '9'; ++rest, scale /= 10)
      fraction += std::chrono::nanoseconds((*rest - '0') * scale);
  }
  int offset = 0;
  if (*rest == 'Z' || *rest == 'z') {
    ++rest;
  } else {
    char sign = 0;
    int hours = 0;
    int minutes = 0;
    int used = 0;
    if (std::sscanf(rest, "%c%2d:%2d%n", &sign, &hours, &minutes, &used) != 3 || (sign != '+' && sign != '-')) return false;
    offset = (hours * 60 + minutes) * 60 * (sign == '-' ? -1 : 1);
    rest += used;
  }
  if (*rest != 0) return false;
  // What the clock's nanoseconds cannot express, before 1678 and after 2261, becomes their border.
  constexpr std::int64_t kBorder = 9'223'372'035;
  const std::int64_t seconds = std::clamp<std::int64_t>(timegm(&tm) - offset, -kBorder, kBorder);
  *out = WallTime(std::chrono::seconds(seconds)) + std::chrono::duration_cast<WallTime::duration>(fraction);
  return true;
}

}  // namespace slipway
