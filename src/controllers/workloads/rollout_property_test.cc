// Deployments over random lives: whatever pods do and users change, a rolling update keeps its bounds and ends.
#include <gtest/gtest.h>

#include <random>

#include "controllers/workloads/rollout.h"

namespace slipway::workloads {
namespace {

const WallTime kNow{std::chrono::seconds(1767225600)};

Json deployment(int replicas, const Json& surge, const Json& unavailable) {
  return {
      {"apiVersion", "apps/v1"},
      {"kind", "Deployment"},
      {"metadata", {{"name", "web"}, {"namespace", "ns"}, {"uid", "d"}, {"generation", 1}}},
      {"spec",
       {{"replicas", replicas},
        {"revisionHistoryLimit", 2},
        {"selector", {{"matchLabels", {{"app", "web"}}}}},
        {"strategy", {{"type", "RollingUpdate"}, {"rollingUpdate", {{"maxSurge", surge}, {"maxUnavailable", unavailable}}}}},
        {"template", {{"metadata", {{"labels", {{"app", "web"}}}}}, {"spec", {{"v", 0}}}}}}}};
}

// A few ReplicaSets whose pods become available at random.
class World {
 public:
  explicit World(unsigned seed) : random_(seed) {
    const Json amounts[] = {"0%", "25%", "50%", 0, 1, 2};
    deployment_ = deployment(1 + pick(6), amounts[pick(6)], amounts[pick(6)]);
  }
  int pick(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }
  Json& spec() { return deployment_["spec"]; }
  const Json& object() const { return deployment_; }

  // True when nothing was left to do.
  bool step() {
    std::vector<Object> sets;
    for (const auto& [name, set] : sets_) sets.push_back(std::make_shared<const Json>(set));
    const std::vector<Object> pods;
    const RolloutPlan plan = planRollout({deployment_, sets, pods, kNow});
    if (!plan.revision.empty()) deployment_["metadata"]["annotations"][kRevision] = plan.revision;
    if (plan.create) add(*plan.create);
    const Object current = currentSet(deployment_, sets);
    if (!plan.newSetPatch.is_null()) sets_[textAt(at(*current, "metadata"), "name")].merge_patch(plan.newSetPatch);
    bool scaled = false;
    for (const ScaleStep& s : plan.scale) {
      Json& set = sets_[textAt(at(*s.set, "metadata"), "name")];
      scaled = scaled || set["spec"]["replicas"] != s.to;
      set["spec"]["replicas"] = s.to;
      if (!s.annotations.is_null()) set["metadata"]["annotations"].update(s.annotations);
      int& up = available_[textAt(at(set, "metadata"), "name")];
      up = std::min(up, s.to);
    }
    for (const Object& old : plan.forget) sets_.erase(textAt(at(*old, "metadata"), "name"));
    return !plan.create && !scaled && plan.forget.empty();
  }
  void live() {
    for (auto& [name, set] : sets_) {
      int& up = available_[name];
      const int wanted = set["spec"]["replicas"].get<int>();
      if (up < wanted && pick(2) == 0) ++up;
      set["status"] = {{"replicas", wanted}, {"availableReplicas", up}, {"observedGeneration", 1}};
    }
  }
  int total() const {
    int n = 0;
    for (const auto& [name, set] : sets_) n += set["spec"]["replicas"].get<int>();
    return n;
  }
  int available() const {
    int n = 0;
    for (const auto& [name, set] : sets_) n += available_.at(name);
    return n;
  }
  std::size_t sets() const { return sets_.size(); }

 private:
  void add(Json set) {
    const std::string name = textAt(at(set, "metadata"), "name");
    set["metadata"]["uid"] = "s" + std::to_string(++made_);
    set["metadata"]["generation"] = 1;
    set["metadata"]["creationTimestamp"] = formatRfc3339(kNow + std::chrono::seconds(made_));
    available_[name] = 0;
    sets_[name] = std::move(set);
  }
  std::mt19937 random_;
  Json deployment_;
  std::map<std::string, Json> sets_;
  std::map<std::string, int> available_;
  int made_ = 0;
};

TEST(RolloutProperty, ARollingUpdateKeepsItsBoundsAndEnds) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    World world(seed);
    const Bounds bounds = rolloutBounds(world.object());
    const int wanted = wantedReplicas(world.object());
    bool reached = false;  // the lowest number of available pods holds once it was reached
    int changes = 0;
    int quiet = 0;
    for (int step = 0; step < 600 && quiet < 40; ++step) {
      const bool idle = world.step();
      world.live();
      ASSERT_LE(world.total(), wanted + bounds.maxSurge) << "seed " << seed << " step " << step;
      reached = reached || world.available() >= wanted;
      if (reached) ASSERT_GE(world.available(), wanted - bounds.maxUnavailable) << "seed " << seed << " step " << step;
      if (changes < 4 && world.pick(15) == 0) {
        world.spec()["template"]["spec"]["v"] = world.pick(3);
        ++changes;
        quiet = 0;
      }
      quiet = idle && world.available() == wanted ? quiet + 1 : 0;
    }
    EXPECT_EQ(quiet, 40) << "seed " << seed << " never settled";
    EXPECT_EQ(world.total(), wanted) << "seed " << seed;
    EXPECT_LE(world.sets(), 3U) << "revisionHistoryLimit, seed " << seed;
  }
}

TEST(RolloutProperty, AScaleInTheMiddleOfARolloutNeverLeavesTheNewBounds) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    World world(seed);
    int quiet = 0;
    for (int step = 0; step < 600 && quiet < 40; ++step) {
      const bool idle = world.step();
      world.live();
      if (step < 100 && world.pick(12) == 0) world.spec()["template"]["spec"]["v"] = world.pick(3);
      if (step < 100 && world.pick(12) == 0) world.spec()["replicas"] = world.pick(7);
      if (step < 100 && world.pick(12) == 0) world.spec()["paused"] = world.pick(2) == 0;
      if (step == 100) world.spec()["paused"] = false;
      quiet = step > 100 && idle && world.available() == wantedReplicas(world.object()) ? quiet + 1 : 0;
    }
    EXPECT_EQ(quiet, 40) << "seed " << seed << " never settled";
    EXPECT_EQ(world.total(), wantedReplicas(world.object())) << "seed " << seed;
  }
}

}  // namespace
}  // namespace slipway::workloads
