#include "node/log_reader.h"

#include <gtest/gtest.h>

#include "kube/testing/loop.h"
#include "node/shim/cri_log.h"
#include "node/testing/temp_folder.h"

namespace slipway::node {
namespace {
using namespace std::chrono_literals;

const WallTime kNow = WallTime(std::chrono::seconds(1767225600));

class LogReaderTest : public ::testing::Test {
 protected:
  std::string read(kube::LogOptions options, bool running = false) {
    net::Body body = openLog(loop_.executor(), path(), options, kNow + 100s, [running] { return running; });
    std::string all;
    for (;;) {
      auto chunk = loop_.run(body.read());
      if (!chunk || chunk->empty()) return all;
      all += *chunk;
    }
  }
  void lines(CriLog& log, int from, int to) {
    for (int i = from; i < to; ++i)
      log.append(CriLog::Stream::Stdout, fmt::format("line {}\n", i), kNow + std::chrono::seconds(i));
  }
  std::string path() const { return dir_ / "0.log"; }
  kube::Loop loop_;
  testing::TempFolder dir_;
};

TEST_F(LogReaderTest, TailCountsWholeLinesAcrossRotatedFiles) {
  CriLog log(path(), 4096, 4);
  ASSERT_TRUE(log.open());
  lines(log, 0, 200);
  EXPECT_EQ(read({.tailLines = 1}), "line 199\n");
  std::string last150;
  for (int i = 50; i < 200; ++i) last150 += fmt::format("line {}\n", i);
  EXPECT_EQ(read({.tailLines = 150}), last150);
  EXPECT_EQ(read({.tailLines = 0}), "");
  EXPECT_TRUE(read({}).ends_with("line 199\n"));
  EXPECT_EQ(lastLogText(path(), 2048, 2), "line 198\nline 199\n");
  EXPECT_EQ(lastLogText(path(), 9, 80), "line 199\n");
}

TEST_F(LogReaderTest, SinceTimestampsAndLimitBytes) {
  CriLog log(path(), 1 << 20, 2);
  ASSERT_TRUE(log.open());
  lines(log, 0, 10);
  EXPECT_EQ(read({.sinceSeconds = 92}), "line 8\nline 9\n");
  EXPECT_EQ(read({.sinceTime = "2026-01-01T00:00:09Z"}), "line 9\n");
  EXPECT_EQ(read({.sinceTime = "2999-01-01T00:00:09Z"}), "");
  EXPECT_EQ(read({.tailLines = 1, .sinceSeconds = std::numeric_limits<std::int64_t>::max()}), "line 9\n");
  EXPECT_EQ(read({.timestamps = true, .tailLines = 1}), "2026-01-01T00:00:09.000000000Z line 9\n");
  EXPECT_EQ(read({.limitBytes = 10}), "line 0\nlin");
}

TEST_F(LogReaderTest, LongLinesAreCutInPiecesAndJoinedAgain) {
  CriLog log(path(), 1 << 20, 2);
  ASSERT_TRUE(log.open());
  const std::string line(40000, 'x');
  log.append(CriLog::Stream::Stdout, line + "\n", kNow);
  log.append(CriLog::Stream::Stderr, "no newline", kNow);
  log.finish(kNow);
  EXPECT_EQ(read({}), line + "\nno newline\n");
  EXPECT_EQ(read({.timestamps = true}).size(), line.size() + 1 + 11 + 2 * 31);
}

TEST_F(LogReaderTest, FollowingGoesThroughRotationWithoutLosingALine) {
  CriLog log(path(), 4096, 50);
  ASSERT_TRUE(log.open());
  bool running = true;
  net::Body body = openLog(loop_.executor(), path(), {.follow = true}, kNow, [&running] { return running; });
  std::string all;
  std::string expected;
  for (int round = 0; round < 20; ++round) {
    lines(log, round * 50, round * 50 + 50);
    for (int i = 0; i < 50; ++i) expected += fmt::format("line {}\n", round * 50 + i);
    while (all.size() < expected.size()) {
      auto chunk = loop_.run(body.read());
      ASSERT_TRUE(chunk && !chunk->empty());
      all += *chunk;
    }
    ASSERT_EQ(all, expected);
  }
  running = false;
  EXPECT_EQ(*loop_.run(body.read()), "");
}

TEST(CriLog, KeepsNoMoreThanItMay) {
  testing::TempFolder dir;
  CriLog log(dir / "x", 4096, 3);
  ASSERT_TRUE(log.open());
  for (int i = 0; i < 1000; ++i) log.append(CriLog::Stream::Stdout, std::string(100, 'y') + "\n", kNow);
  std::size_t files = 0;
  std::uintmax_t bytes = 0;
  for (const auto& e : std::filesystem::directory_iterator(dir.path())) {
    ++files;
    bytes += e.file_size();
  }
  EXPECT_EQ(files, 3U);
  EXPECT_LE(bytes, 3U * 4096 + 300);
}

TEST_F(LogReaderTest, FollowingThroughRotationsLosesAndDoublesNothing) {
  // Rotates every few dozen lines while it is followed, read in between at moments that never fit.
  CriLog log(path(), 4096, 5);
  ASSERT_TRUE(log.open());
  bool running = true;
  net::Body body = openLog(loop_.executor(), path(), {.follow = true}, kNow, [&running] { return running; });
  std::string got, wanted;
  int line = 0;
  for (int round = 0; round < 400; ++round) {
    const int more = 1 + round * 7 % 90;  // at most three rotations between two reads
    lines(log, line, line + more);
    for (int i = line; i < line + more; ++i) wanted += fmt::format("line {}\n", i);
    line += more;
    if (round % 3 == 2) {
      auto chunk = loop_.run(body.read());
      ASSERT_TRUE(chunk);
      got += *chunk;
    }
    while (got.size() < wanted.size() && round % 2 == 1) got += loop_.run(body.read()).value();
  }
  running = false;
  for (auto chunk = loop_.run(body.read()); chunk && !chunk->empty(); chunk = loop_.run(body.read())) got += *chunk;
  EXPECT_EQ(got, wanted);
}

TEST_F(LogReaderTest, AFollowerThatFallsBehindTheOldestFileGoesOnWithWhatIsLeft) {
  CriLog log(path(), 4096, 2);
  ASSERT_TRUE(log.open());
  lines(log, 0, 10);
  net::Body body = openLog(loop_.executor(), path(), {.follow = true}, kNow, [] { return false; });
  std::string got = loop_.run(body.read()).value();
  lines(log, 10, 1000);
  for (auto chunk = loop_.run(body.read()); chunk && !chunk->empty(); chunk = loop_.run(body.read())) got += *chunk;
  EXPECT_TRUE(got.starts_with("line 0\n"));
  EXPECT_TRUE(got.ends_with("line 998\nline 999\n"));
}

TEST_F(LogReaderTest, OneStreamOnly) {
  CriLog log(path(), 1 << 20, 2);
  ASSERT_TRUE(log.open());
  log.append(CriLog::Stream::Stdout, "out\n", kNow);
  log.append(CriLog::Stream::Stderr, "err\n", kNow);
  EXPECT_EQ(read({.stream = "Stdout"}), "out\n");
  EXPECT_EQ(read({.stream = "Stderr"}), "err\n");
  EXPECT_EQ(read({.stream = "All"}), "out\nerr\n");
}

}  // namespace
}  // namespace slipway::node
