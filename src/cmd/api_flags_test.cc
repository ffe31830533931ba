#include "cmd/api_flags.h"

#include <gtest/gtest.h>

namespace slipway::cmd {
namespace {

TEST(ApiFlags, WatchesLeaveFilesForOthers) {
  EXPECT_EQ(watchesWithin(20000, 10000), 10000u);
  EXPECT_EQ(watchesWithin(11000, 10000), 10000u);
  EXPECT_EQ(watchesWithin(4096, 10000), 3096u);
  EXPECT_EQ(watchesWithin(1024, 10000), 512u);
}

TEST(ApiFlags, TheApiMayHaveMoreConnectionsThanWatches) {
  apiserver::HttpOptions options;
  options.maxWatches = 10;
  EXPECT_GT(fitOpenFiles(options), 10u);
  EXPECT_EQ(options.maxWatches, 10u);
}

}  // namespace
}  // namespace slipway::cmd
