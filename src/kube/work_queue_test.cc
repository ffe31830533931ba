#include "kube/work_queue.h"

#include <gtest/gtest.h>

namespace slipway::kube {
namespace {
using namespace std::chrono_literals;

const TimePoint t0{1h};
Key k(const char* name) { return Key{"ns", name}; }

TEST(WorkQueue, GivesEachKeyOnceInOrder) {
  WorkQueue q;
  q.add(k("a"), t0);
  q.add(k("b"), t0);
  q.add(k("a"), t0);
  EXPECT_EQ(q.depth(), 2u);
  EXPECT_EQ(q.get(t0), k("a"));
  EXPECT_EQ(q.get(t0), k("b"));
  EXPECT_EQ(q.get(t0), std::nullopt);
  EXPECT_EQ(q.stats().adds, 2u);
}

TEST(WorkQueue, KeyAddedDuringWorkComesBackAfterDoneAndNotBefore) {
  WorkQueue q;
  q.add(k("a"), t0);
  q.get(t0);
  q.add(k("a"), t0);
  q.add(k("a"), t0);
  EXPECT_EQ(q.get(t0), std::nullopt);
  EXPECT_EQ(q.depth(), 0u);
  q.done(k("a"), t0);
  EXPECT_EQ(q.get(t0), k("a"));
  q.done(k("a"), t0);
  EXPECT_EQ(q.get(t0), std::nullopt);
}

TEST(WorkQueue, BackOffDoublesPerKeyFromFiveMillisecondsToThousandSeconds) {
  WorkQueue q;
  TimePoint now = t0;
  std::vector<Duration> delays;
  for (int i = 0; i < 20; ++i) {
    q.retry(k("a"), now);
    ASSERT_TRUE(q.nextDue());
    delays.push_back(*q.nextDue() - now);
    now = *q.nextDue();
    ASSERT_EQ(q.get(now), k("a"));
    q.done(k("a"), now);
  }
  EXPECT_EQ(delays[0], 5ms);
  EXPECT_EQ(delays[1], 10ms);
  EXPECT_EQ(delays[10], 5120ms);
  EXPECT_EQ(delays[18], 1000s);
  EXPECT_EQ(delays[19], 1000s);
  q.forget(k("a"));
  q.retry(k("a"), now);
  EXPECT_EQ(*q.nextDue() - now, 5ms);
}

TEST(WorkQueue, RetriesOfAllKeysTogetherAreTenPerSecondAfterABurstOfHundred) {
  WorkQueue q;
  for (int i = 0; i < 100; ++i) q.retry(Key{"ns", std::to_string(i)}, t0);
  std::size_t early = 0;
  while (q.get(t0 + 6ms)) ++early;
  EXPECT_EQ(early, 100u);
  q.retry(k("late1"), t0);
  q.retry(k("late2"), t0);
  EXPECT_EQ(q.get(t0 + 99ms), std::nullopt);
  EXPECT_EQ(q.get(t0 + 101ms), k("late1"));
  EXPECT_EQ(q.get(t0 + 199ms), std::nullopt);
  EXPECT_EQ(q.get(t0 + 201ms), k("late2"));
}

TEST(WorkQueue, EarliestOfSeveralDelaysCounts) {
  WorkQueue q;
  q.addAt(k("a"), t0 + 10s, t0);
  q.addAt(k("a"), t0 + 5s, t0);
  q.addAt(k("a"), t0 + 20s, t0);
  EXPECT_EQ(*q.nextDue(), t0 + 5s);
  EXPECT_EQ(q.get(t0 + 4s), std::nullopt);
  EXPECT_EQ(q.get(t0 + 5s), k("a"));
  q.done(k("a"), t0 + 5s);
  EXPECT_EQ(q.get(t0 + 60s), std::nullopt);
}

TEST(WorkQueue, FreshChangesOvertakeTheInitialList) {
  WorkQueue q;
  q.add(k("old1"), t0, WorkQueue::Priority::Low);
  q.add(k("old2"), t0, WorkQueue::Priority::Low);
  q.add(k("new"), t0);
  q.add(k("old2"), t0);  // touched again by a user: promoted
  EXPECT_EQ(q.get(t0), k("new"));
  EXPECT_EQ(q.get(t0), k("old2"));
  EXPECT_EQ(q.get(t0), k("old1"));
  EXPECT_EQ(q.get(t0), std::nullopt);
}

// Whatever happens: a key is never out twice at once, and a key that was added comes out again.
TEST(WorkQueue, RandomOperationsLoseNothingAndNeverDuplicate) {
  std::uint32_t seed = 12345;
  auto random = [&](std::uint32_t n) {
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
  };
  WorkQueue q;
  TimePoint now = t0;
  std::set<Key> working, owed;  // owed: added and not given out since
  for (int step = 0; step < 20000; ++step) {
    const Key key{"ns", std::to_string(random(8))};
    switch (random(5)) {
      case 0:
        q.add(key, now);
        owed.insert(key);
        break;
      case 1:
        q.add(key, now, WorkQueue::Priority::Low);
        owed.insert(key);
        break;
      case 2: q.addAt(key, now + std::chrono::milliseconds(1 + random(50)), now); break;
      case 3: {
        auto got = q.get(now);
        if (!got) break;
        ASSERT_TRUE(working.insert(*got).second) << "given out twice: " << got->name;
        owed.erase(*got);
        break;
      }
      default:
        if (working.empty()) break;
        q.done(*working.begin(), now);
        working.erase(working.begin());
    }
    now += std::chrono::milliseconds(random(3));
  }
  for (const auto& key : working) q.done(key, now);
  while (auto got = q.get(now + 1h)) {
    owed.erase(*got);
    q.done(*got, now);
  }
  EXPECT_TRUE(owed.empty());
  EXPECT_EQ(q.depth() + q.delayed() + q.processing(), 0u);
}

}  // namespace
}  // namespace slipway::kube
