#include "controllers/serving/testing/golden.h"

#include <fstream>
#include <regex>
#include <sstream>

#include "controllers/serving/builtin.h"
#include "data/base64.h"
#include "data/yaml.h"
#include "objects/serving/view.h"

namespace slipway::isvc::testing {

namespace {

namespace fs = std::filesystem;

std::vector<Json> documents(const fs::path& file) {
  std::ifstream in(file);
  std::stringstream text;
  text << in.rdbuf();
  Result<std::vector<Json>> all = parseYamlDocuments(text.str());
  if (!all) throw std::runtime_error(file.string() + ": " + all.error().message);
  return std::move(*all);
}

struct Difference {
  const char* folder;  // regular expressions, whole matches
  const char* what;
  const char* path;
  const char* why;
};

// What the API server and other controllers fill in, and what we do differently on purpose (docs/compatibility.md).
const Difference kDifferences[] = {
    {".*", ".*", "/metadata/(generation|uid|generateName|ownerReferences/0/uid|finalizers.*)", "the server's"},
    {".*", ".*", "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration", "the client's"},
    {".*", "stored", "/metadata/annotations/serving.kserve.io~1deploymentMode", "kept as the user wrote it"},
    {".*", "(Deployment|Service|HorizontalPodAutoscaler|Ingress)/.*", "/status.*", "the server's"},
    {".*", "Deployment/.*", "/metadata/annotations/deployment.kubernetes.io~1revision", "the Deployment controller's"},
    {".*", "Service/.*", "/spec/(clusterIP|clusterIPs|ipFamilies|ipFamilyPolicy|internalTrafficPolicy).*", "the server's"},
    {".*", "HorizontalPodAutoscaler/.*", "/spec/behavior.*", "the server's default"},
    {".*", "Deployment/.*", "/spec/replicas", "scaled by the HPA since"},
    {".*", ".*", "/spec/template/spec/serviceAccount", "the server's alias of serviceAccountName"},
    {".*", "pod .*", "/metadata/name", "the ReplicaSet's"},
    {".*", "pod .*", "/spec/containers/0/resources/requests/nvidia.com~1gpu", "the server's default for limits"},
    {".*", "pod .*", "/spec/containers/1/env/0/value", "the same probe as JSON, keys sorted"},
    // Ours on purpose.
    {"raw-annotation-metrics|x-hpa-class-metrics-annotation", "Horizontal.*",
     "/spec/metrics/0/resource/target/averageUtilization",
     "the annotations metrics and targetUtilizationPercentage have an effect"},
    {"raw-cluster-local", "status", "/(components/predictor/)?url", "a cluster-local service's URL is one that works"},
    {"raw-minmax", "status", "/observedGeneration", "that of the service, not of its Deployment"},
    {"raw-oci", "pod .*", "/spec/initContainers/0/args/2", "our own words"},
    {"x-prometheus-scraping", "pod .*", "/metadata/annotations/prometheus.io~1port", "the port that the server listens on"},
    {"raw-onnx", "stored|status", "/.*", "onnx is served over v2 alone, so that is its default"},
    {"x-m01-.*", "Ingress/.*", "/spec/rules/1/http/paths/0/backend/service/name",
     "the transformer's host reaches the transformer"},
    {"runtime-template-placeholders", "status", "/.*", "index with a quoted key works"},
    {"x-std-m42-.*", ".*",
     "/(spec/template/)?metadata/annotations/internal.serving.kserve.io~1batcher.*|/spec/ports/0/targetPort|/spec/"
     "containers",
     "the guide's batching annotations have an effect"},
    {"bad-.*", "status", "/modelStatus/lastFailureInfo/message", "KServe's sentence, then the details"},
    {".*", "pod .*",
     "/spec/(containers|initContainers)/[0-9]+/(imagePullPolicy|terminationMessagePath|terminationMessagePolicy)",
     "the server's default"},
};

bool explained(const std::string& folder, const std::string& what, const std::string& path) {
  for (const Difference& d : kDifferences) {
    if (std::regex_match(folder, std::regex(d.folder)) && std::regex_match(what, std::regex(d.what)) &&
        std::regex_match(path, std::regex(d.path))) {
      return true;
    }
  }
  return false;
}

void dropApiAccess(Json& list) {
  if (!list.is_array()) return;
  Json kept = Json::array();
  for (const Json& item : list) {
    if (!textAt(item, "name").starts_with("kube-api-access")) kept.push_back(item);
  }
  list = std::move(kept);
}

// A recorded pod without what the API server, the ReplicaSet and the scheduler added to it.
Json asCreated(Json pod) {
  for (const char* key : {"apiVersion", "kind", "status"}) pod.erase(key);
  for (const char* key : {"name", "generateName", "ownerReferences"}) pod["metadata"].erase(key);
  pod["metadata"]["labels"].erase("pod-template-hash");
  Json& spec = pod["spec"];
  for (const char* key : {"enableServiceLinks", "nodeName", "preemptionPolicy", "priority", "serviceAccount", "hostname"})
    spec.erase(key);
  if (textAt(spec, "serviceAccountName") == "default") spec.erase("serviceAccountName");
  dropApiAccess(spec["volumes"]);
  for (Json& volume : spec["volumes"]) {
    for (const char* source : {"secret", "configMap"}) {
      if (volume.contains(source)) volume[source].erase("defaultMode");
    }
  }
  for (const char* list : {"containers", "initContainers"}) {
    if (!spec.contains(list)) continue;
    for (Json& container : spec[list]) dropApiAccess(container["volumeMounts"]);
  }
  Json tolerations = Json::array();
  for (const Json& toleration : spec["tolerations"]) {
    if (!textAt(toleration, "key").starts_with("node.kubernetes.io/")) tolerations.push_back(toleration);
  }
  spec["tolerations"] = std::move(tolerations);
  return pod;
}

std::string escaped(std::string key) {
  std::string out;
  for (char c : key) out += c == '/' ? "~1" : std::string(1, c);
  return out;
}

bool isNothing(const Json& v) { return v.is_null() || (v.is_structured() && v.empty()); }

void compare(const std::string& path, const Json& recorded, const Json& ours,
             std::vector<std::pair<std::string, std::string>>& out) {
  if (recorded == ours || (isNothing(recorded) && isNothing(ours))) return;
  if (recorded.is_object() && ours.is_object()) {
    for (auto it = recorded.begin(); it != recorded.end(); ++it)
      compare(path + "/" + escaped(it.key()), *it, at(ours, it.key()), out);
    for (auto it = ours.begin(); it != ours.end(); ++it) {
      if (!recorded.contains(it.key())) compare(path + "/" + escaped(it.key()), Json(), *it, out);
    }
    return;
  }
  if (recorded.is_array() && ours.is_array() && recorded.size() == ours.size()) {
    for (std::size_t i = 0; i < ours.size(); ++i) compare(path + "/" + std::to_string(i), recorded[i], ours[i], out);
    return;
  }
  out.emplace_back(path, "KServe: " + dumpJson(recorded) + "\n     ours: " + dumpJson(ours));
}

}  // namespace

std::vector<std::string> unexplained(const std::string& folder, const std::string& what, const Json& recorded,
                                     const Json& ours) {
  std::vector<std::pair<std::string, std::string>> all;
  compare("", what.starts_with("pod ") ? asCreated(recorded) : recorded, ours, all);
  std::vector<std::string> out;
  for (const auto& [path, text] : all) {
    if (!explained(folder, what, path)) out.push_back(what + " " + path + "\n   " + text);
  }
  return out;
}

std::vector<std::string> goldenCases() {
  return {"raw-basic",
          "std-basic",
          "raw-annotation-metrics",
          "raw-autoscaler-external",
          "raw-autoscaler-none",
          "raw-autoscaling-metrics",
          "raw-batcher",
          "raw-batcher-defaults",
          "raw-cluster-local",
          "raw-custom-noname",
          "raw-deploymentstrategy",
          "raw-explainer-art",
          "raw-hf",
          "raw-https",
          "raw-min0",
          "raw-minmax",
          "raw-oci",
          "raw-onnx",
          "raw-predictor-name",
          "raw-protocol-v2",
          "raw-pytorch",
          "raw-s3-missing-sa",
          "raw-s3-nosecret",
          "raw-scalemetric-concurrency",
          "raw-scalemetric-cpu",
          "raw-scalemetric-memory-200",
          "raw-scalemetric-memory-notarget",
          "raw-storageuris",
          "raw-tensorflow-gpu",
          "raw-triton",
          "raw-v2-runtime-explicit",
          "raw-xgboost",
          "x-cred-azsec",
          "x-cred-gcssec",
          "x-cred-hfsec",
          "x-default-namespace",
          "x-hpa-autoscaling-cpu-util-150",
          "x-hpa-autoscaling-memory-util-150",
          "x-hpa-class-metrics-annotation",
          "x-m01-without-alibi-raw",
          "x-m02-fixed-pod-fields",
          "x-onnx-legacy",
          "x-prometheus-scraping",
          "x-std-m00-isvc-tensorflow-flowers",
          "x-std-m03-mms-inferenceservice",
          "x-std-m10-autoscale-scale-to-zero-gpu",
          "x-std-m11-autoscale-hpa-cpu",
          "x-std-m12-autoscale-concurrency",
          "x-std-m42-isvc-optimized-model",
          "x-storage-secret-annotation",
          "runtime-template-placeholders",
          "bad-unknown-format",
          "bad-unknown-version",
          "bad-runtime-wrong-format",
          "bad-runtime-wrong-protocol",
          "bad-runtime-template",
          "bad-runtime-no-kserve-container",
          "bad-protocol-unknown"};
}

namespace {

// A Secret's stringData, as the API server stores it.
Json withData(Json secret) {
  for (auto& [key, value] : textMap(at(secret, "stringData"))) secret["data"][key] = base64Encode(value);
  secret.erase("stringData");
  return secret;
}

void readStatuses(const fs::path& folder, GoldenCase& out) {
  std::map<std::string, fs::path> files;  // sorted by step
  for (const auto& entry : fs::directory_iterator(folder)) {
    std::string name = entry.path().filename();
    if (name.starts_with("status-")) files[name] = entry.path();
  }
  for (const auto& [name, file] : files) {
    for (const Json& service : out.services) {
      bool named = std::any_of(out.services.begin(), out.services.end(),
                               [&](const Json& s) { return name.ends_with("-" + nameOf(s) + ".yaml"); });
      std::vector<Json> all = documents(file);
      if (all.empty() || (named && !name.ends_with("-" + nameOf(service) + ".yaml"))) continue;
      if (!named && !at(all[0], "conditions").is_array()) continue;
      out.lastStatus[nameOf(service)] = all[0];
    }
  }
}

}  // namespace

GoldenCase readGoldenCase(const fs::path& folder) {
  GoldenCase out;
  for (Json& object : documents(folder / "input.yaml")) {
    std::string kind = textAt(object, "kind");
    if (kind == "InferenceService") out.services.push_back(object);
    if (kind == "ServingRuntime") out.catalog.namespaced.push_back(object);
    if (kind == "Secret") out.others.push_back(withData(object));
    if (kind == "ServiceAccount") out.others.push_back(object);
  }
  for (Json& object : builtinServingObjects()) {
    if (textAt(object, "kind") != "ClusterServingRuntime") continue;
    // Our runtimes reserve less than KServe's, which reserve what they limit.
    Json& resources = object["spec"]["containers"][0]["resources"];
    resources["requests"] = resources["limits"];
    out.catalog.cluster.push_back(std::move(object));
  }
  for (const Json& service : out.services) {
    fs::path own = folder / ("stored-" + nameOf(service) + ".yaml");
    out.stored[nameOf(service)] = documents(fs::exists(own) ? own : folder / "stored.yaml")[0];
  }
  readStatuses(folder, out);
  if (fs::is_directory(folder / "children")) {
    for (const auto& entry : fs::directory_iterator(folder / "children")) {
      Json object = documents(entry.path())[0];
      std::string name = nameOf(object);
      if (textAt(object, "kind") == "Pod") name = textAt(at(object, "metadata", "labels"), "app", "isvc.").substr(5);
      out.children.emplace(textAt(object, "kind") + "/" + name, object);
    }
  }
  return out;
}

CredentialFacts GoldenCase::credentials(const Json& pod) const {
  CredentialFacts facts;
  for (const Json& object : others) {
    if (textAt(object, "kind") == "Secret") facts.secrets[nameOf(object)] = object;
    if (textAt(object, "kind") == "ServiceAccount" && nameOf(object) == textAt(at(pod, "spec"), "serviceAccountName"))
      facts.serviceAccount = object;
  }
  return facts;
}

ServingConfig stockConfig() {
  ServingConfig config;
  config.defaultMode = "Serverless";
  config.ingressDomain = "example.com";
  config.ingressClass = "istio";
  config.domainTemplate = "{{ .Name }}-{{ .Namespace }}.{{ .IngressDomain }}";
  return config;
}

std::vector<Json> runningPods(const Json& pod, const Json& deployment) {
  std::int64_t ready = intAt(at(deployment, "status"), "readyReplicas");
  Json one = pod;
  if (ready > 0) {
    one["status"]["conditions"] = Json::array();
    one["status"]["conditions"].push_back({{"type", "Ready"}, {"status", "True"}});
  }
  return std::vector<Json>(std::max<std::int64_t>(ready, 1), one);
}

}  // namespace slipway::isvc::testing
