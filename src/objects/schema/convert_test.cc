#include "objects/schema/convert.h"

#include <gtest/gtest.h>

#include "objects/schema/catalog.h"

namespace slipway {
namespace {

TEST(Convert, CarriesAutoscalersThereAndBack) {
  const Json v2 = Json::parse(R"({"apiVersion":"autoscaling/v2","kind":"HorizontalPodAutoscaler","metadata":{"name":"h"},
    "spec":{"maxReplicas":3,"metrics":[{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":70}}},
      {"type":"Resource","resource":{"name":"memory","target":{"type":"AverageValue","averageValue":"1Gi"}}}],"behavior":{"scaleDown":{"selectPolicy":"Max"}}},
    "status":{"currentReplicas":2,"desiredReplicas":2,"conditions":[{"type":"AbleToScale","status":"True"}]}})");
  const Json v1 = convertObject(v2, "autoscaling/v1");
  EXPECT_EQ(v1["spec"], Json::parse(R"({"maxReplicas":3,"targetCPUUtilizationPercentage":70})"));
  EXPECT_EQ(v1["metadata"]["annotations"].size(), 3U);
  EXPECT_EQ(convertObject(v1, "autoscaling/v2"), v2);
}

TEST(Convert, TakesWhatOldKubectlAutoscaleSends) {
  const Json v1 = Json::parse(R"({"apiVersion":"autoscaling/v1","kind":"HorizontalPodAutoscaler","metadata":{"name":"web"},
    "spec":{"maxReplicas":3,"minReplicas":1,"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"web"},"targetCPUUtilizationPercentage":80}})");
  Json v2 = convertObject(v1, "autoscaling/v2");
  const Resource* r = Catalog::builtin()->findKind("autoscaling/v2", "HorizontalPodAutoscaler");
  ASSERT_NE(r, nullptr);
  EXPECT_TRUE(Catalog::builtin()->prune(*r, v2).empty());
  EXPECT_TRUE(Catalog::builtin()->validate(*r, v2).empty());
  EXPECT_EQ(v2["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"], 80);
}

TEST(Convert, RenamesTheFieldsOfEvents) {
  const Json core = Json::parse(
      R"({"apiVersion":"v1","kind":"Event","metadata":{"name":"e"},"involvedObject":{"kind":"Pod"},"message":"m","count":2,"reportingComponent":"c"})");
  const Json events = convertObject(core, "events.k8s.io/v1");
  EXPECT_EQ(
      events,
      Json::parse(
          R"({"apiVersion":"events.k8s.io/v1","kind":"Event","metadata":{"name":"e"},"regarding":{"kind":"Pod"},"note":"m","deprecatedCount":2,"reportingController":"c"})"));
  EXPECT_EQ(convertObject(events, "v1"), core);
}

TEST(Convert, RenamesTheVersionOfOthers) {
  const Json vs = {{"apiVersion", "networking.istio.io/v1beta1"}, {"kind", "VirtualService"}, {"spec", {{"hosts", {"a"}}}}};
  EXPECT_EQ(convertObject(vs, "networking.istio.io/v1")["apiVersion"], "networking.istio.io/v1");
}

}  // namespace
}  // namespace slipway
