#include "controllers/workloads/set_revisions.h"

#include <gtest/gtest.h>

#include <random>

#include "controllers/workloads/stateful_set.h"

namespace slipway::workloads {
namespace {

const WallTime kNow{std::chrono::seconds(1767225600)};

Object share(Json j) { return std::make_shared<const Json>(std::move(j)); }

Json stateful(int replicas, int version = 1) {
  return {{"kind", "StatefulSet"},
          {"apiVersion", "apps/v1"},
          {"metadata", {{"name", "db"}, {"namespace", "ns"}, {"uid", "s"}, {"generation", 1}}},
          {"spec",
           {{"replicas", replicas},
            {"selector", {{"matchLabels", {{"app", "db"}}}}},
            {"updateStrategy", {{"type", "RollingUpdate"}, {"rollingUpdate", {{"partition", 0}}}}},
            {"template", {{"metadata", {{"labels", {{"app", "db"}}}}}, {"spec", {{"v", version}}}}}}}};
}

void makeReady(Json& pod) {
  pod["status"] = {{"phase", "Running"},
                   {"conditions",
                    Json::array({{{"type", "Ready"}, {"status", "True"}, {"lastTransitionTime", "2026-01-01T00:00:00Z"}}})}};
}

TEST(SetRevisions, TheFirstTemplateIsKeptAndAChangeGetsTheNextNumber) {
  Json set = stateful(1);
  const auto first = planRevisions(set, {}, {});
  ASSERT_TRUE(first.create);
  EXPECT_EQ((*first.create)["revision"], 1);
  EXPECT_EQ((*first.create)["data"]["spec"]["template"]["$patch"], "replace");
  EXPECT_EQ(textAt(at(*first.create, "metadata"), "name"), revisionOfSet(set));
  EXPECT_TRUE(first.names.currentTemplate.is_null());
  const Object one = share(*first.create);
  EXPECT_FALSE(planRevisions(set, {one}, {}).create);
  set["status"]["currentRevision"] = first.names.update;
  set["spec"]["template"]["spec"]["v"] = 2;
  const auto second = planRevisions(set, {one}, {});
  EXPECT_EQ((*second.create)["revision"], 2);
  EXPECT_EQ(second.names.current, first.names.update);
  EXPECT_EQ(second.names.currentTemplate, stateful(1)["spec"]["template"]);
  const Object two = share(*second.create);
  set["spec"]["template"]["spec"]["v"] = 1;  // undone: the first becomes the newest
  const auto undone = planRevisions(set, {one, two}, {});
  EXPECT_FALSE(undone.create);
  EXPECT_EQ(undone.renumber, first.names.update);
  EXPECT_EQ(undone.number, 3);
}

TEST(SetRevisions, OnlyWhatNobodyUsesIsForgottenTheOldestFirst) {
  Json set = stateful(1);
  set["spec"]["revisionHistoryLimit"] = 1;
  std::vector<Object> all;
  for (int v = 1; v <= 5; ++v) {
    set["spec"]["template"]["spec"]["v"] = v;
    all.push_back(share(*planRevisions(set, all, {}).create));
  }
  Json old = statefulPod(stateful(1), 0);  // still of the first template
  const auto plan = planRevisions(set, all, {share(old)});
  ASSERT_EQ(plan.forget.size(), 2U);
  EXPECT_EQ(plan.forget[0], textAt(at(*all[1], "metadata"), "name"));
  EXPECT_EQ(plan.forget[1], textAt(at(*all[2], "metadata"), "name"));
}

TEST(SetRevisions, APodBelowThePartitionIsMadeAgainFromTheOldTemplate) {
  Json set = stateful(2);
  const Object one = share(*planRevisions(set, {}, {}).create);
  set["status"]["currentRevision"] = revisionOfSet(set);
  set["spec"]["template"]["spec"]["v"] = 2;
  set["spec"]["updateStrategy"]["rollingUpdate"]["partition"] = 1;
  set["spec"]["podManagementPolicy"] = "Parallel";
  const auto names = planRevisions(set, {one}, {}).names;
  const auto plan = planStatefulSet(set, {}, kNow, names);
  ASSERT_EQ(plan.pods.size(), 2U);
  EXPECT_EQ(plan.pods[0]["spec"]["v"], 1);
  EXPECT_EQ(plan.pods[0]["metadata"]["labels"][kRevisionLabel], names.current);
  EXPECT_EQ(plan.pods[1]["spec"]["v"], 2);
  EXPECT_EQ(plan.pods[1]["metadata"]["labels"][kRevisionLabel], names.update);
}

TEST(SetRevisions, ClaimsAreOwnedAsTheRetentionPolicySays) {
  const Json pod = {{"metadata", {{"name", "db-1"}, {"uid", "p"}}}};
  const Json plain = {{"metadata", {{"name", "data-db-1"}}}};
  const auto kinds = [](const Json& owners) {
    std::string all;
    for (const Json& o : owners) all += textAt(o, "kind") + " ";
    return all;
  };
  for (const bool deleted : {false, true}) {
    for (const bool scaled : {false, true}) {
      Json set = stateful(1);
      set["spec"]["persistentVolumeClaimRetentionPolicy"] = {{"whenDeleted", deleted ? "Delete" : "Retain"},
                                                             {"whenScaled", scaled ? "Delete" : "Retain"}};
      EXPECT_EQ(kinds(claimOwners(set, pod, plain, false)), deleted ? "StatefulSet " : "");
      EXPECT_EQ(kinds(claimOwners(set, pod, plain, true)), scaled ? "Pod " : deleted ? "StatefulSet " : "");
      Json owned = plain;
      owned["metadata"]["ownerReferences"] =
          Json::array({{{"kind", "StatefulSet"}, {"uid", "s"}}, {{"kind", "X"}, {"uid", "x"}}});
      const Json changed = claimOwners(set, pod, owned, false);
      EXPECT_EQ(deleted ? changed.is_null() : kinds(changed) == "X ", true) << "what others own stays theirs";
    }
  }
}

// Whatever happens to pods: with OrderedReady never two steps at once, no pod twice, nothing removed out of order; and every
// life ends with all pods ready and of the newest template.
TEST(SetRevisions, OrderedSetsConvergeOneStepAtATime) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    std::mt19937 random(seed);
    auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
    Json set = stateful(pick(5));
    std::map<int, Json> pods;
    std::vector<Object> revisions;
    int steps = 0;
    for (; steps < 400; ++steps) {
      std::vector<Object> held;
      for (auto& [n, p] : pods) held.push_back(share(p));
      const auto rev = planRevisions(set, revisions, held);
      if (rev.create) revisions.push_back(share(*rev.create));
      const auto plan = planStatefulSet(set, held, kNow, rev.names);
      ASSERT_LE(plan.pods.size() + plan.remove.size(), 1U) << "seed " << seed;
      for (const Json& p : plan.pods) {
        const int n = ordinalOf(set, p);
        ASSERT_FALSE(pods.contains(n)) << "seed " << seed;
        for (int below = 0; below < n; ++below) ASSERT_TRUE(pods.contains(below)) << "seed " << seed;
        pods[n] = p;
        pods[n]["metadata"]["uid"] = "u" + std::to_string(steps);
      }
      for (const Object& p : plan.remove) pods.erase(ordinalOf(set, *p));
      set["status"] = statefulSetStatus(set, held, kNow);
      if (plan.pods.empty() && plan.remove.empty()) {
        const bool ready = std::all_of(pods.begin(), pods.end(), [](const auto& p) { return p.second.contains("status"); });
        if (ready && steps > 100) break;
      }
      for (auto& [n, p] : pods)
        if (pick(3) == 0) makeReady(p);
      if (steps < 100 && pick(10) == 0) set["spec"]["template"]["spec"]["v"] = pick(3);
      if (steps < 100 && pick(10) == 0) set["spec"]["replicas"] = pick(5);
      if (steps < 100 && pick(10) == 0 && !pods.empty()) pods.erase(pods.begin());
    }
    ASSERT_LT(steps, 400) << "seed " << seed << " never settled";
    EXPECT_EQ(static_cast<int>(pods.size()), set["spec"]["replicas"].get<int>()) << "seed " << seed;
    for (auto& [n, p] : pods) EXPECT_EQ(p["metadata"]["labels"][kRevisionLabel], revisionOfSet(set)) << "seed " << seed;
  }
}

}  // namespace
}  // namespace slipway::workloads
