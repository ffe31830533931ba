#include "node/eviction.h"

#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "node/testing/temp_folder.h"

namespace slipway::node {
namespace {

constexpr std::int64_t kMi = 1 << 20;

TEST(Eviction, PodsOverTheirRequestGoFirstThenTheLowestPriorityThenTheLargest) {
  std::vector<PodUse> pods = {{"within", -5, 50 * kMi, 60 * kMi, "", 0, 0},
                              {"important", 10, 900 * kMi, 0, "", 0, 0},
                              {"small", 0, 20 * kMi, 0, "", 0, 0},
                              {"large", 0, 30 * kMi, 0, "", 0, 0}};
  std::vector<std::string> order;
  while (const auto i = memoryVictim(pods)) {
    order.push_back(pods[*i].name);
    pods.erase(pods.begin() + static_cast<std::ptrdiff_t>(*i));
  }
  EXPECT_EQ(order, (std::vector<std::string>{"large", "small", "important", "within"}));
}

// Nobody within the request is chosen while somebody is over it, and nobody over it while a lower priority is.
TEST(Eviction, TheOrderHoldsForAnyPods) {
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    std::vector<PodUse> pods(1 + random() % 8);
    for (PodUse& p : pods) {
      p.priority = static_cast<std::int64_t>(random() % 3);
      p.memory = static_cast<std::int64_t>(random() % 5);
      p.request = static_cast<std::int64_t>(random() % 5);
    }
    const PodUse& chosen = pods[*memoryVictim(pods)];
    for (const PodUse& p : pods) {
      if (p.memory <= p.request) continue;
      ASSERT_GT(chosen.memory, chosen.request);
      ASSERT_LE(chosen.priority, p.priority);
      if (chosen.priority == p.priority) ASSERT_GE(chosen.memory - chosen.request, p.memory - p.request);
    }
  }
}

TEST(Eviction, TheMessageIsTheKubelets) {
  const PodUse victim{"p", 0, 300 * kMi, 0, "c", 200 * kMi, 0};
  EXPECT_EQ(memoryMessage(victim, 51 * 1024, EvictionRule{}),
            "The node was low on resource: memory. Threshold quantity: 100Mi, available: 51Ki. Container c was using 200Mi, "
            "request is 0, has larger consumption of memory. ");
}

TEST(Eviction, StorageLimitsOfVolumesContainersAndThePod) {
  const Json pod = {
      {"spec",
       {{"volumes", Json::array({{{"name", "v"}, {"emptyDir", {{"sizeLimit", "1Mi"}}}},
                                 {{"name", "w"}, {"emptyDir", Json::object()}}})},
        {"containers", Json::array({{{"name", "c"}, {"resources", {{"limits", {{"ephemeral-storage", "4Mi"}}}}}}})}}}};
  EXPECT_TRUE(hasStorageLimits(pod));
  EXPECT_FALSE(storageBreach(pod, {{{"v", kMi}, {"w", 2 * kMi}}, {{"c", kMi}}}));
  EXPECT_EQ(storageBreach(pod, {{{"v", kMi + 1}}, {}}), "Usage of EmptyDir volume \"v\" exceeds the limit \"1Mi\". ");
  EXPECT_EQ(storageBreach(pod, {{}, {{"c", 4 * kMi + 1}}}),
            "Container c exceeded its local ephemeral storage limit \"4Mi\". ");
  EXPECT_EQ(storageBreach(pod, {{{"w", 4 * kMi}}, {{"c", kMi}}}),
            "Pod ephemeral local storage usage exceeds the total limit of containers 4Mi. ");
}

TEST(Eviction, SpaceIsCountedOnDisk) {
  testing::TempFolder dir;
  std::ofstream(dir / "file") << std::string(100'000, 'x');
  EXPECT_GE(bytesBelow(dir.path()), 100'000);
  EXPECT_LT(bytesBelow(dir.path()), 200'000);
  EXPECT_EQ(bytesBelow(dir / "absent"), 0);
  EXPECT_GT(availableMemoryOfMachine(), 0);
}

}  // namespace
}  // namespace slipway::node
