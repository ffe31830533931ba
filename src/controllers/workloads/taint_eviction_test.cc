#include "controllers/workloads/taint_eviction.h"

#include <gtest/gtest.h>

#include "kube/testing/fake_client.h"
#include "kube/testing/loop.h"

namespace slipway::workloads {
namespace {
using namespace std::chrono_literals;

Json tainted(Json taints) {
  return {{"apiVersion", "v1"}, {"kind", "Node"}, {"metadata", {{"name", "n"}}}, {"spec", {{"taints", std::move(taints)}}}};
}
Json podWith(Json tolerations) {
  return {{"apiVersion", "v1"},
          {"kind", "Pod"},
          {"metadata", {{"name", "p"}, {"namespace", "ns"}}},
          {"spec", {{"nodeName", "n"}, {"tolerations", std::move(tolerations)}}},
          {"status", {{"phase", "Running"}}}};
}
const Json kTaint = {{"key", "out"}, {"value", "x"}, {"effect", "NoExecute"}};
Json forSeconds(const char* key, int seconds) {
  return {{"key", key}, {"operator", "Exists"}, {"effect", "NoExecute"}, {"tolerationSeconds", seconds}};
}

TEST(StaysFor, TheShortestTolerationOfEveryNoExecuteTaintCounts) {
  const Json other = {{"key", "more"}, {"effect", "NoExecute"}};
  EXPECT_EQ(staysFor(podWith(Json::array()), tainted(Json::array())), std::nullopt);
  EXPECT_EQ(staysFor(podWith(Json::array()), tainted(Json::array({{{"key", "a"}, {"effect", "NoSchedule"}}}))),
            std::nullopt);
  EXPECT_EQ(staysFor(podWith(Json::array()), tainted(Json::array({kTaint}))), 0s);
  EXPECT_EQ(staysFor(podWith(Json::array({{{"operator", "Exists"}}})), tainted(Json::array({kTaint, other}))), std::nullopt);
  EXPECT_EQ(
      staysFor(podWith(Json::array({forSeconds("out", 60), forSeconds("more", 20)})), tainted(Json::array({kTaint, other}))),
      20s);
  EXPECT_EQ(staysFor(podWith(Json::array({forSeconds("out", 60)})), tainted(Json::array({kTaint, other}))), 0s);
  EXPECT_EQ(staysFor(podWith(Json::array({forSeconds("out", -5)})), tainted(Json::array({kTaint}))), 0s);
  EXPECT_EQ(
      staysFor(podWith(Json::array({forSeconds("more", 5), {{"operator", "Exists"}}})), tainted(Json::array({kTaint}))),
      std::nullopt);
}

class TaintEvictionTest : public ::testing::Test {
 protected:
  ~TaintEvictionTest() override {
    scope.cancel();
    loop.run(scope.join());
  }
  kube::Outcome look() {
    auto outcome = loop.run(reconciler.reconcile({"ns", "p"}));
    EXPECT_TRUE(outcome) << outcome.error().message;
    return outcome ? *outcome : kube::Outcome{};
  }
  // The cache shows what the API holds.
  void sync() {
    loop.run(cache.waitForSync());
    const auto same = [&](const Kind& kind) {
      for (const Json& o : api.all(kind)) {
        const Object known = cache.of(kind).get(kube::keyOf(o));
        if (!known || at(*known, "metadata", "resourceVersion") != at(o, "metadata", "resourceVersion")) return false;
      }
      return api.all(kind).size() == cache.of(kind).list().size();
    };
    ASSERT_TRUE(loop.until([&] { return same(kinds::kPod) && same(kinds::kNode); }));
  }
  kube::Loop loop;
  FakeClock clock;
  kube::FakeClient api{loop.executor(), clock};
  TaskScope scope{loop.executor(), "test"};
  kube::Cache cache{api, clock, scope};
  kube::EventRecorder events{api, clock, scope, "taint-eviction-controller"};
  TaintEvictionReconciler reconciler{api, cache, clock, events};
};

TEST_F(TaintEvictionTest, APodStaysAsLongAsItTolerates) {
  api.put(tainted(Json::array({kTaint})));
  api.put(podWith(Json::array({forSeconds("out", 60)})));
  sync();
  EXPECT_EQ(look().requeueAfter, 60s);
  clock.advance(59s);
  EXPECT_EQ(look().requeueAfter, 1s);
  EXPECT_EQ(api.all(kinds::kPod).size(), 1u);
  clock.advance(1s);
  look();
  EXPECT_TRUE(api.all(kinds::kPod).empty());
}

TEST_F(TaintEvictionTest, ATaintThatGoesInTimeChangesNothing) {
  api.put(tainted(Json::array({kTaint})));
  api.put(podWith(Json::array({forSeconds("out", 60)})));
  sync();
  EXPECT_EQ(look().requeueAfter, 60s);
  clock.advance(30s);
  api.put(tainted(Json::array()));
  sync();
  look();
  clock.advance(100s);
  look();
  EXPECT_EQ(api.all(kinds::kPod).size(), 1u);
  api.put(tainted(Json::array({kTaint})));
  sync();
  EXPECT_EQ(look().requeueAfter, 60s) << "the time begins anew";
}

}  // namespace
}  // namespace slipway::workloads
