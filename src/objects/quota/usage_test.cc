#include "objects/quota/usage.h"

#include <gtest/gtest.h>

namespace slipway::quota {
namespace {

const Resource& resource(const char* plural) { return *Catalog::builtin()->find("", "v1", plural); }

Json pod(const char* containers, const char* initContainers = "[]") {
  return {{"spec", {{"containers", Json::parse(containers)}, {"initContainers", Json::parse(initContainers)}}}};
}

std::string text(const Usage& usage) { return dumpJson(toJson(usage)); }

TEST(Quota, APodUsesItsContainersOrItsLargestInitContainer) {
  const Json p = pod(R"([{"name":"a","resources":{"requests":{"cpu":"100m","memory":"1Gi"},"limits":{"cpu":"1"}}},
                         {"name":"b","resources":{"requests":{"cpu":"200m"}}}])",
                     R"([{"name":"i","resources":{"requests":{"cpu":"1","memory":"512Mi"}}}])");
  EXPECT_EQ(
      text(usageOf(resource("pods"), p)),
      R"({"count/pods":"1","cpu":"1","limits.cpu":"1","memory":"1Gi","pods":"1","requests.cpu":"1","requests.memory":"1Gi"})");
}

TEST(Quota, ASidecarCountsBesideTheContainers) {
  const Json p = pod(R"([{"name":"a","resources":{"requests":{"cpu":"1"}}}])",
                     R"([{"name":"s","restartPolicy":"Always","resources":{"requests":{"cpu":"2"}}},
                         {"name":"i","resources":{"requests":{"cpu":"1500m"}}}])");
  EXPECT_EQ(usageOf(resource("pods"), p).at("requests.cpu").canonical(), "3500m");
}

TEST(Quota, AnEndedPodUsesNothingButItsPlaceInTheStore) {
  Json p = pod(R"([{"name":"a","resources":{"requests":{"cpu":"1"}}}])");
  p["status"]["phase"] = "Succeeded";
  EXPECT_EQ(text(usageOf(resource("pods"), p)), R"({"count/pods":"1"})");
}

TEST(Quota, ScopesChooseThePods) {
  const Json quota = Json::parse(R"({"spec":{"scopes":["BestEffort"]}})");
  EXPECT_TRUE(counts(quota, resource("pods"), pod(R"([{"name":"a"}])")));
  EXPECT_FALSE(counts(quota, resource("pods"), pod(R"([{"name":"a","resources":{"requests":{"cpu":"1"}}}])")));
  EXPECT_FALSE(counts(quota, resource("configmaps"), Json::object()));
  const Json priority = Json::parse(
      R"({"spec":{"scopeSelector":{"matchExpressions":[{"scopeName":"PriorityClass","operator":"In","values":["high"]}]}}})");
  Json high = pod(R"([{"name":"a"}])");
  EXPECT_FALSE(counts(priority, resource("pods"), high));
  high["spec"]["priorityClassName"] = "high";
  EXPECT_TRUE(counts(priority, resource("pods"), high));
}

TEST(Quota, NamesWhatGoesOverAndWhatIsNotSaid) {
  const Usage hard = amounts(Json::parse(R"({"pods":"2","requests.cpu":"1","limits.memory":"1Gi"})"));
  const Usage used = amounts(Json::parse(R"({"pods":"1","requests.cpu":"800m"})"));
  const Usage more = amounts(Json::parse(R"({"pods":"1","requests.cpu":"300m"})"));
  EXPECT_EQ(overLimit(hard, used, more), std::vector<std::string>{"requests.cpu"});
  EXPECT_EQ(unspecified(hard, pod(R"([{"name":"a","resources":{"requests":{"cpu":"1"}}},{"name":"b"}])")),
            "limits.memory for: a,b; requests.cpu for: b");
}

TEST(Quota, ServicesAndClaimsCountByWhatTheyAre) {
  const Json service = Json::parse(R"({"spec":{"type":"NodePort","ports":[{"port":1},{"port":2}]}})");
  EXPECT_EQ(text(usageOf(resource("services"), service)),
            R"({"count/services":"1","services":"1","services.nodeports":"2"})");
  const Json claim = Json::parse(R"({"spec":{"storageClassName":"fast","resources":{"requests":{"storage":"2Gi"}}}})");
  EXPECT_EQ(
      text(usageOf(resource("persistentvolumeclaims"), claim)),
      R"({"count/persistentvolumeclaims":"1","fast.storageclass.storage.k8s.io/persistentvolumeclaims":"1",)"
      R"("fast.storageclass.storage.k8s.io/requests.storage":"2Gi","persistentvolumeclaims":"1","requests.storage":"2Gi"})");
}

const Json kRange =
    Json::parse(R"({"spec":{"limits":[{"type":"Container","default":{"cpu":"500m"},"defaultRequest":{"cpu":"100m"},
  "max":{"cpu":"1"},"min":{"cpu":"50m"},"maxLimitRequestRatio":{"cpu":"10"}}]}})");

TEST(LimitRange, FillsWhatAContainerDoesNotSay) {
  Json p = pod(R"([{"name":"a"},{"name":"b","resources":{"limits":{"cpu":"200m"}}}])");
  applyLimitDefaults(kRange, p);
  EXPECT_EQ(p["spec"]["containers"][0]["resources"], Json::parse(R"({"limits":{"cpu":"500m"},"requests":{"cpu":"100m"}})"));
  EXPECT_EQ(p["spec"]["containers"][1]["resources"], Json::parse(R"({"limits":{"cpu":"200m"},"requests":{"cpu":"200m"}})"));
  EXPECT_TRUE(outsideLimits(kRange, resource("pods"), p).empty());
}

TEST(LimitRange, SaysEachBoundThatIsBroken) {
  const Json p = pod(R"([{"name":"a","resources":{"requests":{"cpu":"10m"},"limits":{"cpu":"2"}}}])");
  EXPECT_EQ(
      outsideLimits(kRange, resource("pods"), p),
      (std::vector<std::string>{"minimum cpu usage per Container is 50m, but request is 10m",
                                "maximum cpu usage per Container is 1, but limit is 2",
                                "cpu max limit to request ratio per Container is 10, but provided ratio is 200.000000"}));
  EXPECT_EQ(outsideLimits(Json::parse(R"({"spec":{"limits":[{"type":"PersistentVolumeClaim","max":{"storage":"1Gi"}}]}})"),
                          resource("persistentvolumeclaims"),
                          Json::parse(R"({"spec":{"resources":{"requests":{"storage":"2Gi"}}}})")),
            std::vector<std::string>{"maximum storage usage per PersistentVolumeClaim is 1Gi, but limit is 2Gi"});
}

}  // namespace
}  // namespace slipway::quota
