#include "serving/memory.h"

#include <gtest/gtest.h>

#include <fstream>

namespace slipway::serving {
namespace {
std::size_t fileKilobytes() {
  std::ifstream in("/proc/self/status");
  std::string line;
  unsigned long kilobytes = 0;
  while (std::getline(in, line))
    if (std::sscanf(line.c_str(), "RssFile: %lu", &kilobytes) == 1) break;
  return kilobytes;
}

TEST(Memory, ReleasedPagesComeBackAsTheyWere) {
  const std::size_t before = fileKilobytes();
  releaseStartupPages();
  EXPECT_LT(fileKilobytes(), before);
  EXPECT_EQ(fmt::format("{} {:.3f}", "still", 1.5), "still 1.500");
  releaseStartupPages();
  EXPECT_THROW((void)std::stoi("not a number"), std::invalid_argument);
}
}  // namespace
}  // namespace slipway::serving
