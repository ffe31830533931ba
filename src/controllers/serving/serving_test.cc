#include "controllers/serving/serving.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controllers/serving/status.h"
#include "controllers/serving/testing/samples.h"
#include "kube/testing/fake_client.h"
#include "kube/testing/loop.h"

namespace slipway::isvc {
namespace {

using kube::Key;
using ::testing::HasSubstr;

class ServingTest : public ::testing::Test {
 protected:
  ServingTest() : api_(loop_.executor(), clock_), scope_(loop_.executor(), "serving"), cache_(api_, clock_, scope_) {
    for (Json& runtime : testing::sampleCatalog().cluster) api_.put(runtime);
  }
  ~ServingTest() override {
    scope_.cancel();
    loop_.run(scope_.join());
  }

  void start(ServingOptions options = {}) {
    options.gateway.port = 8080;
    controller_ = startServing({api_, cache_, clock_, scope_}, options);
    settle();
  }
  // Turns the loop until the controller has nothing to do and the store stops changing.
  void settle() {
    for (int quiet = 0; quiet < 3;) {
      std::uint64_t before = api_.revision();
      loop_.settle();
      ASSERT_TRUE(loop_.until([&] { return controller_->idle(); }));
      quiet = api_.revision() == before ? quiet + 1 : 0;
    }
  }
  Json isvc() { return api_.peek(kinds::kInferenceService, {"models", "iris"}); }
  Json deployment() { return api_.peek(kinds::kDeployment, {"models", "iris-predictor"}); }
  std::string condition(const char* type, const char* field = "status") {
    return textAt(conditionOf(at(isvc(), "status"), type), field);
  }

  void makeAvailable() {
    Json status = testing::parsed(R"({"replicas": 1, "readyReplicas": 1, "conditions": [
      {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable", "message": "Deployment has minimum availability."},
      {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable", "message": "ReplicaSet \"x\" has successfully progressed."}]})");
    status["observedGeneration"] = at(deployment(), "metadata", "generation");
    api_.setStatus(kinds::kDeployment, {"models", "iris-predictor"}, status);
    settle();
  }
  std::vector<std::string> eventReasons() {
    std::vector<std::string> out;
    for (const Json& event : api_.all(kinds::kEvent)) out.push_back(textAt(event, "reason"));
    std::sort(out.begin(), out.end());
    return out;
  }

  FakeClock clock_;
  kube::Loop loop_;
  kube::FakeClient api_;
  TaskScope scope_;
  kube::Cache cache_;
  std::shared_ptr<kube::Controller> controller_;
};

TEST_F(ServingTest, ANewServiceGetsDeploymentServiceAndScalerAndSaysThatItWaits) {
  api_.put(testing::sampleService());
  start();
  EXPECT_EQ(at(deployment(), "spec", "replicas"), 1);
  EXPECT_TRUE(api_.peek(kinds::kService, {"models", "iris-predictor"}).is_object());
  EXPECT_TRUE(api_.peek(kinds::kHorizontalPodAutoscaler, {"models", "iris-predictor"}).is_object());
  EXPECT_EQ(condition("Ready"), "False");
  EXPECT_EQ(condition("Ready", "reason"), "Predictor ingress not created");
  EXPECT_EQ(textAt(at(isvc(), "status"), "clusterServingRuntimeName"), "kserve-sklearnserver");
}

TEST_F(ServingTest, AnAvailableDeploymentMakesItReadyWithItsUrl) {
  api_.put(testing::sampleService());
  start();
  makeAvailable();
  EXPECT_EQ(condition("Ready"), "True");
  EXPECT_EQ(textAt(at(isvc(), "status"), "url"), "http://iris.models.localhost:8080");
  EXPECT_EQ(textAt(at(isvc(), "status", "address"), "url"), "http://iris-predictor.models.svc.cluster.local");
  EXPECT_EQ(intAt(at(isvc(), "status"), "observedGeneration"), 1);
  EXPECT_THAT(eventReasons(), ::testing::Contains("InferenceServiceReady"));
}

TEST_F(ServingTest, ASecondPassWritesNothing) {
  api_.put(testing::sampleService());
  start();
  makeAvailable();
  std::uint64_t before = api_.writes();
  controller_->enqueue({"models", "iris"});
  settle();
  EXPECT_EQ(api_.writes(), before);
}

TEST_F(ServingTest, AnUnknownFormatIsInvalidSpecUntilARuntimeServesIt) {
  Json service = testing::sampleService();
  service["spec"]["predictor"]["model"]["modelFormat"]["name"] = "nosuch";
  api_.put(service);
  start();
  EXPECT_EQ(textAt(at(isvc(), "status", "modelStatus"), "transitionStatus"), "InvalidSpec");
  EXPECT_EQ(condition("Ready"), "Unknown");
  EXPECT_TRUE(deployment().is_null());
  EXPECT_THAT(eventReasons(), ::testing::ElementsAre("InternalError"));

  api_.put(testing::sampleRuntime("mine", "nosuch", "1", "v1", 1));
  settle();
  EXPECT_TRUE(deployment().is_object());
}

TEST_F(ServingTest, AServiceMadeInvalidGoesOnServingAndStillTellsTheTruth) {
  api_.put(testing::sampleService());
  start();
  makeAvailable();
  Json broken = isvc();
  broken["metadata"]["generation"] = 2;
  broken["spec"]["predictor"]["model"]["modelFormat"]["name"] = "nosuch";
  api_.put(broken);
  settle();
  EXPECT_TRUE(deployment().is_object());
  EXPECT_EQ(condition("Ready"), "True");
  EXPECT_EQ(textAt(at(isvc(), "status", "modelStatus"), "transitionStatus"), "InvalidSpec");
  EXPECT_EQ(intAt(at(isvc(), "status"), "observedGeneration"), 1);

  Json status = at(deployment(), "status");
  status["conditions"] = testing::parsed(
      R"([{"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable", "message": "m"}])");
  api_.setStatus(kinds::kDeployment, {"models", "iris-predictor"}, status);
  settle();
  EXPECT_EQ(condition("Ready"), "False");
}

TEST_F(ServingTest, AnEditedRuntimeReachesItsServices) {
  api_.put(testing::sampleService());
  start();
  Json runtime = testing::sampleRuntime("kserve-sklearnserver", "sklearn", "1", "v1", 1);
  runtime["spec"]["containers"][0]["image"] = "kserve/server:next";
  api_.put(runtime);
  settle();
  EXPECT_EQ(deployment()["spec"]["template"]["spec"]["containers"][0]["image"], "kserve/server:next");
}

TEST_F(ServingTest, DisableAutoUpdateKeepsAReadyServiceAsItIs) {
  Json service = testing::sampleService();
  service["metadata"]["annotations"]["serving.kserve.io/disable-auto-update"] = "true";
  api_.put(service);
  start();
  makeAvailable();
  Json runtime = testing::sampleRuntime("kserve-sklearnserver", "sklearn", "1", "v1", 1);
  runtime["spec"]["containers"][0]["image"] = "kserve/server:next";
  api_.put(runtime);
  settle();
  EXPECT_EQ(deployment()["spec"]["template"]["spec"]["containers"][0]["image"], "kserve/server:latest");
}

TEST_F(ServingTest, AnEditedConfigurationReachesServices) {
  api_.put(testing::sampleService());
  start();
  makeAvailable();
  api_.put(testing::parsed(
      R"({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "inferenceservice-config", "namespace": "kserve"},
    "data": {"ingress": "{\"ingressDomain\": \"example.org\", \"domainTemplate\": \"{{.Name}}-{{.Namespace}}.{{.IngressDomain}}\"}"}})"));
  settle();
  EXPECT_EQ(textAt(at(isvc(), "status"), "url"), "http://iris-models.example.org:8080");
}

TEST_F(ServingTest, ABrokenConfigurationLeavesTheLastGoodOneInForce) {
  api_.put(testing::sampleService());
  start();
  makeAvailable();
  api_.put(testing::parsed(
      R"({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "inferenceservice-config", "namespace": "kserve"},
    "data": {"ingress": "{oops"}})"));
  settle();
  EXPECT_EQ(textAt(at(isvc(), "status"), "url"), "http://iris.models.localhost:8080");
  EXPECT_EQ(condition("Ready"), "True");
}

TEST_F(ServingTest, StopRemovesTheChildrenAndStartBringsThemBack) {
  api_.put(testing::sampleService());
  start();
  makeAvailable();
  Json stopped = isvc();
  stopped["metadata"]["annotations"]["serving.kserve.io/stop"] = "true";
  api_.put(stopped);
  settle();
  EXPECT_TRUE(deployment().is_null());
  EXPECT_TRUE(api_.peek(kinds::kService, {"models", "iris-predictor"}).is_null());
  EXPECT_EQ(condition("Stopped"), "True");
  EXPECT_EQ(condition("Ready", "reason"), "Stopped");
  EXPECT_FALSE(at(isvc(), "status").contains("url"));

  Json started = isvc();
  started["metadata"]["annotations"].erase("serving.kserve.io/stop");
  api_.put(started);
  settle();
  makeAvailable();
  EXPECT_EQ(condition("Ready"), "True");
  EXPECT_EQ(condition("Stopped"), "False");
}

TEST_F(ServingTest, ADeletedDeploymentComesBack) {
  api_.put(testing::sampleService());
  start();
  api_.drop(kinds::kDeployment, {"models", "iris-predictor"});
  settle();
  EXPECT_TRUE(deployment().is_object());
}

TEST_F(ServingTest, ARefusedChildIsToldInTheStatus) {
  api_.onRequest = [](const kube::FakeRequest& request) -> std::optional<Error> {
    if (request.plural == "deployments" && (request.verb == "patch" || request.verb == "create")) {
      return Error{Code::Invalid, "Deployment.apps \"iris-predictor\" is invalid: spec: too good", {}};
    }
    return std::nullopt;
  };
  api_.put(testing::sampleService());
  start();
  EXPECT_EQ(condition("PredictorReady", "reason"), "ReconcileFailed");
  EXPECT_THAT(condition("Ready", "message"), HasSubstr("too good"));
}

TEST_F(ServingTest, AnObjectWithKServesFinalizerCanBeDeleted) {
  Json service = testing::sampleService();
  service["metadata"]["finalizers"] = Json::array({"inferenceservice.finalizers"});
  api_.put(service);
  start();
  ASSERT_TRUE(loop_.run(api_.remove(kinds::kInferenceService, {"models", "iris"}, {})));
  settle();
  EXPECT_TRUE(isvc().is_null());
}

TEST_F(ServingTest, AnIngressIsMadeWhenReadyAndOnlyWhereAClassIsConfigured) {
  auto ingress = [&] { return api_.peek(kinds::kIngress, {"models", "iris"}); };
  api_.put(testing::sampleService());
  start();
  makeAvailable();
  EXPECT_TRUE(ingress().is_null());
  api_.put(testing::parsed(
      R"({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "inferenceservice-config", "namespace": "kserve"},
    "data": {"ingress": "{\"ingressClassName\": \"nginx\"}"}})"));
  settle();
  EXPECT_EQ(at(ingress(), "spec", "rules").size(), 2u);
}

TEST_F(ServingTest, AServerlessServiceIsServedAndSaysHow) {
  Json service = testing::sampleService();
  service["metadata"]["annotations"]["serving.kserve.io/deploymentMode"] = "Serverless";
  service["spec"]["predictor"]["minReplicas"] = 0;
  api_.put(service);
  start();
  makeAvailable();
  EXPECT_EQ(condition("Ready"), "True");
  EXPECT_EQ(at(deployment(), "spec", "replicas"), 1);
  EXPECT_EQ(annotation(isvc(), "serving.kserve.io/deploymentMode"), "Serverless");
  EXPECT_THAT(eventReasons(), ::testing::Contains("ServedAsStandard"));
}

}  // namespace
}  // namespace slipway::isvc
