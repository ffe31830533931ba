#include "controllers/serving/component_parts.h"

#include "controllers/serving/pod_admission.h"
#include "controllers/serving/pod_parts.h"
#include "objects/serving/keys.h"

namespace slipway::isvc {

namespace {

// Fields of a component that are not fields of a pod.
bool isComponentField(const std::string& key) {
  static const std::set<std::string> kOwn = {"minReplicas",
                                             "maxReplicas",
                                             "scaleTarget",
                                             "scaleMetric",
                                             "scaleMetricType",
                                             "autoScaling",
                                             "containerConcurrency",
                                             "timeout",
                                             "canaryTrafficPercent",
                                             "logger",
                                             "batcher",
                                             "labels",
                                             "annotations",
                                             "deploymentStrategy",
                                             "name",
                                             "model",
                                             "storageUris",
                                             "storageContainerName",
                                             "workerSpec",
                                             "art",
                                             "alibi"};
  const std::vector<std::string>& legacy = legacyFrameworks();
  return kOwn.contains(key) || std::find(legacy.begin(), legacy.end(), key) != legacy.end();
}

void merge(TextMap& into, const TextMap& from) {
  for (const auto& [key, value] : from) into[key] = value;
}

TextMap without(TextMap map, const std::vector<std::string>& keys) {
  for (const std::string& key : keys) map.erase(key);
  return map;
}

void annotateStorage(const Json& component, Component which, TextMap& annotations) {
  if (std::optional<std::string> uri = storageUri(component, which)) annotations[std::string(kSourceUri)] = *uri;
  const Json& storage = at(implementation(component, which), "storage");
  if (!storage.is_object()) return;
  annotations[std::string(kStorageSpec)] = "true";
  std::string key = textAt(storage, "key");
  if (!key.empty()) annotations[std::string(kStorageSpecKey)] = key;
  if (at(storage, "parameters").is_object())
    annotations[std::string(kStorageSpecParam)] = dumpJson(at(storage, "parameters"));
  annotations[std::string(kSourceUri)] = "<scheme-placeholder>://" + textAt(storage, "path");
}

void annotateAgent(const Json& isvc, const Json& component, Component which, const ServingConfig& config,
                   TextMap& annotations) {
  if (std::optional<BatcherSpec> batcher = batcherOf(isvc, component)) {
    annotations[std::string(kBatcher)] = "true";
    if (batcher->maxSize) annotations[std::string(kBatcherMaxSize)] = std::to_string(*batcher->maxSize);
    if (batcher->maxLatencyMs) annotations[std::string(kBatcherMaxLatency)] = std::to_string(*batcher->maxLatencyMs);
  }
  const Json& logger = at(component, "logger");
  if (logger.is_object()) {
    annotations[std::string(kLogger)] = "true";
    annotations[std::string(kLoggerUrl)] = textAt(logger, "url", config.loggerDefaultUrl);
    annotations[std::string(kLoggerMode)] = textAt(logger, "mode", "all");
  }
  if (which == Component::Predictor && isMultiModel(component)) {
    annotations[std::string(kAgent)] = "true";
    annotations[std::string(kAgentConfigVolume)] = "modelconfig-" + nameOf(isvc) + "-0";
    annotations[std::string(kAgentConfigPath)] = "/mnt/configs";
    annotations[std::string(kAgentModelDir)] = kModelDir;
  }
}

// The service's own annotations and what the pod admission needs to know.
TextMap serviceAnnotations(const Json& isvc, Component which, const ServingConfig& config) {
  const Json& component = componentSpec(isvc, which);
  TextMap annotations = without(annotationsOf(isvc), config.annotationsNotPropagated);
  annotations[std::string(kDeploymentMode)] = modeName(Mode::Standard);
  annotateStorage(component, which, annotations);
  annotateAgent(isvc, component, which, config, annotations);
  return annotations;
}

}  // namespace

bool isModelField(const std::string& key) {
  static const std::set<std::string> kOwn = {"modelFormat",     "runtime", "storageUri",  "runtimeVersion",
                                             "protocolVersion", "storage", "confidential"};
  return kOwn.contains(key);
}

bool isPodFieldOfModel(const std::string& key) {
  static const std::set<std::string> kPod = {"nodeSelector",       "tolerations",      "affinity",
                                             "serviceAccountName", "imagePullSecrets", "volumes",
                                             "priorityClassName",  "runtimeClassName", "schedulerName"};
  return kPod.contains(key);
}

Json filtered(const Json& object, const std::function<bool(const std::string&)>& keep) {
  Json out = Json::object();
  for (auto it = object.begin(); object.is_object() && it != object.end(); ++it) {
    if (!it->is_null() && keep(it.key())) out[it.key()] = *it;
  }
  return out;
}

Json podFields(const Json& component) {
  return filtered(component, [](const std::string& key) { return !isComponentField(key); });
}

void nameService(Json& podSpec, const std::string& name) {
  for (Json& container : podSpec["containers"]) setEnvIfAbsent(container, "INFERENCE_SERVICE_NAME", name);
}

void attachStorageUris(const Json& component, ComponentPod& pod, const ServingConfig& config) {
  std::vector<Download> downloads;
  const Json& uris = at(component, "storageUris");
  for (const Json& entry : uris.is_array() ? uris : Json::array()) {
    downloads.push_back({textAt(entry, "uri"), textAt(entry, "mountPath", std::string(kModelDir))});
  }
  injectDownloads(pod.podSpec, downloads, pod.annotations, config);
}

ComponentPod describeComponent(const Json& isvc, Component which, const Json& runtime, const TextMap& extraLabels,
                               const ServingConfig& config) {
  const Json& component = componentSpec(isvc, which);
  ComponentPod pod;
  pod.component = which;
  pod.name = childName(isvc, which);
  pod.spec = component;
  pod.labels = without(textMap(at(runtime, "spec", "labels")), config.labelsNotPropagated);
  merge(pod.labels, without(labelsOf(isvc), config.labelsNotPropagated));
  merge(pod.labels, extraLabels);
  merge(pod.labels, without(textMap(at(component, "labels")), config.labelsNotPropagated));
  pod.labels[std::string(kServiceLabel)] = nameOf(isvc);
  pod.labels[std::string(kComponentLabel)] = componentName(which);
  pod.annotations = without(textMap(at(runtime, "spec", "annotations")), config.annotationsNotPropagated);
  merge(pod.annotations, serviceAnnotations(isvc, which, config));
  merge(pod.annotations, without(textMap(at(component, "annotations")), config.annotationsNotPropagated));
  return pod;
}

}  // namespace slipway::isvc
