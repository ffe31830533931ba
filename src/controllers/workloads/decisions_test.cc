// Tables for the pure decisions: rollout, scheduling, endpoints, deletion order, StatefulSets, volumes.
#include <gtest/gtest.h>

#include "controllers/workloads/deployment_status.h"
#include "controllers/workloads/endpoints.h"
#include "controllers/workloads/replica_set.h"
#include "controllers/workloads/rollout.h"
#include "controllers/workloads/scheduling.h"
#include "controllers/workloads/stateful_set.h"
#include "controllers/workloads/template_hash.h"
#include "controllers/workloads/volume_claims.h"

namespace slipway::workloads {
namespace {
using namespace std::chrono_literals;

const WallTime kNow{std::chrono::seconds(1767225600)};  // 2026-01-01T00:00:00Z

Object share(Json j) { return std::make_shared<const Json>(std::move(j)); }

Json deployment(int replicas, const Json& surge = "25%", const Json& unavailable = "25%", int version = 2) {
  return {
      {"apiVersion", "apps/v1"},
      {"kind", "Deployment"},
      {"metadata", {{"name", "web"}, {"namespace", "ns"}, {"uid", "d"}, {"generation", 1}}},
      {"spec",
       {{"replicas", replicas},
        {"selector", {{"matchLabels", {{"app", "web"}}}}},
        {"strategy", {{"type", "RollingUpdate"}, {"rollingUpdate", {{"maxSurge", surge}, {"maxUnavailable", unavailable}}}}},
        {"template", {{"metadata", {{"labels", {{"app", "web"}}}}}, {"spec", {{"v", version}}}}}}}};
}

// A ReplicaSet of version v that has `spec` pods asked for and `available` of them available, in a Deployment of `desired`.
Object set(int v, int spec, int available, int desired, int max) {
  Json labels{{"app", "web"}, {kTemplateHashLabel, "h" + std::to_string(v)}};
  return share({{"kind", "ReplicaSet"},
                {"metadata",
                 {{"name", "web-h" + std::to_string(v)},
                  {"uid", "rs" + std::to_string(v)},
                  {"creationTimestamp", fmt::format("2025-12-01T00:00:0{}Z", v)},
                  {"annotations",
                   {{kRevision, std::to_string(v)},
                    {kDesiredReplicas, std::to_string(desired)},
                    {kMaxReplicas, std::to_string(max)}}}}},
                {"spec", {{"replicas", spec}, {"template", {{"metadata", {{"labels", labels}}}, {"spec", {{"v", v}}}}}}},
                {"status", {{"replicas", spec}, {"readyReplicas", available}, {"availableReplicas", available}}}});
}

std::map<std::string, int> scaled(const Json& d, const std::vector<Object>& sets) {
  std::map<std::string, int> out;
  for (const auto& step : planRollout({d, sets, {}, kNow}).scale) out[textAt(at(*step.set, "metadata"), "name")] = step.to;
  return out;
}
using Scaled = std::map<std::string, int>;

TEST(Rollout, BoundsRoundSurgeUpAndUnavailableDown) {
  struct Row {
    int replicas;
    Json surge, unavailable;
    int maxSurge, maxUnavailable;
  };
  for (const auto& r : std::vector<Row>{{10, "25%", "25%", 3, 2},
                                        {1, "25%", "25%", 1, 0},
                                        {4, 1, 0, 1, 0},
                                        {4, 0, "10%", 0, 1},
                                        {4, 0, 0, 0, 1},
                                        {2, "100%", 5, 2, 2},
                                        {0, "25%", "25%", 0, 0}}) {
    const Bounds b = rolloutBounds(deployment(r.replicas, r.surge, r.unavailable));
    EXPECT_EQ(b.maxSurge, r.maxSurge) << r.replicas << r.surge;
    EXPECT_EQ(b.maxUnavailable, r.maxUnavailable) << r.replicas << r.unavailable;
  }
}

TEST(Rollout, FirstSetIsCreatedWithAllReplicas) {
  const RolloutPlan plan = planRollout({deployment(3), {}, {}, kNow});
  ASSERT_TRUE(plan.create);
  const Json& s = *plan.create;
  const std::string hash = textAt(at(s, "metadata", "labels"), kTemplateHashLabel);
  EXPECT_EQ(textAt(at(s, "metadata"), "name"), "web-" + hash);
  EXPECT_EQ(s["spec"]["replicas"], 3);
  EXPECT_EQ(s["spec"]["selector"]["matchLabels"], (Json{{"app", "web"}, {kTemplateHashLabel, hash}}));
  EXPECT_EQ(s["metadata"]["annotations"], (Json{{kRevision, "1"}, {kDesiredReplicas, "3"}, {kMaxReplicas, "4"}}));
  EXPECT_EQ(plan.revision, "1");
}

TEST(Rollout, StepsOfARollingUpdate) {
  const Json d = deployment(4, 1, 1);
  EXPECT_EQ(planRollout({d, {set(1, 4, 4, 4, 5)}, {}, kNow}).create->at("spec").at("replicas"), 1);  // room for one more
  EXPECT_EQ(scaled(d, {set(1, 4, 4, 4, 5), set(2, 1, 0, 4, 5)}), (Scaled{{"web-h1", 3}}));           // one may be missing
  EXPECT_EQ(scaled(d, {set(1, 3, 3, 4, 5), set(2, 1, 0, 4, 5)}), (Scaled{{"web-h2", 2}}));
  EXPECT_EQ(scaled(d, {set(1, 3, 3, 4, 5), set(2, 2, 0, 4, 5)}), (Scaled{}));  // waits for the new ones
  EXPECT_EQ(scaled(d, {set(1, 3, 3, 4, 5), set(2, 2, 2, 4, 5)}), (Scaled{{"web-h1", 1}}));
  EXPECT_EQ(scaled(d, {set(1, 0, 0, 4, 5), set(2, 4, 4, 4, 5)}), (Scaled{}));  // done
}

TEST(Rollout, UnhealthyOldPodsGoFirst) {
  // The old set never worked: its pods go at once, although none of the new ones is up.
  EXPECT_EQ(scaled(deployment(4, 1, 1), {set(1, 4, 0, 4, 5), set(2, 1, 0, 4, 5)}), (Scaled{{"web-h1", 3}}));
  EXPECT_EQ(scaled(deployment(4, 1, 1), {set(1, 2, 0, 4, 5), set(2, 3, 3, 4, 5)}),
            (Scaled{{"web-h1", 0}}));  // 5 is the most: no room yet
  EXPECT_EQ(scaled(deployment(4, 1, 1), {set(1, 2, 0, 4, 5), set(2, 4, 3, 4, 5)}), (Scaled{{"web-h1", 0}}));
}

TEST(Rollout, ScalingDuringARolloutIsSharedBySize) {
  // 10 -> 15 with surge 3: 18 allowed, 13 there; the new 5 are spread 8:5 (upstream's own example of proportional scaling).
  EXPECT_EQ(scaled(deployment(15, 3, 2), {set(1, 8, 8, 10, 13), set(2, 5, 0, 10, 13)}),
            (Scaled{{"web-h1", 11}, {"web-h2", 7}}));
  EXPECT_EQ(scaled(deployment(0, 3, 2), {set(1, 8, 8, 10, 13), set(2, 5, 0, 10, 13)}),
            (Scaled{{"web-h1", 0}, {"web-h2", 0}}));
}

TEST(Rollout, ASimulatedUpdateAlwaysEndsWithinItsBounds) {
  for (int replicas : {1, 2, 3, 5, 10}) {
    for (const auto& [surge, unavailable] :
         std::vector<std::pair<Json, Json>>{{1, 0}, {0, 1}, {"25%", "25%"}, {"100%", 0}, {3, 2}}) {
      const Json d = deployment(replicas, surge, unavailable);
      const Bounds b = rolloutBounds(d);
      int old = replicas, fresh = 0, freshUp = 0;
      bool created = false;
      for (int turn = 0; turn < 100 && (old > 0 || freshUp < replicas); ++turn) {
        std::vector<Object> sets{set(1, old, old, replicas, replicas + b.maxSurge)};
        if (created) sets.push_back(set(2, fresh, freshUp, replicas, replicas + b.maxSurge));
        const RolloutPlan plan = planRollout({d, sets, {}, kNow});
        if (plan.create) {
          created = true;
          fresh = wantedReplicas(*plan.create);
        }
        for (const auto& step : plan.scale) (step.set == sets[0] ? old : fresh) = step.to;
        ASSERT_LE(old + fresh, replicas + b.maxSurge);
        ASSERT_GE(old + freshUp, replicas - b.maxUnavailable);
        if (plan.scale.empty() && freshUp < fresh) ++freshUp;  // one pod becomes ready
      }
      EXPECT_EQ(old, 0) << replicas << surge << unavailable;
      EXPECT_EQ(freshUp, replicas) << replicas << surge << unavailable;
    }
  }
}

TEST(TemplateHash, DependsOnTemplateAndCollisions) {
  const Json t{{"spec", {{"x", 1}}}};
  EXPECT_EQ(templateHash(t, 0), templateHash(t, 0));
  EXPECT_NE(templateHash(t, 0), templateHash(t, 1));
  EXPECT_NE(templateHash(t, 0), templateHash({{"spec", {{"x", 2}}}}, 0));
  EXPECT_EQ(templateHash(t, 0).find_first_not_of("bcdfghjklmnpqrstvwxz2456789"), std::string::npos);
  EXPECT_TRUE(sameTemplate({{"metadata", {{"labels", {{"a", "b"}, {kTemplateHashLabel, "x"}}}}}},
                           {{"metadata", {{"labels", {{"a", "b"}}}}}}));
}

Json pod(const std::string& name, const char* ready = "True", const std::string& node = "n1") {
  return {
      {"apiVersion", "v1"},
      {"kind", "Pod"},
      {"metadata", {{"name", name}, {"namespace", "ns"}, {"uid", name}, {"labels", {{"app", "web"}}}}},
      {"spec",
       {{"nodeName", node}, {"containers", {{{"name", "c"}, {"ports", {{{"name", "http"}, {"containerPort", 8080}}}}}}}}},
      {"status",
       {{"phase", "Running"},
        {"podIP", "127.0.1." + std::to_string(name.size())},
        {"conditions", {{{"type", "Ready"}, {"status", ready}, {"lastTransitionTime", "2025-12-31T23:59:50Z"}}}}}}};
}

TEST(DeletionOrder, FollowsUpstream) {
  Json unassigned = pod("unassigned", "False", "");
  Json pending = pod("pending", "False");
  pending["status"]["phase"] = "Pending";
  Json unready = pod("unready", "False");
  Json cheap = pod("cheap");
  cheap["metadata"]["annotations"] = {{"controller.kubernetes.io/pod-deletion-cost", "-1"}};
  Json fresh = pod("fresh");
  fresh["status"]["conditions"][0]["lastTransitionTime"] = "2025-12-31T23:59:59Z";
  Json shaky = pod("shaky");
  shaky["status"]["containerStatuses"] = {{{"restartCount", 3}}};
  std::vector<Object> pods;
  for (const auto& p : {pod("steady"), shaky, fresh, cheap, unready, pending, unassigned}) pods.push_back(share(p));
  std::vector<std::string> order;
  for (const auto& p : deletionOrder(pods)) order.push_back(textAt(at(*p, "metadata"), "name"));
  EXPECT_EQ(order, (std::vector<std::string>{"unassigned", "pending", "unready", "cheap", "fresh", "shaky", "steady"}));
}

TEST(Availability, NeedsMinReadySeconds) {
  Duration wait{};
  EXPECT_TRUE(isAvailable(pod("p"), 10s, kNow, &wait));
  EXPECT_FALSE(isAvailable(pod("p"), 15s, kNow, &wait));
  EXPECT_EQ(wait, 5s);
  EXPECT_FALSE(isAvailable(pod("p", "False"), 0s, kNow));
}

Json service(const Json& port) {
  return {{"kind", "Service"},
          {"metadata", {{"name", "web"}, {"namespace", "ns"}, {"uid", "s"}, {"labels", {{"l", "1"}}}}},
          {"spec", {{"selector", {{"app", "web"}}}, {"clusterIP", "127.64.0.5"}, {"ports", {port}}}}};
}

TEST(Endpoints, SplitReadyFromNotReadyAndResolveNamedPorts) {
  Json other = pod("four");
  other["spec"]["containers"][0]["ports"][0]["containerPort"] = 9090;
  Json going = pod("goingx");
  going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z";
  const std::vector<Object> pods{share(pod("a")), share(pod("bb", "False")), share(other), share(going)};
  const Json e = endpointsOf(service({{"name", "web"}, {"port", 80}, {"targetPort", "http"}}), pods);
  ASSERT_EQ(e["subsets"].size(), 2u);
  EXPECT_EQ(e["subsets"][0]["ports"][0]["port"], 8080);
  EXPECT_EQ(e["subsets"][0]["addresses"][0]["targetRef"]["name"], "a");
  EXPECT_EQ(e["subsets"][0]["notReadyAddresses"][0]["targetRef"]["name"], "bb");
  EXPECT_EQ(e["subsets"][0]["addresses"].size(), 1u);
  EXPECT_EQ(e["subsets"][1]["ports"][0]["port"], 9090);
  const auto slices = endpointSlicesOf(service({{"name", "web"}, {"port", 80}, {"targetPort", "http"}}), pods);
  ASSERT_EQ(slices.size(), 2u);
  EXPECT_EQ(slices[0]["metadata"]["labels"]["kubernetes.io/service-name"], "web");
  ASSERT_EQ(slices[0]["endpoints"].size(), 3u);
  EXPECT_EQ(slices[0]["endpoints"][2]["conditions"], (Json{{"ready", false}, {"serving", true}, {"terminating", true}}));
  EXPECT_NE(slices[0]["metadata"]["name"], slices[1]["metadata"]["name"]);
}

TEST(Endpoints, SlicesHoldAtMostHundred) {
  std::vector<Object> pods;
  for (int i = 0; i < 250; ++i) {
    Json p = pod("p" + std::to_string(i));
    p["status"]["podIP"] = fmt::format("127.0.{}.{}", i / 200, i % 200);
    pods.push_back(share(p));
  }
  const auto slices = endpointSlicesOf(service({{"port", 80}}), pods);
  ASSERT_EQ(slices.size(), 3u);
  EXPECT_EQ(slices[2]["endpoints"].size(), 50u);
  EXPECT_EQ(slices[0]["ports"][0]["port"], 80);  // no target port: the same number
}

Json node(const std::string& name, Json spec = Json::object(),
          Json allocatable = {{"cpu", "4"}, {"memory", "8Gi"}, {"pods", "2"}}) {
  return {{"kind", "Node"},
          {"metadata", {{"name", name}, {"labels", {{"zone", "a"}}}}},
          {"spec", std::move(spec)},
          {"status", {{"allocatable", std::move(allocatable)}}}};
}
Json asking(Json requests) {
  Json p = pod("new", "False", "");
  p["spec"]["containers"][0]["resources"] = {{"requests", std::move(requests)}};
  return p;
}

TEST(Scheduling, MessagesAreThoseOfKubeScheduler) {
  EXPECT_EQ(place(asking({}), {}, {}).message, "no nodes available to schedule pods");
  EXPECT_EQ(place(asking({{"cpu", "9"}, {"nvidia.com/gpu", "1"}}), {share(node("a")), share(node("b"))}, {}).message,
            "0/2 nodes are available: 2 Insufficient cpu, 2 Insufficient nvidia.com/gpu. no new claims to deallocate, "
            "preemption: 0/2 nodes are "
            "available: 2 Preemption is not helpful for scheduling.");
  Json busy = pod("busy", "True", "a");
  busy["spec"]["containers"][0]["resources"] = {{"requests", {{"cpu", "3"}}}};
  Json tainted = node("b", {{"taints", {{{"key", "k"}, {"effect", "NoSchedule"}}}}});
  EXPECT_EQ(place(asking({{"cpu", "2"}}), {share(node("a")), share(tainted)}, {share(busy)}).message,
            "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s). no new claims to deallocate, "
            "preemption: 0/2 nodes are "
            "available: 1 No preemption victims found for incoming pod, 1 Preemption is not helpful for scheduling.");
  EXPECT_EQ(place(asking({}), {share(node("a", {{"unschedulable", true}}))}, {}).message,
            "0/1 nodes are available: 1 node(s) were unschedulable. no new claims to deallocate, preemption: 0/1 nodes are "
            "available: 1 Preemption is "
            "not helpful for scheduling.");
  Json ported = asking({});
  ported["spec"]["containers"][0]["ports"][0]["hostPort"] = 80;
  Json holder = pod("holder", "True", "a");
  holder["spec"]["containers"][0]["ports"][0]["hostPort"] = 80;
  EXPECT_EQ(place(ported, {share(node("a")), share(node("b", {}, {{"cpu", "4"}, {"pods", "0"}}))}, {share(holder)}).message,
            "0/2 nodes are available: 1 Too many pods, 1 node(s) didn't have free ports for the requested pod ports. no new "
            "claims to deallocate, "
            "preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod.");
}

TEST(Scheduling, PicksTheEmptierNodeAndHonoursTolerationsAndAffinity) {
  Json busy = pod("busy", "True", "a");
  busy["spec"]["containers"][0]["resources"] = {{"requests", {{"cpu", "1"}}}};
  EXPECT_EQ(place(asking({{"cpu", "1"}}), {share(node("a")), share(node("b"))}, {share(busy)}).node, "b");
  Json tolerant = asking({});
  tolerant["spec"]["tolerations"] = {{{"key", "k"}, {"operator", "Exists"}}};
  EXPECT_EQ(place(tolerant, {share(node("a", {{"taints", {{{"key", "k"}, {"effect", "NoSchedule"}}}}}))}, {}).node, "a");
  Json picky = asking({});
  picky["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"] = {
      {{"matchExpressions", {{{"key", "zone"}, {"operator", "In"}, {"values", {"b", "c"}}}}}}};
  EXPECT_TRUE(place(picky, {share(node("a"))}, {}).node.empty());
}

TEST(Scheduling, RequestsAreTheLargerOfInitAndSum) {
  const Json p{
      {"spec",
       {{"overhead", {{"cpu", "100m"}}},
        {"initContainers",
         {{{"resources", {{"requests", {{"cpu", "3"}}}}}},
          {{"restartPolicy", "Always"}, {"resources", {{"requests", {{"cpu", "500m"}}}}}}}},
        {"containers", {{{"resources", {{"requests", {{"cpu", "1"}}}}}}, {{"resources", {{"limits", {{"cpu", "1"}}}}}}}}}}};
  EXPECT_EQ(requestsOf(p)["cpu"], 3100);
}

TEST(StatefulSet, MakesPodsInOrderAndRemovesThemInReverse) {
  Json s{{"kind", "StatefulSet"},
         {"apiVersion", "apps/v1"},
         {"metadata", {{"name", "db"}, {"namespace", "ns"}, {"uid", "s"}, {"generation", 1}}},
         {"spec",
          {{"replicas", 3},
           {"serviceName", "db"},
           {"selector", {{"matchLabels", {{"app", "db"}}}}},
           {"template", {{"metadata", {{"labels", {{"app", "db"}}}}}, {"spec", {{"containers", {{{"name", "c"}}}}}}}},
           {"volumeClaimTemplates", {{{"metadata", {{"name", "data"}}}, {"spec", {{"accessModes", {"ReadWriteOnce"}}}}}}}}}};
  auto member = [&](int n, bool ready) {
    Json p = statefulPod(s, n);
    p["metadata"]["uid"] = "u" + std::to_string(n);
    p["status"] = pod("x", ready ? "True" : "False")["status"];
    return share(p);
  };
  auto names = [](const std::vector<Json>& objects) {
    std::vector<std::string> out;
    for (const auto& o : objects) out.push_back(textAt(at(o, "metadata"), "name"));
    return out;
  };
  auto plan = planStatefulSet(s, {}, kNow);
  EXPECT_EQ(names(plan.pods), std::vector<std::string>{"db-0"});
  EXPECT_EQ(names(plan.claims), std::vector<std::string>{"data-db-0"});
  EXPECT_EQ(plan.pods[0]["spec"]["volumes"],
            (Json::array({{{"name", "data"}, {"persistentVolumeClaim", {{"claimName", "data-db-0"}}}}})));
  EXPECT_EQ(plan.pods[0]["spec"]["hostname"], "db-0");
  EXPECT_TRUE(planStatefulSet(s, {member(0, false)}, kNow).pods.empty());
  EXPECT_EQ(names(planStatefulSet(s, {member(0, true)}, kNow).pods), std::vector<std::string>{"db-1"});
  const std::vector<Object> all{member(0, true), member(1, true), member(2, true)};
  s["spec"]["replicas"] = 1;
  plan = planStatefulSet(s, all, kNow);
  ASSERT_EQ(plan.remove.size(), 1u);
  EXPECT_EQ(textAt(at(*plan.remove[0], "metadata"), "name"), "db-2");
  s["spec"]["replicas"] = 3;
  s["spec"]["template"]["spec"]["v"] = 2;  // an update starts with the last one
  plan = planStatefulSet(s, all, kNow);
  ASSERT_EQ(plan.remove.size(), 1u);
  EXPECT_EQ(textAt(at(*plan.remove[0], "metadata"), "name"), "db-2");
  s["spec"]["updateStrategy"]["rollingUpdate"]["partition"] = 3;
  EXPECT_TRUE(planStatefulSet(s, all, kNow).remove.empty());
  s["spec"]["podManagementPolicy"] = "Parallel";
  EXPECT_EQ(planStatefulSet(s, {}, kNow).pods.size(), 3u);
}

TEST(Volumes, SmallestThatFitsIsChosen) {
  auto volume = [](const std::string& name, const char* size, const char* cls, Json modes) {
    return share(
        {{"metadata", {{"name", name}}},
         {"status", {{"phase", "Available"}}},
         {"spec", {{"capacity", {{"storage", size}}}, {"storageClassName", cls}, {"accessModes", std::move(modes)}}}});
  };
  const Json claim{{"metadata", {{"name", "c"}, {"namespace", "ns"}, {"uid", "u"}}},
                   {"spec",
                    {{"storageClassName", "x"},
                     {"accessModes", {"ReadWriteOnce"}},
                     {"resources", {{"requests", {{"storage", "1Gi"}}}}}}}};
  const std::vector<Object> volumes{
      volume("big", "10Gi", "x", {"ReadWriteOnce"}), volume("small", "512Mi", "x", {"ReadWriteOnce"}),
      volume("fit", "1024Mi", "x", {"ReadWriteOnce", "ReadOnlyMany"}), volume("other", "1Gi", "y", {"ReadWriteOnce"}),
      volume("mode", "1Gi", "x", {"ReadWriteMany"})};
  EXPECT_EQ(textAt(at(*chooseVolume(volumes, claim), "metadata"), "name"), "fit");
}

}  // namespace
}  // namespace slipway::workloads
