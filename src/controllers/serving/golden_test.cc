// Compares plans, pods and statuses with recordings of the real KServe. The recordings are not part of the repository: the
// test runs where SLIPWAY_SHARED names a folder that has golden/, and otherwise skips. What differs on purpose is in
// kDifferences.
#include "controllers/serving/testing/golden.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "controllers/serving/plan.h"
#include "controllers/serving/pod_admission.h"
#include "controllers/serving/status.h"
#include "objects/serving/defaults.h"
#include "objects/serving/keys.h"

namespace slipway::isvc {
namespace {

namespace fs = std::filesystem;
using testing::GoldenCase;

fs::path goldenFolder() {
  const char* shared = std::getenv("SLIPWAY_SHARED");
  return fs::path(shared ? shared : "") / "golden";
}

std::vector<std::string> casesHere() {
  return fs::is_directory(goldenFolder()) ? testing::goldenCases() : std::vector<std::string>{"none"};
}

class GoldenTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (GetParam() == "none") GTEST_SKIP() << "SLIPWAY_SHARED names no folder with golden/";
    case_ = testing::readGoldenCase(goldenFolder() / GetParam());
  }

  void expectEqual(const Json& recorded, const Json& ours, const std::string& what) {
    for (const std::string& difference : testing::unexplained(GetParam(), what, recorded, ours)) ADD_FAILURE() << difference;
  }

  GoldenCase case_;
};

TEST_P(GoldenTest, IsWhatKServeMade) {
  ServingConfig config = testing::stockConfig();
  for (const Json& input : case_.services) {
    Json isvc = input;
    isvc["metadata"]["namespace"] = textAt(at(isvc, "metadata"), "namespace", "default");
    isvc["metadata"]["generation"] = 1;
    defaultInferenceService(isvc, config);
    expectEqual(case_.stored.at(nameOf(isvc)), isvc, "stored");
    auto plan = planService({isvc, case_.catalog, config, GatewayAddress{}, BuildOptions{.agent = true}, Json()});
    if (!plan) {
      expectEqual(case_.lastStatus.at(nameOf(isvc)), invalidSpecStatus(isvc, plan.error(), {}, "<time>"), "status");
      continue;
    }
    Observation seen;
    for (const Json& child : plan->children) {
      std::string key = textAt(child, "kind") + "/" + nameOf(child);
      // Where KServe gave up on a spec that we serve, there is nothing to compare but the status.
      if (case_.children.empty()) continue;
      ASSERT_TRUE(case_.children.contains(key)) << key << " was not made by KServe";
      expectEqual(case_.children[key], child, key);
      if (textAt(child, "kind") != "Deployment") continue;
      seen.deployments[nameOf(child)] = case_.children[key];
      auto recorded = case_.children.find("Pod/" + nameOf(child));
      if (recorded == case_.children.end()) continue;
      Json pod = at(child, "spec", "template");
      pod["metadata"]["namespace"] = namespaceOf(isvc);
      Status admitted = admitServingPod(pod, case_.credentials(pod), config, BuildOptions{.agent = true});
      ASSERT_TRUE(admitted) << admitted.error().message;
      expectEqual(recorded->second, pod, "pod " + nameOf(child));
      if (nameOf(child) == plan->components[0].name)
        seen.predictorPods = testing::runningPods(recorded->second, case_.children[key]);
    }
    auto ingress = case_.children.find("Ingress/" + nameOf(isvc));
    EXPECT_EQ(ingress != case_.children.end(), plan->ingress && isReady(case_.lastStatus.at(nameOf(isvc))));
    if (ingress != case_.children.end() && plan->ingress) expectEqual(ingress->second, *plan->ingress, ingress->first);
    expectEqual(case_.lastStatus.at(nameOf(isvc)), servingStatus(isvc, *plan, seen, "<time>"), "status");
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, GoldenTest, ::testing::ValuesIn(casesHere()), [](const auto& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace slipway::isvc
