// The workload controllers against the embedded API server itself: schemas, defaults, validation, garbage collection. The
// only stand-in is the kubelet, which binds no ports and makes pods ready.
#include <gtest/gtest.h>

#include "apiserver/testing/test_api.h"
#include "controllers/workloads/pods.h"
#include "controllers/workloads/rollout.h"
#include "controllers/workloads/workloads.h"
#include "kube/status_update.h"

namespace slipway::workloads {
namespace {
using namespace std::chrono_literals;
using kube::Key;
using kube::PatchType;

class RealApiTest : public ::testing::Test {
 protected:
  boost::asio::io_context io;
  apiserver::TestApi api{io};
  SystemClock clock;
  TaskScope scope{io.get_executor(), "workloads"};
  kube::Cache cache{api.client(), clock, scope};
  BlockingPool pool{1};
  std::filesystem::path folder = std::filesystem::temp_directory_path() / ("slipway-real-api-" + std::to_string(getpid()));
  Workloads workloads;
  int nextIp = 0;

  void SetUp() override {
    must(api.client().create(kinds::kNode, {{"apiVersion", "v1"}, {"kind", "Node"}, {"metadata", {{"name", "node-1"}}}}));
    must(api.client().patch(kinds::kNode, {"", "node-1"}, PatchType::Merge,
                            {{"status", {{"allocatable", {{"cpu", "8"}, {"memory", "16Gi"}, {"pods", "110"}}}}}},
                            {.subresource = "status"}));
    workloads = startWorkloads({api.client(), cache, clock, scope, pool, folder});
    // The kubelet: pods with a node become ready, deleted ones are finished off.
    cache.of(kinds::kPod).onEvent([this](const kube::InformerEvent& e) {
      if (e.type == kube::InformerEvent::Type::Deleted) return;
      scope.spawn("kubelet", [this, pod = e.object] { return runPod(pod); });
    });
  }
  void TearDown() override {
    scope.cancel();
    api.runUntil([&] { return scope.running() == 0; });
    std::filesystem::remove_all(folder);
  }
  Task<void> runPod(Object pod) {
    const Key key = kube::keyOf(*pod);
    if (at(*pod, "metadata", "deletionTimestamp").is_string()) {
      co_await api.client().remove(kinds::kPod, key, {.gracePeriodSeconds = 0});
    } else if (!textAt(at(*pod, "spec"), "nodeName").empty() && !isReady(*pod)) {
      const Json status{
          {"phase", "Running"},
          {"podIP", "127.20.0." + std::to_string(++nextIp)},
          {"conditions", {{{"type", "Ready"}, {"status", "True"}, {"lastTransitionTime", formatRfc3339(clock.wall())}}}}};
      co_await api.client().patch(kinds::kPod, key, PatchType::Merge, {{"status", status}}, {.subresource = "status"});
    }
  }
  template <class T>
  T must(Task<Result<T>> task) {
    auto r = api.await(std::move(task));
    EXPECT_TRUE(r) << r.error().message;
    return r ? *r : T{};
  }
  bool until(const std::function<bool()>& done) {
    return api.runUntil([&] { return done() && workloads.idle(); });
  }
  Json deployment() { return api.find(kinds::kDeployment, {"default", "web"}); }
  std::vector<Json> all(const Kind& kind) {
    return must(api.client().list(kind, {.ns = kind.namespaced ? "default" : ""})).items;
  }
  bool complete(int replicas, const std::string& revision) {
    const auto live = cache.of(kinds::kDeployment).get({"default", "web"});
    if (!live) return false;
    const Json& s = at(*live, "status");
    return textAt(at(*live, "metadata", "annotations"), kRevision) == revision && intAt(s, "updatedReplicas") == replicas &&
           intAt(s, "replicas") == replicas && intAt(s, "availableReplicas") == replicas &&
           cache.of(kinds::kPod).size() == std::size_t(replicas);
  }
  Json deploymentJson(int replicas) {
    return {{"apiVersion", "apps/v1"},
            {"kind", "Deployment"},
            {"metadata", {{"name", "web"}, {"namespace", "default"}}},
            {"spec",
             {{"replicas", replicas},
              {"selector", {{"matchLabels", {{"app", "web"}}}}},
              {"template",
               {{"metadata", {{"labels", {{"app", "web"}}}}},
                {"spec",
                 {{"containers",
                   {{{"name", "c"}, {"image", "web:1"}, {"resources", {{"requests", {{"cpu", "1000m"}}}}}}}}}}}}}}};
  }
};

TEST_F(RealApiTest, DeploymentRollsOutUpdatesAndRollsBack) {
  must(api.client().create(kinds::kDeployment, deploymentJson(2)));
  ASSERT_TRUE(until([&] { return complete(2, "1"); })) << deployment().dump(1);
  must(api.client().patch(kinds::kDeployment, {"default", "web"}, PatchType::Strategic,
                          {{"spec", {{"template", {{"spec", {{"containers", {{{"name", "c"}, {"image", "web:2"}}}}}}}}}}}));
  ASSERT_TRUE(until([&] { return complete(2, "2"); })) << deployment().dump(1);
  EXPECT_EQ(all(kinds::kReplicaSet).size(), 2u);
  must(api.client().patch(kinds::kDeployment, {"default", "web"}, PatchType::Strategic,
                          {{"spec", {{"template", {{"spec", {{"containers", {{{"name", "c"}, {"image", "web:1"}}}}}}}}}}}));
  ASSERT_TRUE(until([&] { return complete(2, "3"); })) << deployment().dump(1);
  EXPECT_EQ(all(kinds::kReplicaSet).size(), 2u);
}

TEST_F(RealApiTest, ApplyToReadyIsFast) {
  const auto before = std::chrono::steady_clock::now();
  must(api.client().create(kinds::kDeployment, deploymentJson(1)));
  ASSERT_TRUE(until([&] { return complete(1, "1"); }));
  const auto took = std::chrono::steady_clock::now() - before;
  RecordProperty("milliseconds", std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(took).count()));
  EXPECT_LT(took, 2s);  // some 20 ms where nothing else runs; the bound only catches a poll or a sleep
}

TEST_F(RealApiTest, NothingIsWrittenOnceAllIsWell) {
  must(api.client().create(kinds::kService,
                           {{"apiVersion", "v1"},
                            {"kind", "Service"},
                            {"metadata", {{"name", "web"}, {"namespace", "default"}}},
                            {"spec", {{"selector", {{"app", "web"}}}, {"ports", {{{"port", 80}, {"targetPort", 8080}}}}}}}));
  must(api.client().create(kinds::kDeployment, deploymentJson(2)));
  ASSERT_TRUE(until([&] {
    const auto e = cache.of(kinds::kEndpoints).get({"default", "web"});
    return complete(2, "1") && e && !at(*e, "subsets").empty() && at(*e, "subsets")[0]["addresses"].size() == 2;
  }));
  // Events are written in the background: wait for the last of them.
  ASSERT_TRUE(api.runUntil([&] { return all(kinds::kEvent).size() >= 5; }));
  const std::string before = must(api.client().list(kinds::kDeployment, {})).resourceVersion;
  for (auto& c : workloads.controllers) {
    c->enqueue({"default", "web"});
    for (const auto& set : cache.of(kinds::kReplicaSet).list()) c->enqueue(kube::keyOf(*set));
    for (const auto& pod : cache.of(kinds::kPod).list()) c->enqueue(kube::keyOf(*pod));
  }
  ASSERT_TRUE(until([] { return true; }));
  EXPECT_EQ(must(api.client().list(kinds::kDeployment, {})).resourceVersion, before);
}

TEST_F(RealApiTest, DeletionCascadesThroughOwnerReferences) {
  must(api.client().create(kinds::kService, {{"apiVersion", "v1"},
                                             {"kind", "Service"},
                                             {"metadata", {{"name", "web"}, {"namespace", "default"}}},
                                             {"spec", {{"selector", {{"app", "web"}}}, {"ports", {{{"port", 80}}}}}}}));
  must(api.client().create(kinds::kDeployment, deploymentJson(2)));
  ASSERT_TRUE(until([&] { return complete(2, "1"); }));
  ASSERT_TRUE(api.await(api.client().remove(kinds::kDeployment, {"default", "web"})));
  ASSERT_TRUE(api.await(api.client().remove(kinds::kService, {"default", "web"})));
  ASSERT_TRUE(until([&] {
    return cache.of(kinds::kPod).size() == 0 && cache.of(kinds::kReplicaSet).size() == 0 &&
           !cache.of(kinds::kEndpoints).get({"default", "web"}) && cache.of(kinds::kEndpointSlice).size() == 0;
  }));
}

TEST_F(RealApiTest, ClaimIsBoundAndItsFolderExists) {
  must(api.client().create(
      kinds::kPersistentVolumeClaim,
      {{"apiVersion", "v1"},
       {"kind", "PersistentVolumeClaim"},
       {"metadata", {{"name", "models"}, {"namespace", "default"}}},
       {"spec", {{"accessModes", {"ReadWriteOnce"}}, {"resources", {{"requests", {{"storage", "1Gi"}}}}}}}}));
  ASSERT_TRUE(api.runUntil([&] {
    return textAt(at(api.find(kinds::kPersistentVolumeClaim, {"default", "models"}), "status"), "phase") == "Bound";
  })) << api.find(kinds::kPersistentVolumeClaim, {"default", "models"}).dump(1);
  EXPECT_TRUE(std::filesystem::is_directory(folder / "default" / "models"));
  EXPECT_EQ(textAt(at(api.find(kinds::kPersistentVolumeClaim, {"default", "models"}), "spec"), "storageClassName"),
            "local-path");
  ASSERT_TRUE(api.await(api.client().remove(kinds::kPersistentVolumeClaim, {"default", "models"})));
  ASSERT_TRUE(api.runUntil([&] { return cache.of(kinds::kPersistentVolume).size() == 0; }));
}

}  // namespace
}  // namespace slipway::workloads
