#include "objects/schema/catalog.h"

#include <gtest/gtest.h>

#include "objects/schema/node_table.h"

namespace slipway {
namespace {

std::shared_ptr<const Catalog> catalog() { return Catalog::builtin(); }

const Resource& kindOf(const char* apiVersion, const char* kind) {
  const Resource* r = catalog()->findKind(apiVersion, kind);
  EXPECT_NE(r, nullptr) << apiVersion << " " << kind;
  return *r;
}

std::string causes(const Resource& r, const Json& object) {
  std::string out;
  for (const auto& e : catalog()->validate(r, object)) out += e.field + ": " + e.message + "\n";
  return out;
}

Json deployment() {
  return Json::parse(R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},
    "spec":{"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},
    "spec":{"containers":[{"name":"c","image":"nginx:1.25","ports":[{"containerPort":80}]}]}}}})");
}

TEST(Catalog, ServesTheKindsOfTheIssueInDiscoveryOrder) {
  const auto& all = catalog()->resources();
  EXPECT_EQ(all.front().plural, "configmaps");
  EXPECT_NE(catalog()->find("", "v1", "pods"), nullptr);
  EXPECT_NE(catalog()->find("serving.kserve.io", "v1beta1", "inferenceservices"), nullptr);
  EXPECT_EQ(catalog()->find("serving.kserve.io", "v1", "inferenceservices"), nullptr);
  EXPECT_EQ(kindOf("serving.kserve.io/v1beta1", "InferenceService").shortNames, std::vector<std::string>{"isvc"});
  EXPECT_TRUE(kindOf("serving.kserve.io/v1alpha1", "InferenceGraph").custom);
  EXPECT_FALSE(kindOf("v1", "Pod").custom);
  EXPECT_EQ(kindOf("autoscaling/v1", "HorizontalPodAutoscaler").storedAs, "autoscaling/v2");
  const auto position = [&](const char* version) {
    return std::find_if(all.begin(), all.end(), [&](const Resource& r) {
      return r.apiVersion() == version && r.plural == "horizontalpodautoscalers";
    });
  };
  EXPECT_LT(position("autoscaling/v2"), position("autoscaling/v1"));
}

TEST(Catalog, PrunesUnknownFieldsAndNamesThem) {
  Json d = deployment();
  d["foo"] = 1;
  d["spec"]["template"]["spec"]["containers"][0]["imagee"] = "x";
  d["metadata"]["creationTimestamp"] = nullptr;
  const auto unknown = catalog()->prune(kindOf("apps/v1", "Deployment"), d);
  EXPECT_EQ(unknown, (std::vector<std::string>{"foo", "spec.template.spec.containers[0].imagee"}));
  EXPECT_FALSE(d["metadata"].contains("creationTimestamp"));
  EXPECT_FALSE(d.contains("foo"));
}

TEST(Catalog, FillsTheDefaultsOfKubeApiserver) {
  Json d = deployment();
  catalog()->applyDefaults(kindOf("apps/v1", "Deployment"), d);
  const Json& spec = d["spec"];
  EXPECT_EQ(spec["replicas"], 1);
  EXPECT_EQ(spec["strategy"],
            Json::parse(R"({"type":"RollingUpdate","rollingUpdate":{"maxSurge":"25%","maxUnavailable":"25%"}})"));
  const Json& pod = spec["template"]["spec"];
  EXPECT_EQ(pod["restartPolicy"], "Always");
  EXPECT_EQ(pod["securityContext"], Json::object());
  EXPECT_FALSE(pod.contains("enableServiceLinks"));
  const Json& c = pod["containers"][0];
  EXPECT_EQ(c["imagePullPolicy"], "IfNotPresent");
  EXPECT_EQ(c["ports"][0]["protocol"], "TCP");
  EXPECT_EQ(c["resources"], Json::object());
}

TEST(Catalog, LeavesPodsInsideOurKindsAsTheyWereWritten) {
  Json isvc = Json::parse(R"({"apiVersion":"serving.kserve.io/v1beta1","kind":"InferenceService","metadata":{"name":"a"},
    "spec":{"predictor":{"containers":[{"image":"x","readinessProbe":{"httpGet":{"path":"/","port":8080}}}]}}})");
  const Json before = isvc;
  const Resource& r = kindOf("serving.kserve.io/v1beta1", "InferenceService");
  EXPECT_TRUE(catalog()->prune(r, isvc).empty());
  catalog()->applyDefaults(r, isvc);
  EXPECT_EQ(isvc, before);
  EXPECT_EQ(causes(r, isvc), "");
}

TEST(Catalog, RefusesInTheWordsOfKubeApiserver) {
  Json d = deployment();
  d["spec"]["replicas"] = -2;
  EXPECT_EQ(causes(kindOf("apps/v1", "Deployment"), d),
            "spec.replicas: Invalid value: -2: must be greater than or equal to 0\n");
  Json cm = {{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", {{"name", "CM_1"}}}};
  EXPECT_EQ(causes(kindOf("v1", "ConfigMap"), cm),
            "metadata.name: Invalid value: \"CM_1\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric "
            "characters, '-' or '.', "
            "and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
            "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')\n");
  Json isvc = Json::parse(R"({"metadata":{"name":"iris"},"spec":{"predictor":{"scaleMetric":"bogus"}}})");
  EXPECT_EQ(causes(kindOf("serving.kserve.io/v1beta1", "InferenceService"), isvc),
            "spec.predictor.scaleMetric: Unsupported value: \"bogus\": supported values: \"cpu\", \"memory\", "
            "\"concurrency\", \"rps\"\n");
  Json none = Json::parse(R"({"metadata":{"name":"iris"},"spec":{}})");
  EXPECT_EQ(causes(kindOf("serving.kserve.io/v1beta1", "InferenceService"), none), "spec.predictor: Required value\n");
}

TEST(Catalog, ReportsWrongTypesAloneAndAsTheDecoderDoes) {
  Json d = deployment();
  d["spec"]["replicas"] = "two";
  d["metadata"]["name"] = "BAD NAME";
  EXPECT_EQ(
      causes(kindOf("apps/v1", "Deployment"), d),
      "spec.replicas: json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32\n");
  Json isvc = Json::parse(R"({"metadata":{"name":"iris"},"spec":{"predictor":{"minReplicas":"x"}}})");
  EXPECT_EQ(causes(kindOf("serving.kserve.io/v1beta1", "InferenceService"), isvc),
            "spec.predictor.minReplicas: Invalid value: \"string\": spec.predictor.minReplicas in body must be of type "
            "integer: \"string\"\n");
}

TEST(Catalog, ChecksPodsLikeKubernetes) {
  Json d = deployment();
  Json& pod = d["spec"]["template"]["spec"];
  pod["containers"].push_back({{"name", "c"}});
  pod["containers"][0]["volumeMounts"] = {{{"name", "nope"}, {"mountPath", "/x"}}};
  pod["containers"][0]["ports"][0]["containerPort"] = 70000;
  d["spec"]["template"]["metadata"]["labels"]["app"] = "other";
  EXPECT_EQ(
      causes(kindOf("apps/v1", "Deployment"), d),
      "spec.template.metadata.labels: Invalid value: {\"app\":\"other\"}: `selector` does not match template `labels`\n"
      "spec.template.spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, "
      "inclusive\n"
      "spec.template.spec.containers[0].volumeMounts[0].name: Not found: \"nope\"\n"
      "spec.template.spec.containers[1].name: Duplicate value: \"c\"\n"
      "spec.template.spec.containers[1].image: Required value\n");
}

TEST(Catalog, HoldsWhatMustNotChange) {
  const Json before = deployment();
  Json after = before;
  after["spec"]["selector"]["matchLabels"]["app"] = "web2";
  const auto errors = catalog()->validateUpdate(kindOf("apps/v1", "Deployment"), before, after);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].message, "Invalid value: {\"matchLabels\":{\"app\":\"web2\"}}: field is immutable");
}

TEST(Catalog, SchemasTakeLittleMemory) {
  // 60 MB for the whole idle platform: the tables of all kinds must stay far below one.
  EXPECT_LT(catalog()->nodes().size() * sizeof(schema::Node), 600'000U);
}

}  // namespace
}  // namespace slipway
