#include "controllers/serving/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controllers/serving/model_state.h"
#include "controllers/serving/testing/samples.h"

namespace slipway::isvc {
namespace {

using ::testing::HasSubstr;
using testing::parsed;

Plan samplePlan() {
  return *planService(
      {testing::sampleService(), testing::sampleCatalog(), ServingConfig(), GatewayAddress{8080}, BuildOptions{}, Json()});
}

Json pod(const char* status) {
  Json out = parsed(R"({"metadata": {"name": "p", "creationTimestamp": "2026-01-01T00:00:00Z"}})");
  out["status"] = parsed(status);
  return out;
}

Json deployment(const char* conditions) {
  Json out = parsed(R"({"metadata": {"name": "iris-predictor", "generation": 1}, "status": {"observedGeneration": 1}})");
  out["status"]["conditions"] = parsed(conditions);
  return out;
}

Json statusWith(const Json& isvc, const Json& deployment, std::vector<Json> pods = {}, const char* now = "t1") {
  Observation seen;
  if (!deployment.is_null()) seen.deployments["iris-predictor"] = deployment;
  seen.predictorPods = std::move(pods);
  return servingStatus(isvc, samplePlan(), seen, now);
}

std::string state(const Json& status, const char* which) { return textAt(at(status, "modelStatus", "states"), which); }

const char* kUnavailable =
    R"([{"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable", "message": "Deployment does not have minimum availability."}])";
const char* kAvailable = R"([{"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable", "message": "m"},
                             {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable", "message": "done"}])";

TEST(ServingStatus, FollowsTheDeploymentsConditions) {
  Json isvc = testing::sampleService();
  auto predictor = [&](const char* conditions) {
    return textAt(conditionOf(statusWith(isvc, deployment(conditions)), "PredictorReady"), "status");
  };
  EXPECT_EQ(predictor(kUnavailable), "False");
  EXPECT_EQ(predictor(kAvailable), "True");
  EXPECT_EQ(predictor(R"([{"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated", "message": "m"}])"),
            "Unknown");
  EXPECT_EQ(
      predictor(R"([{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "m"}])"),
      "False");
  EXPECT_EQ(
      predictor(
          R"([{"type": "Available", "status": "True"}, {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "m"}])"),
      "False");
  EXPECT_EQ(textAt(conditionOf(statusWith(isvc, Json()), "PredictorReady"), "status"), "False");
}

TEST(ServingStatus, SaysWhatAPodThatHasNoNodeWaitsFor) {
  Json waiting = pod(
      R"({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available: 1 Insufficient cpu."}]})");
  const Json status = statusWith(testing::sampleService(), deployment(kUnavailable), {waiting});
  EXPECT_EQ(textAt(conditionOf(status, "PredictorReady"), "message"),
            "Deployment does not have minimum availability. pod p: 0/1 nodes are available: 1 Insufficient cpu.");
  EXPECT_EQ(textAt(conditionOf(status, "PredictorReady"), "reason"), "MinimumReplicasUnavailable");
}

TEST(ServingStatus, KeepsTransitionTimesOfWhatDidNotChange) {
  Json isvc = testing::sampleService();
  isvc["status"] = statusWith(isvc, deployment(kUnavailable), {}, "t1");
  EXPECT_EQ(statusWith(isvc, deployment(kUnavailable), {}, "t2"), isvc["status"]);
  Json ready = statusWith(isvc, deployment(kAvailable), {}, "t2");
  EXPECT_EQ(textAt(conditionOf(ready, "Ready"), "lastTransitionTime"), "t2");
  EXPECT_EQ(textAt(conditionOf(ready, "Stopped"), "lastTransitionTime"), "t1");
}

TEST(ServingStatus, ObservedGenerationWaitsForTheDeploymentToCatchUp) {
  Json isvc = testing::sampleService();
  Json behind = deployment(kAvailable);
  behind["metadata"]["generation"] = 2;
  EXPECT_FALSE(statusWith(isvc, behind).contains("observedGeneration"));
  isvc["metadata"]["generation"] = 7;
  EXPECT_EQ(intAt(statusWith(isvc, deployment(kAvailable)), "observedGeneration"), 7);
}

TEST(ServingStatus, TellsWhyAModelCannotBeLoaded) {
  Json failing =
      pod(R"({"initContainerStatuses": [{"name": "storage-initializer", "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "message": "No model found in s3://b/m."}}}]})");
  Json status = statusWith(testing::sampleService(), deployment(kUnavailable), {failing});
  EXPECT_EQ(state(status, "targetModelState"), "FailedToLoad");
  EXPECT_EQ(textAt(at(status, "modelStatus"), "transitionStatus"), "BlockedByFailedLoad");
  EXPECT_EQ(at(status, "modelStatus", "lastFailureInfo"),
            parsed(R"({"exitCode": 1, "message": "No model found in s3://b/m.", "reason": "ModelLoadFailed"})"));
  EXPECT_EQ(intAt(at(status, "modelStatus", "copies"), "failedCopies"), 1);
}

TEST(ServingStatus, StaysReadyOnOldPodsWhileANewModelFails) {
  Json isvc = testing::sampleService();
  Json good = pod(R"({"conditions": [{"type": "Ready", "status": "True"}]})");
  isvc["status"] = statusWith(isvc, deployment(kAvailable), {good});
  EXPECT_EQ(state(isvc["status"], "activeModelState"), "Loaded");
  Json bad = pod(R"({"containerStatuses": [{"name": "kserve-container", "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}]})");
  bad["metadata"]["creationTimestamp"] = "2026-01-02T00:00:00Z";
  Json status = statusWith(isvc, deployment(kAvailable), {good, bad});
  EXPECT_TRUE(isReady(status));
  EXPECT_EQ(state(status, "activeModelState"), "Loaded");
  EXPECT_EQ(state(status, "targetModelState"), "FailedToLoad");
  EXPECT_THAT(textAt(at(status, "modelStatus", "lastFailureInfo"), "message"), HasSubstr("exit code 137 (OOMKilled)"));
}

TEST(ServingStatus, RepairedModelsBecomeLoadedAndKeepTheLastFailureOnRecord) {
  Json isvc = testing::sampleService();
  Json failing = pod(
      R"({"initContainerStatuses": [{"name": "storage-initializer", "state": {"terminated": {"exitCode": 1, "reason": "Error", "message": "x"}}}]})");
  isvc["status"] = statusWith(isvc, deployment(kUnavailable), {failing});
  Json status = statusWith(isvc, deployment(kAvailable), {pod(R"({"conditions": [{"type": "Ready", "status": "True"}]})")});
  EXPECT_EQ(state(status, "targetModelState"), "Loaded");
  EXPECT_EQ(intAt(at(status, "modelStatus", "copies"), "totalCopies"), 1);
  EXPECT_EQ(textAt(at(status, "modelStatus", "lastFailureInfo"), "message"), "x");
}

TEST(ModelState, LoadsWhileTheInitializerRuns) {
  EXPECT_EQ(
      modelState({pod(R"({"initContainerStatuses": [{"name": "storage-initializer", "state": {"running": {}}}]})")}, false)
          .state,
      "Loading");
  EXPECT_EQ(
      modelState(
          {pod(
              R"({"initContainerStatuses": [{"name": "storage-initializer", "state": {"running": {}}, "lastState": {"terminated": {"exitCode": 1}}}]})")},
          false)
          .state,
      "")
      << "it failed a moment ago and is trying again: the last word stands";
  EXPECT_EQ(modelState({}, false).state, "Pending");
}

TEST(ModelState, AServerThatStartsAgainAfterAFailureKeepsTheLastWord) {
  EXPECT_EQ(modelState({pod(R"({"containerStatuses": [{"name": "kserve-container", "state": {"running": {}},
                                "lastState": {"terminated": {"exitCode": 1}}}]})")},
                       false)
                .state,
            "");
}

TEST(ModelState, LeavesOutPodsThatAreGoing) {
  Json going = pod(R"({"conditions": [{"type": "Ready", "status": "True"}]})");
  going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z";
  EXPECT_EQ(modelState({going}, false).readyCopies, 0);
}

TEST(StoppedStatus, ForgetsWhatIsNoLongerSo) {
  Json isvc = testing::sampleService();
  isvc["status"] = statusWith(isvc, deployment(kAvailable));
  Json status = stoppedStatus(isvc, "t2");
  EXPECT_EQ(textAt(conditionOf(status, "Stopped"), "status"), "True");
  EXPECT_EQ(textAt(conditionOf(status, "Ready"), "reason"), "Stopped");
  for (const char* key : {"url", "address", "components", "observedGeneration"}) EXPECT_FALSE(status.contains(key)) << key;
  EXPECT_EQ(textAt(status, "clusterServingRuntimeName"), "kserve-sklearnserver");
}

TEST(ReadinessEvents, NameWhatIsNotReady) {
  Json isvc = testing::sampleService();
  Json ready = statusWith(isvc, deployment(kAvailable)), not_ = statusWith(isvc, deployment(kUnavailable));
  EXPECT_EQ(readinessEvents(isvc, Json(), ready).at(0).message, "InferenceService [iris] is Ready");
  EXPECT_EQ(readinessEvents(isvc, ready, not_).at(0).message,
            "InferenceService [iris] is no longer Ready because of: IngressReady, PredictorReady, Ready");
  EXPECT_TRUE(readinessEvents(isvc, ready, ready).empty());
}

}  // namespace
}  // namespace slipway::isvc
