#include "controllers/serving/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controllers/serving/builtin.h"
#include "controllers/serving/merge.h"
#include "controllers/serving/testing/samples.h"
#include "objects/serving/defaults.h"
#include "objects/serving/validate.h"

namespace slipway::isvc {
namespace {

using ::testing::HasSubstr;
using testing::parsed;
using testing::sampleService;

tl::expected<Plan, SpecFault> planned(Json isvc, RuntimeCatalog catalog = testing::sampleCatalog()) {
  return planService({std::move(isvc), std::move(catalog), ServingConfig(), GatewayAddress{8080}, BuildOptions{}, Json()});
}

const Json& child(const Plan& plan, const char* kind, const std::string& name) {
  static const Json kNone;
  for (const Json& object : plan.children) {
    if (textAt(object, "kind") == kind && nameOf(object) == name) return object;
  }
  return kNone;
}

const Json& server(const Plan& plan) {
  return at(child(plan, "Deployment", "iris-predictor"), "spec", "template", "spec", "containers")[0];
}

TEST(SelectRuntime, PicksTheHighestPriorityThatSpeaksTheProtocol) {
  auto v1 = selectRuntime(sampleService(), testing::sampleCatalog());
  ASSERT_TRUE(v1);
  EXPECT_EQ(nameOf(v1->runtime), "kserve-sklearnserver");
  Json isvc = sampleService();
  isvc["spec"]["predictor"]["model"]["protocolVersion"] = "v2";
  auto v2 = selectRuntime(isvc, testing::sampleCatalog());
  ASSERT_TRUE(v2);
  EXPECT_EQ(nameOf(v2->runtime), "kserve-mlserver");
}

TEST(SelectRuntime, PutsTheNamespacesOwnRuntimesFirst) {
  RuntimeCatalog catalog = testing::sampleCatalog();
  catalog.namespaced.push_back(testing::sampleRuntime("mine", "sklearn", "1", "v1", 1));
  catalog.cluster.push_back(testing::sampleRuntime("strong", "sklearn", "1", "v1", 99));
  auto choice = selectRuntime(sampleService(), catalog);
  ASSERT_TRUE(choice);
  EXPECT_EQ(nameOf(choice->runtime), "mine");
  EXPECT_FALSE(choice->cluster);
}

TEST(SelectRuntime, SaysWhatWasConsideredAndWhyNot) {
  Json isvc = sampleService();
  isvc["spec"]["predictor"]["model"]["modelFormat"]["version"] = "77";
  RuntimeCatalog catalog = testing::sampleCatalog();
  catalog.cluster.push_back(testing::sampleRuntime("off", "sklearn", "77", "v1", 1));
  catalog.cluster.back()["spec"]["disabled"] = true;
  auto choice = selectRuntime(isvc, catalog);
  ASSERT_FALSE(choice);
  EXPECT_EQ(choice.error().reason, "NoSupportingRuntime");
  EXPECT_THAT(choice.error().message,
              HasSubstr("No runtime found to support specified framework/version: format sklearn version 77"));
  EXPECT_THAT(choice.error().message, HasSubstr("kserve-sklearnserver serves versions 1"));
  EXPECT_THAT(choice.error().message, HasSubstr("off is disabled"));
}

TEST(SelectRuntime, ChecksANamedRuntime) {
  Json isvc = sampleService();
  Json& model = isvc["spec"]["predictor"]["model"];
  model["runtime"] = "nosuch";
  EXPECT_EQ(selectRuntime(isvc, testing::sampleCatalog()).error().reason, "RuntimeNotRecognized");
  model["runtime"] = "kserve-mlserver";
  EXPECT_TRUE(selectRuntime(isvc, testing::sampleCatalog())) << "no protocol is asked for";
  model["protocolVersion"] = "v1";
  EXPECT_THAT(selectRuntime(isvc, testing::sampleCatalog()).error().message, HasSubstr("speaks v2, not v1"));
}

TEST(MergeContainer, OverlaysByKeyAndAppendsArguments) {
  Json base = parsed(R"({"name": "kserve-container", "image": "a", "args": ["--x"], "command": ["run"],
    "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}], "resources": {"limits": {"cpu": "1", "memory": "2Gi"}}})");
  Json overlay = parsed(R"({"name": "kserve-container", "args": ["--y"], "env": [{"name": "C", "value": "3"},
    {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}], "resources": {"limits": {"cpu": "4"}}})");
  Json merged = mergeContainer(base, overlay);
  EXPECT_EQ(merged["args"], parsed(R"(["--x", "--y"])"));
  EXPECT_EQ(merged["resources"]["limits"], parsed(R"({"cpu": "4", "memory": "2Gi"})"));
  EXPECT_EQ(merged["env"], parsed(R"([{"name": "C", "value": "3"}, {"name": "A", "value": "1"},
    {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}])"));
}

TEST(RuntimeImage, ReplacesTheTagAndPicksTheGpuBuild) {
  EXPECT_EQ(runtimeImage("tensorflow/serving:2.6.2", "", "tensorflow-serving", true), "tensorflow/serving:2.6.2-gpu");
  EXPECT_EQ(runtimeImage("tensorflow/serving:2.6.2", "2.9", "tensorflow-serving", true), "tensorflow/serving:2.9");
  EXPECT_EQ(runtimeImage("registry:5000/sk", "1.2", "sklearnserver", false), "registry:5000/sk:1.2");
  EXPECT_EQ(runtimeImage("a/b@sha256:00", "1.2", "tensorflow-serving", true), "a/b@sha256:00");
  EXPECT_EQ(runtimeImage("vllm/vllm-openai:latest", "", "vllmserver", false), "vllm/vllm-openai-cpu:latest");
}

TEST(Plan, FillsTheRuntimesPlaceholders) {
  auto plan = planned(sampleService());
  ASSERT_TRUE(plan);
  EXPECT_EQ(server(*plan)["args"], parsed(R"(["--model_name=iris", "--model_dir=/mnt/models"])"));
}

TEST(Plan, TakesPodFieldsThatTheGuideWritesUnderTheModel) {
  Json isvc = sampleService();
  isvc["spec"]["predictor"]["model"]["nodeSelector"] = {{"gpu", "a100"}};
  isvc["spec"]["predictor"]["model"]["tolerations"] = parsed(R"([{"key": "nvidia.com/gpu", "operator": "Exists"}])");
  auto plan = planned(isvc);
  ASSERT_TRUE(plan);
  const Json& spec = at(child(*plan, "Deployment", "iris-predictor"), "spec", "template", "spec");
  EXPECT_EQ(at(spec, "nodeSelector", "gpu"), "a100");
  EXPECT_EQ(at(spec, "tolerations").size(), 1u);
  EXPECT_FALSE(server(*plan).contains("nodeSelector"));
}

TEST(Plan, BuildsTheGuidesAlibiExplainer) {
  Json isvc = sampleService();
  isvc["spec"]["explainer"] = parsed(R"({"alibi": {"type": "AnchorTabular", "storageUri": "s3://models/explainers/iris"}})");
  defaultInferenceService(isvc, ServingConfig());
  ASSERT_TRUE(validateInferenceService(isvc, nullptr, ServingConfig()));
  auto plan = planned(isvc);
  ASSERT_TRUE(plan);
  const Json& explainer = at(child(*plan, "Deployment", "iris-explainer"), "spec", "template", "spec", "containers")[0];
  EXPECT_EQ(explainer["image"], "kserve/alibi-explainer:latest");
  EXPECT_THAT(dumpJson(explainer["args"]), HasSubstr("AnchorTabular"));
}

TEST(Plan, WithoutAnAgentRequestsGoToTheServerAndTheUserIsTold) {
  Json isvc = sampleService();
  isvc["spec"]["predictor"]["batcher"] = {{"maxBatchSize", 16}};
  auto plan = planned(isvc);
  ASSERT_TRUE(plan);
  EXPECT_EQ(child(*plan, "Service", "iris-predictor")["spec"]["ports"][0]["targetPort"], 8080);
  ASSERT_EQ(plan->notices.size(), 1u);
  EXPECT_EQ(plan->notices[0].reason, "AgentNotActive");
}

TEST(Plan, NamesDeclaredPortsOnTheService) {
  Json isvc = sampleService();
  isvc["spec"]["predictor"]["model"]["ports"] =
      parsed(R"([{"name": "h2c", "containerPort": 9000, "protocol": "TCP"}, {"name": "metrics", "containerPort": 9001}])");
  auto plan = planned(isvc);
  ASSERT_TRUE(plan);
  const Json& ports = child(*plan, "Service", "iris-predictor")["spec"]["ports"];
  EXPECT_EQ(
      ports[0],
      parsed(R"({"name": "h2c", "port": 80, "targetPort": 9000, "protocol": "TCP", "appProtocol": "kubernetes.io/h2c"})"));
  EXPECT_EQ(ports[1]["port"], 9001);
  EXPECT_EQ(server(*plan)["readinessProbe"]["tcpSocket"]["port"], 9000);
}

TEST(Plan, IsTheSameTextEachTime) {
  auto first = planned(sampleService()), second = planned(sampleService());
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->children, second->children);
}

TEST(BuiltinObjects, AreOneConfigurationAndTheRuntimesThatTheGuideNames) {
  std::vector<std::string> names;
  for (const Json& object : builtinServingObjects()) names.push_back(nameOf(object));
  for (const char* name : {"inferenceservice-config", "kserve-mlserver", "kserve-sklearnserver", "kserve-xgbserver",
                           "kserve-tensorflow-serving"}) {
    EXPECT_THAT(names, ::testing::Contains(name));
  }
}

TEST(BuiltinObjects, PassTheirOwnAdmissionAndParse) {
  std::vector<Json> all = builtinServingObjects();
  for (const Json& object : all) {
    if (textAt(object, "kind") == "ConfigMap") {
      Result<ServingConfig> config = parseServingConfig(object);
      ASSERT_TRUE(config) << config.error().message;
      EXPECT_EQ(config->defaultMode, "Standard");
      EXPECT_EQ(config->ingressDomain, "localhost");
      continue;
    }
    Status ok = validateRuntime(object, nullptr, all);
    EXPECT_TRUE(ok) << nameOf(object) << ": " << ok.error().message;
  }
}

}  // namespace
}  // namespace slipway::isvc
