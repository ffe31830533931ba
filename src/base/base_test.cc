#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <set>

#include "base/clock.h"
#include "base/ids.h"
#include "base/offload.h"
#include "base/result.h"
#include "base/scope.h"

namespace slipway {
namespace {
using namespace std::chrono_literals;

TEST(Result, MapsCodesToHttpStatusAndBack) {
  EXPECT_EQ(httpStatus(Code::NotFound), 404);
  EXPECT_EQ(httpStatus(Code::Invalid), 422);
  EXPECT_EQ(codeFromHttp(404), Code::NotFound);
  EXPECT_EQ(codeFromHttp(418), Code::BadRequest);
  EXPECT_EQ(codeFromHttp(599), Code::Internal);
}

Result<int> half(int n) {
  if (n % 2) return fail(Code::Invalid, "odd");
  return n / 2;
}
Result<int> quarter(int n) {
  SLIP_TRY(auto h, half(n));
  return half(h);
}

TEST(Result, TryReturnsTheFirstError) {
  EXPECT_EQ(*quarter(8), 2);
  EXPECT_EQ(quarter(6).error().message, "odd");
}

TEST(Clock, Rfc3339RoundTrip) {
  WallTime t;
  ASSERT_TRUE(parseRfc3339("2026-11-24T10:00:00Z", &t));
  EXPECT_EQ(formatRfc3339(t), "2026-11-24T10:00:00Z");
  ASSERT_TRUE(parseRfc3339("2026-11-24T12:00:00.5+02:00", &t));
  EXPECT_EQ(formatRfc3339Micro(t), "2026-11-24T10:00:00.500000Z");
  WallTime far;
  ASSERT_TRUE(parseRfc3339("2999-01-01T00:00:00Z", &far));
  EXPECT_GT(far, t);
  ASSERT_TRUE(parseRfc3339("1066-10-14T00:00:00Z", &far));
  EXPECT_LT(far, t);
  EXPECT_FALSE(parseRfc3339("yesterday", &t));
  EXPECT_FALSE(parseRfc3339("2026-11-24T10:00:00", &t));
}

TEST(FakeClock, RunsAThousandHoursAtOnce) {
  boost::asio::io_context io;
  FakeClock clock;
  int ticks = 0;
  TaskScope scope(io.get_executor(), "test");
  scope.spawn("ticker", [&]() -> Task<void> {
    for (int i = 0; i < 1000; ++i) {
      co_await clock.sleepFor(1h);
      ++ticks;
    }
  });
  for (int i = 0; i < 1000; ++i) {
    io.restart();
    io.poll();
    clock.advance(1h);
  }
  io.restart();
  io.poll();
  EXPECT_EQ(ticks, 1000);
}

TEST(TaskScope, CancelEndsSleepingTasksAndJoinWaitsForThem) {
  boost::asio::io_context io;
  SystemClock clock;
  bool joined = false;
  TaskScope scope(io.get_executor(), "test");
  scope.spawn("sleeper", [&]() -> Task<void> { co_await clock.sleepFor(1h); });
  boost::asio::co_spawn(
      io,
      [&]() -> Task<void> {
        scope.cancel();
        co_await scope.join();
        joined = true;
      },
      boost::asio::detached);
  io.run();
  EXPECT_TRUE(joined);
  EXPECT_EQ(scope.running(), 0u);
}

TEST(TaskScope, CancelMayMeetTasksThatHaveJustEnded) {
  boost::asio::io_context io;
  FakeClock clock;
  for (bool keepScope : {true, false}) {
    auto scope = std::make_unique<TaskScope>(io.get_executor(), "test");
    for (int i = 0; i < 3; ++i) scope->spawn("sleeper", [&]() -> Task<void> { co_await clock.sleepFor(1h); });
    io.restart();
    io.poll();
    clock.advance(1h);
    for (int i = 0; i < 3; ++i) io.poll_one();  // their ends are now queued on the executor, in front of the cancellations
    scope->cancel();
    if (!keepScope) scope.reset();
    io.restart();
    io.poll();
    if (scope) EXPECT_EQ(scope->running(), 0u);
  }
}

TEST(Ids, UuidsAreVersion4AndDiffer) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    auto id = newUuid();
    EXPECT_EQ(id.size(), 36u);
    EXPECT_EQ(id[14], '4');
    EXPECT_NE(std::string("89ab").find(id[19]), std::string::npos);
    seen.insert(id);
  }
  EXPECT_EQ(seen.size(), 100u);
  EXPECT_EQ(randomSuffix(5).size(), 5u);
}

TEST(Offload, RunsOnThePoolAndResumesHere) {
  boost::asio::io_context io;
  BlockingPool pool(1);
  int value = 0;
  boost::asio::co_spawn(
      io,
      [&]() -> Task<void> {
        const auto here = std::this_thread::get_id();
        auto there = co_await offload(pool, [] { return std::this_thread::get_id(); });
        EXPECT_NE(here, there);
        EXPECT_EQ(here, std::this_thread::get_id());
        value = 1;
      },
      boost::asio::detached);
  io.run();
  EXPECT_EQ(value, 1);
}

}  // namespace
}  // namespace slipway
