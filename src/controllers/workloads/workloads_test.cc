// The controllers together, against the in-memory API, with a kubelet that makes pods ready when the test says so.
#include "controllers/workloads/workloads.h"

#include <gtest/gtest.h>

#include "controllers/workloads/pods.h"
#include "controllers/workloads/rollout.h"
#include "kube/status_update.h"
#include "kube/testing/fake_client.h"
#include "kube/testing/loop.h"

namespace slipway::workloads {
namespace {
using namespace std::chrono_literals;
using kube::Key;

Json deploymentJson(int replicas, const std::string& image = "web:1") {
  return {
      {"apiVersion", "apps/v1"},
      {"kind", "Deployment"},
      {"metadata", {{"name", "web"}, {"namespace", "ns"}}},
      {"spec",
       {{"replicas", replicas},
        {"selector", {{"matchLabels", {{"app", "web"}}}}},
        {"template",
         {{"metadata", {{"labels", {{"app", "web"}}}}}, {"spec", {{"containers", {{{"name", "c"}, {"image", image}}}}}}}}}}};
}

class WorkloadsTest : public ::testing::Test {
 protected:
  kube::Loop loop;
  FakeClock clock;
  kube::FakeClient api{loop.executor(), clock};
  TaskScope scope{loop.executor(), "test"};
  kube::Cache cache{api, clock, scope};
  BlockingPool pool{1};
  std::filesystem::path folder = std::filesystem::temp_directory_path() / ("slipway-workloads-" + std::to_string(getpid()));
  Workloads workloads;
  bool kubelet = true;         // bound pods become ready, deleted ones go
  std::set<std::string> sick;  // images whose pods never become ready

  void SetUp() override {
    api.autoCollect = true;
    api.podGrace = true;
    api.put({{"apiVersion", "v1"},
             {"kind", "Node"},
             {"metadata", {{"name", "node-1"}}},
             {"status", {{"allocatable", {{"cpu", "8"}, {"memory", "16Gi"}, {"pods", "110"}}}}}});
    workloads = startWorkloads({api, cache, clock, scope, pool, folder});
  }
  void TearDown() override {
    scope.cancel();
    loop.run(scope.join());
    std::filesystem::remove_all(folder);
  }

  void runKubelet() {
    if (!kubelet) return;
    for (const auto& pod : api.all(kinds::kPod)) {
      const Key key = kube::keyOf(pod);
      if (at(pod, "metadata", "deletionTimestamp").is_string()) {
        api.drop(kinds::kPod, key);
        continue;
      }
      const std::string image = textAt(pod["spec"]["containers"][0], "image");
      if (textAt(at(pod, "spec"), "nodeName").empty() || isReady(pod) || isTerminal(pod) || sick.contains(image)) continue;
      api.setStatus(
          kinds::kPod, key,
          {{"phase", "Running"},
           {"podIP", "127.20.0." + std::to_string(++nextIp)},
           {"conditions", {{{"type", "Ready"}, {"status", "True"}, {"lastTransitionTime", formatRfc3339(clock.wall())}}}}});
    }
  }
  // Turns the loop, with the kubelet, until `done` holds and the controllers rest.
  bool until(const std::function<bool()>& done) {
    return loop.until([&] {
      runKubelet();
      return done() && settled();
    });
  }
  bool settled() { return workloads.idle() && cachesCurrent(); }
  bool cachesCurrent() {
    for (const Kind& kind : {kinds::kPod, kinds::kReplicaSet, kinds::kDeployment}) {
      const auto all = api.all(kind);
      if (all.size() != cache.of(kind).size()) return false;
      for (const auto& object : all) {
        const auto known = cache.of(kind).get(kube::keyOf(object));
        if (!known || *known != object) return false;
      }
    }
    return true;
  }
  Json deployment() { return api.peek(kinds::kDeployment, {"ns", "web"}); }
  std::vector<Json> sets() { return api.all(kinds::kReplicaSet, "ns"); }
  bool complete(int replicas) {
    const Json s = at(deployment(), "status");
    return intAt(s, "observedGeneration") == intAt(at(deployment(), "metadata"), "generation") &&
           intAt(s, "updatedReplicas") == replicas && intAt(s, "replicas") == replicas &&
           intAt(s, "availableReplicas") == replicas && static_cast<int>(api.all(kinds::kPod, "ns").size()) == replicas;
  }
  Json condition(const char* type) { return kube::findCondition(at(deployment(), "status", "conditions"), type); }
  void edit(const std::function<void(Json&)>& change) {
    Json d = deployment();
    change(d);
    auto written = loop.run(api.update(kinds::kDeployment, d, {}));
    ASSERT_TRUE(written) << written.error().message;
  }
  std::vector<std::string> messages(const char* reason) {
    std::vector<std::string> out;
    for (const auto& e : api.all(kinds::kEvent)) {
      if (textAt(e, "reason") == reason) out.push_back(textAt(e, "message"));
    }
    return out;
  }
  int nextIp = 0;
};

TEST_F(WorkloadsTest, DeploymentBecomesReadyPodsWithTheRealStatus) {
  api.put(deploymentJson(2));
  ASSERT_TRUE(until([&] { return complete(2); }));
  ASSERT_EQ(sets().size(), 1u);
  const std::string set = textAt(at(sets()[0], "metadata"), "name");
  const Json status = at(deployment(), "status");
  EXPECT_EQ(status, (Json{{"observedGeneration", 1},
                          {"replicas", 2},
                          {"updatedReplicas", 2},
                          {"readyReplicas", 2},
                          {"availableReplicas", 2},
                          {"conditions",
                           {{{"type", "Available"},
                             {"status", "True"},
                             {"reason", "MinimumReplicasAvailable"},
                             {"message", "Deployment has minimum availability."},
                             {"lastUpdateTime", "2026-01-01T00:00:00Z"},
                             {"lastTransitionTime", "2026-01-01T00:00:00Z"}},
                            {{"type", "Progressing"},
                             {"status", "True"},
                             {"reason", "NewReplicaSetAvailable"},
                             {"message", "ReplicaSet \"" + set + "\" has successfully progressed."},
                             {"lastUpdateTime", "2026-01-01T00:00:00Z"},
                             {"lastTransitionTime", "2026-01-01T00:00:00Z"}}}}}))
      << status.dump(1);
  EXPECT_EQ(textAt(at(deployment(), "metadata", "annotations"), kRevision), "1");
  EXPECT_EQ(messages("ScalingReplicaSet"), std::vector<std::string>{"Scaled up replica set " + set + " from 0 to 2"});
  EXPECT_EQ(messages("SuccessfulCreate").size(), 2u);
  EXPECT_EQ(messages("Scheduled").size(), 2u);
}

TEST_F(WorkloadsTest, ReconcilingAgainWritesNothing) {
  api.put(deploymentJson(2));
  api.put(
      {{"apiVersion", "v1"},
       {"kind", "Service"},
       {"metadata", {{"name", "web"}, {"namespace", "ns"}}},
       {"spec",
        {{"selector", {{"app", "web"}}}, {"clusterIP", "127.64.0.9"}, {"ports", {{{"port", 80}, {"targetPort", 8080}}}}}}});
  ASSERT_TRUE(until([&] { return complete(2); }));
  ASSERT_TRUE(until([&] { return !at(api.peek(kinds::kEndpoints, {"ns", "web"}), "subsets").empty(); }));
  const auto requests = api.log().size();
  for (auto& c : workloads.controllers) {
    for (const char* name : {"web", "web-x"}) c->enqueue({"ns", name});
    for (const auto& set : sets()) c->enqueue(kube::keyOf(set));
    for (const auto& pod : api.all(kinds::kPod)) c->enqueue(kube::keyOf(pod));
  }
  ASSERT_TRUE(until([] { return true; }));
  EXPECT_EQ(api.log().size(), requests) << api.log().back().verb << " " << api.log().back().plural << " "
                                        << api.log().back().body.dump();
}

TEST_F(WorkloadsTest, RollingUpdateKeepsEnoughPodsAndNeverTooMany) {
  api.put(deploymentJson(4));
  ASSERT_TRUE(until([&] { return complete(4); }));
  int least = 99, most = 0;
  edit([](Json& d) { d["spec"]["template"]["spec"]["containers"][0]["image"] = "web:2"; });
  ASSERT_TRUE(until([&] {
    int available = 0, total = 0;
    for (const auto& pod : api.all(kinds::kPod)) {
      available += isActive(pod) && isReady(pod);
      total += isActive(pod);
    }
    least = std::min(least, available);
    most = std::max(most, total);
    return complete(4) && intAt(at(deployment(), "status"), "observedGeneration") == 2;
  }));
  EXPECT_GE(least, 3);  // maxUnavailable 25 % of 4
  EXPECT_LE(most, 5);   // maxSurge 25 % of 4
  EXPECT_EQ(sets().size(), 2u);
  EXPECT_EQ(textAt(at(deployment(), "metadata", "annotations"), kRevision), "2");
  for (const auto& pod : api.all(kinds::kPod)) EXPECT_EQ(pod["spec"]["containers"][0]["image"], "web:2");
}

TEST_F(WorkloadsTest, UndoBringsBackTheOldReplicaSetUnderANewRevision) {
  api.put(deploymentJson(1));
  ASSERT_TRUE(until([&] { return complete(1); }));
  const std::string first = textAt(at(sets()[0], "metadata"), "name");
  edit([](Json& d) { d["spec"]["template"]["spec"]["containers"][0]["image"] = "web:2"; });
  ASSERT_TRUE(until([&] { return complete(1); }));
  edit(
      [](Json& d) { d["spec"]["template"]["spec"]["containers"][0]["image"] = "web:1"; });  // what kubectl rollout undo does
  ASSERT_TRUE(until([&] { return complete(1) && intAt(at(deployment(), "metadata"), "generation") == 3; }));
  EXPECT_EQ(sets().size(), 2u);
  const Json set = api.peek(kinds::kReplicaSet, {"ns", first});
  EXPECT_EQ(wantedReplicas(set), 1);
  EXPECT_EQ(textAt(at(set, "metadata", "annotations"), kRevision), "3");
  EXPECT_EQ(textAt(at(set, "metadata", "annotations"), "deployment.kubernetes.io/revision-history"), "1");
}

TEST_F(WorkloadsTest, RecreateStopsTheOldPodsFirst) {
  Json d = deploymentJson(2);
  d["spec"]["strategy"] = {{"type", "Recreate"}};
  api.put(d);
  ASSERT_TRUE(until([&] { return complete(2); }));
  bool mixed = false;
  edit([](Json& e) { e["spec"]["template"]["spec"]["containers"][0]["image"] = "web:2"; });
  ASSERT_TRUE(until([&] {
    std::set<std::string> images;
    for (const auto& pod : api.all(kinds::kPod)) images.insert(textAt(pod["spec"]["containers"][0], "image"));
    mixed = mixed || images.size() > 1;
    return complete(2) && intAt(at(deployment(), "metadata"), "generation") == 2;
  }));
  EXPECT_FALSE(mixed);
}

TEST_F(WorkloadsTest, PausedDeploymentScalesButDoesNotRollOut) {
  api.put(deploymentJson(1));
  ASSERT_TRUE(until([&] { return complete(1); }));
  edit([](Json& d) {
    d["spec"]["paused"] = true;
    d["spec"]["replicas"] = 3;
    d["spec"]["template"]["spec"]["containers"][0]["image"] = "web:2";
  });
  ASSERT_TRUE(until([&] { return api.all(kinds::kPod).size() == 3; }));
  EXPECT_EQ(sets().size(), 1u);
  EXPECT_EQ(textAt(condition("Progressing"), "reason"), "DeploymentPaused");
  edit([](Json& d) { d["spec"].erase("paused"); });
  ASSERT_TRUE(until([&] { return complete(3); }));
  EXPECT_EQ(sets().size(), 2u);
}

TEST_F(WorkloadsTest, ProgressDeadlineIsReported) {
  sick = {"web:1"};
  api.put(deploymentJson(1));
  ASSERT_TRUE(until([&] { return textAt(condition("Progressing"), "reason") == "ReplicaSetUpdated"; }));
  EXPECT_EQ(textAt(condition("Available"), "status"), "False");
  EXPECT_EQ(textAt(condition("Available"), "reason"), "MinimumReplicasUnavailable");
  EXPECT_EQ(at(deployment(), "status", "unavailableReplicas"), 1);
  ASSERT_TRUE(loop.until([&] { return clock.sleepers() > 0; }));
  clock.advance(602s);
  ASSERT_TRUE(until([&] { return textAt(condition("Progressing"), "reason") == "ProgressDeadlineExceeded"; }));
  EXPECT_EQ(textAt(condition("Progressing"), "status"), "False");
  EXPECT_NE(textAt(condition("Progressing"), "message").find("has timed out progressing."), std::string::npos);
  sick.clear();
  ASSERT_TRUE(until([&] { return textAt(condition("Progressing"), "reason") == "NewReplicaSetAvailable"; }));
}

TEST_F(WorkloadsTest, HistoryLimitForgetsTheOldestSets) {
  Json d = deploymentJson(1);
  d["spec"]["revisionHistoryLimit"] = 1;
  api.put(d);
  for (int i = 1; i <= 4; ++i) {
    edit([&](Json& e) { e["spec"]["template"]["spec"]["containers"][0]["image"] = "web:" + std::to_string(i); });
    ASSERT_TRUE(until(
        [&] { return complete(1) && textAt(at(deployment(), "metadata", "annotations"), kRevision) == std::to_string(i); }));
  }
  ASSERT_TRUE(until([&] { return sets().size() == 2; }));
}

TEST_F(WorkloadsTest, DeletedPodsAreReplacedAndScalingDownPrefersUnreadyPods) {
  api.put(deploymentJson(3));
  ASSERT_TRUE(until([&] { return complete(3); }));
  api.drop(kinds::kPod, kube::keyOf(api.all(kinds::kPod)[0]));
  ASSERT_TRUE(until([&] { return complete(3); }));
  const Json victim = api.all(kinds::kPod)[1];
  kubelet = false;
  api.setStatus(kinds::kPod, kube::keyOf(victim),
                {{"phase", "Running"}, {"conditions", {{{"type", "Ready"}, {"status", "False"}}}}});
  edit([](Json& d) { d["spec"]["replicas"] = 2; });
  ASSERT_TRUE(
      until([&] { return at(api.peek(kinds::kPod, kube::keyOf(victim)), "metadata", "deletionTimestamp").is_string(); }));
  kubelet = true;
  ASSERT_TRUE(until([&] { return complete(2); }));
}

TEST_F(WorkloadsTest, DeletingTheDeploymentTakesItsPodsAlong) {
  api.put(deploymentJson(2));
  ASSERT_TRUE(until([&] { return complete(2); }));
  loop.run(api.remove(kinds::kDeployment, {"ns", "web"}, {}));
  ASSERT_TRUE(until([&] { return sets().empty() && api.all(kinds::kPod).empty(); }));
}

TEST_F(WorkloadsTest, ReplicaSetAdoptsAndReleasesPodsByLabel) {
  kubelet = false;
  api.put({{"apiVersion", "v1"},
           {"kind", "Pod"},
           {"metadata", {{"name", "stray"}, {"namespace", "ns"}, {"labels", {{"app", "web"}}}}},
           {"spec", {{"containers", {{{"name", "c"}, {"image", "web:1"}}}}}}});
  api.put({{"apiVersion", "apps/v1"},
           {"kind", "ReplicaSet"},
           {"metadata", {{"name", "rs"}, {"namespace", "ns"}}},
           {"spec",
            {{"replicas", 1},
             {"selector", {{"matchLabels", {{"app", "web"}}}}},
             {"template",
              {{"metadata", {{"labels", {{"app", "web"}}}}},
               {"spec", {{"containers", {{{"name", "c"}, {"image", "web:1"}}}}}}}}}}});
  ASSERT_TRUE(until([&] { return textAt(kube::controllerOf(api.peek(kinds::kPod, {"ns", "stray"})), "name") == "rs"; }));
  EXPECT_EQ(api.all(kinds::kPod).size(), 1u);
  Json stray = api.peek(kinds::kPod, {"ns", "stray"});
  stray["metadata"]["labels"]["app"] = "other";
  api.put(stray);
  ASSERT_TRUE(until([&] {
    return kube::controllerOf(api.peek(kinds::kPod, {"ns", "stray"})).is_null() && api.all(kinds::kPod).size() == 2;
  }));
}

TEST_F(WorkloadsTest, RefusedPodsStopTheBatchAndAreReported) {
  int tries = 0;
  api.onRequest = [&](const kube::FakeRequest& r) -> std::optional<Error> {
    if (r.verb != "create" || r.plural != "pods") return std::nullopt;
    ++tries;
    return Error{Code::Forbidden, "pods \"web\" is forbidden: exceeded quota", ""};
  };
  api.put(deploymentJson(20));
  ASSERT_TRUE(until([&] { return textAt(condition("ReplicaFailure"), "status") == "True"; }));
  EXPECT_LE(tries, 3);
  EXPECT_EQ(textAt(condition("ReplicaFailure"), "reason"), "FailedCreate");
  EXPECT_EQ(textAt(condition("ReplicaFailure"), "message"), "pods \"web\" is forbidden: exceeded quota");
  EXPECT_EQ(messages("FailedCreate")[0], "Error creating: pods \"web\" is forbidden: exceeded quota");
  api.onRequest = nullptr;
  clock.advance(1s);
  ASSERT_TRUE(until([&] {
    clock.advance(100ms);
    return complete(20) && condition("ReplicaFailure").is_null();
  }));
}

TEST_F(WorkloadsTest, ConflictsAndLostWritesOnlyDelay) {
  int n = 0;
  api.onRequest = [&](const kube::FakeRequest& r) -> std::optional<Error> {
    const bool write = r.verb == "create" || r.verb == "patch";
    if (!write || ++n % 3 != 0) return std::nullopt;
    return Error{n % 2 ? Code::Conflict : Code::Unavailable, "injected", ""};
  };
  api.put(deploymentJson(3));
  ASSERT_TRUE(until([&] {
    clock.advance(5ms);
    return complete(3);
  }));
  EXPECT_EQ(sets().size(), 1u);
  EXPECT_EQ(api.all(kinds::kPod).size(), 3u);
}

TEST_F(WorkloadsTest, SurvivesCompactionAndBrokenWatches) {
  api.put(deploymentJson(3));
  api.compact();
  ASSERT_TRUE(until([&] { return complete(3); }));
  api.breakWatches();
  edit([](Json& d) { d["spec"]["replicas"] = 5; });
  ASSERT_TRUE(until([&] {
    clock.advance(50ms);
    return complete(5);
  }));
}

TEST_F(WorkloadsTest, SchedulerSaysWhyAndTriesAgainWhenTheNodeChanges) {
  Json d = deploymentJson(1);
  d["spec"]["template"]["spec"]["nodeSelector"] = {{"gpu", "yes"}};
  api.put(d);
  ASSERT_TRUE(until([&] { return !messages("FailedScheduling").empty(); }));
  EXPECT_EQ(messages("FailedScheduling")[0],
            "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. no new claims to deallocate, "
            "preemption: 0/1 nodes "
            "are available: 1 Preemption is not helpful for scheduling.");
  ASSERT_TRUE(until([&] { return !at(api.all(kinds::kPod)[0], "status", "conditions").empty(); }));
  const Json scheduled = kube::findCondition(api.all(kinds::kPod)[0]["status"]["conditions"], "PodScheduled");
  EXPECT_EQ(textAt(scheduled, "reason"), "Unschedulable");
  Json node = api.peek(kinds::kNode, {"", "node-1"});
  node["metadata"]["labels"] = {{"gpu", "yes"}};
  api.put(node);
  ASSERT_TRUE(until([&] { return complete(1); }));
}

TEST_F(WorkloadsTest, ServiceEndpointsFollowReadiness) {
  sick = {"web:1"};
  api.put(deploymentJson(1));
  api.put(
      {{"apiVersion", "v1"},
       {"kind", "Service"},
       {"metadata", {{"name", "web"}, {"namespace", "ns"}}},
       {"spec",
        {{"selector", {{"app", "web"}}}, {"clusterIP", "127.64.0.9"}, {"ports", {{{"port", 80}, {"targetPort", 8080}}}}}}});
  ASSERT_TRUE(until([&] { return api.all(kinds::kEndpointSlice).size() == 1 && !api.all(kinds::kPod).empty(); }));
  EXPECT_TRUE(at(api.peek(kinds::kEndpoints, {"ns", "web"}), "subsets").empty());
  sick.clear();
  ASSERT_TRUE(until([&] { return !at(api.peek(kinds::kEndpoints, {"ns", "web"}), "subsets").empty(); }));
  const Json subset = api.peek(kinds::kEndpoints, {"ns", "web"})["subsets"][0];
  EXPECT_EQ(subset["addresses"].size(), 1u);
  EXPECT_EQ(subset["ports"], (Json::array({{{"port", 8080}, {"protocol", "TCP"}}})));
  ASSERT_TRUE(until([&] { return !api.all(kinds::kEndpointSlice)[0]["endpoints"].empty(); }));
  EXPECT_EQ(api.all(kinds::kEndpointSlice).size(), 1u);  // the empty one has given way
  edit([](Json& d) { d["spec"]["replicas"] = 0; });
  ASSERT_TRUE(until([&] { return at(api.peek(kinds::kEndpoints, {"ns", "web"}), "subsets").empty(); }));
}

TEST_F(WorkloadsTest, ClaimGetsAFolderAndLosesItWhenDeleted) {
  api.put({{"apiVersion", "v1"},
           {"kind", "PersistentVolumeClaim"},
           {"metadata", {{"name", "models"}, {"namespace", "ns"}}},
           {"spec", {{"accessModes", {"ReadWriteOnce"}}, {"resources", {{"requests", {{"storage", "1Gi"}}}}}}}});
  ASSERT_TRUE(until(
      [&] { return textAt(at(api.peek(kinds::kPersistentVolumeClaim, {"ns", "models"}), "status"), "phase") == "Bound"; }));
  EXPECT_TRUE(std::filesystem::is_directory(folder / "ns" / "models"));
  ASSERT_TRUE(until([&] { return textAt(at(api.all(kinds::kPersistentVolume).at(0), "status"), "phase") == "Bound"; }));
  // In use: the data stays although the claim is gone.
  Json pod{{"apiVersion", "v1"},
           {"kind", "Pod"},
           {"metadata", {{"name", "user"}, {"namespace", "ns"}}},
           {"spec",
            {{"nodeName", "node-1"},
             {"containers", {{{"name", "c"}, {"image", "x"}}}},
             {"volumes", {{{"name", "v"}, {"persistentVolumeClaim", {{"claimName", "models"}}}}}}}}};
  api.put(pod);
  ASSERT_TRUE(until([&] { return cache.of(kinds::kPod).size() == 1; }));
  loop.run(api.remove(kinds::kPersistentVolumeClaim, {"ns", "models"}, {}));
  ASSERT_TRUE(until([&] { return cache.of(kinds::kPersistentVolumeClaim).size() == 0; }));
  EXPECT_TRUE(std::filesystem::exists(folder / "ns" / "models"));
  api.drop(kinds::kPod, {"ns", "user"});
  ASSERT_TRUE(until([&] { return api.all(kinds::kPersistentVolume).empty(); }));
  EXPECT_FALSE(std::filesystem::exists(folder / "ns" / "models"));
}

TEST_F(WorkloadsTest, PodWaitsForItsClaim) {
  Json d = deploymentJson(1);
  d["spec"]["template"]["spec"]["volumes"] = {{{"name", "v"}, {"persistentVolumeClaim", {{"claimName", "models"}}}}};
  api.put(d);
  ASSERT_TRUE(until([&] { return !messages("FailedScheduling").empty(); }));
  EXPECT_EQ(messages("FailedScheduling")[0],
            "0/1 nodes are available: persistentvolumeclaim \"models\" not found. not found");
  api.put({{"apiVersion", "v1"},
           {"kind", "PersistentVolumeClaim"},
           {"metadata", {{"name", "models"}, {"namespace", "ns"}}},
           {"spec", {{"accessModes", {"ReadWriteOnce"}}, {"resources", {{"requests", {{"storage", "1Gi"}}}}}}}});
  ASSERT_TRUE(until([&] { return complete(1); }));
}

TEST_F(WorkloadsTest, PodsOfAMissingNodeGoAfterAWhile) {
  api.put(deploymentJson(1));
  ASSERT_TRUE(until([&] { return complete(1); }));
  const std::string first = textAt(at(api.all(kinds::kPod)[0], "metadata"), "uid");
  api.drop(kinds::kNode, {"", "node-1"});
  api.put({{"apiVersion", "v1"},
           {"kind", "Node"},
           {"metadata", {{"name", "node-2"}}},
           {"status", {{"allocatable", {{"cpu", "8"}, {"memory", "16Gi"}}}}}});
  auto& gc = *workloads.controllers.back();
  ASSERT_EQ(gc.name(), "podgc");
  ASSERT_TRUE(until([&] { return gc.queue().delayed() == 1; }));
  EXPECT_EQ(textAt(at(api.all(kinds::kPod)[0], "metadata"), "uid"), first);
  clock.advance(41s);
  ASSERT_TRUE(until([&] { return complete(1) && textAt(at(api.all(kinds::kPod)[0], "spec"), "nodeName") == "node-2"; }));
}

}  // namespace
}  // namespace slipway::workloads
