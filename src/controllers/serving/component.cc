#include "controllers/serving/component.h"

#include "controllers/serving/go_template.h"
#include "controllers/serving/merge.h"
#include "controllers/serving/pod_admission.h"
#include "controllers/serving/pod_parts.h"
#include "controllers/serving/server_defaults.h"
#include "objects/serving/keys.h"

namespace slipway::isvc {

namespace {

// Fields of a component that are not fields of a pod.
bool isComponentField(const std::string& key) {
  static const std::set<std::string> kOwn = {
      "minReplicas", "maxReplicas", "scaleTarget", "scaleMetric", "scaleMetricType", "autoScaling", "containerConcurrency",
      "timeout", "canaryTrafficPercent", "logger", "batcher", "labels", "annotations", "deploymentStrategy", "name", "model",
      "storageUris", "storageContainerName", "workerSpec", "art", "alibi"};
  const std::vector<std::string>& legacy = legacyFrameworks();
  return kOwn.contains(key) || std::find(legacy.begin(), legacy.end(), key) != legacy.end();
}

// Fields of a model that are not fields of its container.
bool isModelField(const std::string& key) {
  static const std::set<std::string> kOwn = {"modelFormat", "runtime", "storageUri", "runtimeVersion", "protocolVersion",
                                             "storage", "confidential"};
  return kOwn.contains(key);
}

// Pod fields that the guide's manifests write under `model`; they mean the pod.
bool isPodFieldOfModel(const std::string& key) {
  static const std::set<std::string> kPod = {"nodeSelector", "tolerations", "affinity", "serviceAccountName", "imagePullSecrets",
                                             "volumes", "priorityClassName", "runtimeClassName", "schedulerName"};
  return kPod.contains(key);
}

template <class Keep>
Json filtered(const Json& object, Keep keep) {
  Json out = Json::object();
  for (auto it = object.begin(); object.is_object() && it != object.end(); ++it) {
    if (!it->is_null() && keep(it.key())) out[it.key()] = *it;
  }
  return out;
}

Json podFields(const Json& component) {
  return filtered(component, [](const std::string& key) { return !isComponentField(key); });
}

void merge(TextMap& into, const TextMap& from) {
  for (const auto& [key, value] : from) into[key] = value;
}

TextMap without(TextMap map, const std::vector<std::string>& keys) {
  for (const std::string& key : keys) map.erase(key);
  return map;
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

void annotateStorage(const Json& component, Component which, TextMap& annotations) {
  if (std::optional<std::string> uri = storageUri(component, which)) annotations[std::string(kSourceUri)] = *uri;
  const Json& storage = at(implementation(component, which), "storage");
  if (!storage.is_object()) return;
  annotations[std::string(kStorageSpec)] = "true";
  std::string key = textAt(storage, "key");
  if (!key.empty()) annotations[std::string(kStorageSpecKey)] = key;
  if (at(storage, "parameters").is_object()) annotations[std::string(kStorageSpecParam)] = dumpJson(at(storage, "parameters"));
  annotations[std::string(kSourceUri)] = "<scheme-placeholder>://" + textAt(storage, "path");
}

void annotateAgent(const Json& isvc, const Json& component, Component which, const ServingConfig& config, TextMap& annotations) {
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

ComponentPod describe(const Json& isvc, Component which, const Json& runtime, const TextMap& extraLabels, const ServingConfig& config) {
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

const Json* containerNamed(const Json& containers, std::string_view name) {
  if (!containers.is_array()) return nullptr;
  for (const Json& container : containers) {
    if (textAt(container, "name") == name) return &container;
  }
  return nullptr;
}

bool wantsGpu(const Json& container) {
  const Json& limits = at(container, "resources", "limits");
  for (auto it = limits.begin(); limits.is_object() && it != limits.end(); ++it) {
    if (it.key() == "nvidia.com/gpu" || it.key().starts_with("nvidia.com/mig") || it.key() == "amd.com/gpu" ||
        it.key() == "intel.com/gpu" || it.key() == "habana.ai/gaudi") {
      return *it != Json("0") && *it != Json(0);
    }
  }
  return false;
}

tl::unexpected<SpecFault> badSpec(const std::string& message, const std::string& event) {
  return tl::unexpected<SpecFault>({"InvalidPredictorSpec", message, event});
}

tl::expected<Json, SpecFault> filled(const Json& container, const Json& runtime, const Json& dot) {
  Result<Json> out = expandAll(container, dot);
  if (out) return std::move(*out);
  std::string where = "failed to replace placeholders in serving runtime " + nameOf(runtime) + " Container " + textAt(container, "name");
  return badSpec(where + ": " + out.error().message, where + ": " + out.error().message);
}

// The containers of the pod: the server, a collocated transformer, the runtime's others, the service's others.
tl::expected<Json, SpecFault> mergeContainers(const Json& isvc, const Json& runtime, const ServerDefaults& defaults) {
  const Json& predictor = componentSpec(isvc, Component::Predictor);
  const Json& model = at(predictor, "model");
  const Json &theirs = at(runtime, "spec", "containers"), &ours = at(predictor, "containers");
  const Json* base = containerNamed(theirs, kServingContainer);
  if (!base) {
    std::string message = "failed to find kserve-container in ServingRuntime containers";
    return badSpec(message + ": " + nameOf(runtime) + " has none of that name", message);
  }
  Json overlay = filtered(model, [](const std::string& key) { return !isModelField(key) && !isPodFieldOfModel(key); });
  overlay["name"] = kServingContainer;
  defaults.applyTo(overlay);
  Json dot = metadataDot(isvc);
  for (const auto& [key, value] : defaults.labels) dot["Labels"][key] = value;
  Json containers = Json::array();
  auto server = filled(mergeContainer(*base, overlay), runtime, dot);
  if (!server) return tl::unexpected<SpecFault>(server.error());
  (*server)["image"] = runtimeImage(textAt(*server, "image"), textAt(model, "runtimeVersion"), serverType(runtime), wantsGpu(*server));
  containers.push_back(std::move(*server));
  const Json *theirTransformer = containerNamed(theirs, kTransformerContainer), *ourTransformer = containerNamed(ours, kTransformerContainer);
  if (theirTransformer || ourTransformer) {
    Json merged = mergeContainer(theirTransformer ? *theirTransformer : Json(), ourTransformer ? *ourTransformer : Json());
    auto transformer = filled(merged, runtime, dot);
    if (!transformer) return tl::unexpected<SpecFault>(transformer.error());
    containers.push_back(std::move(*transformer));
  }
  for (const Json* list : {&theirs, &ours}) {
    for (const Json& container : list->is_array() ? *list : Json::array()) {
      std::string name = textAt(container, "name");
      if (name != kServingContainer && name != kTransformerContainer) containers.push_back(container);
    }
  }
  return containers;
}

Json runtimePodFields(const Json& runtime) {
  static const std::set<std::string> kTaken = {"nodeSelector", "affinity", "tolerations", "volumes", "imagePullSecrets",
                                               "schedulerName", "resourceClaims", "hostIPC"};
  Json out = filtered(at(runtime, "spec"), [](const std::string& key) { return kTaken.contains(key); });
  if (out.contains("hostIPC") && out["hostIPC"] != true) out.erase("hostIPC");
  return out;
}

Json customPodSpec(const Json& isvc, Component which) {
  Json podSpec = podFields(componentSpec(isvc, which));
  nameService(podSpec, nameOf(isvc));
  return podSpec;
}

bool hasArg(const Json& args, const std::string& flag) {
  if (!args.is_array()) return false;
  return std::any_of(args.begin(), args.end(), [&](const Json& arg) {
    std::string text = arg.is_string() ? arg.get<std::string>() : "";
    return text == flag || text.starts_with(flag + "=");
  });
}

void addArg(Json& container, const std::string& flag, const std::string& value) {
  Json& args = container["args"];
  if (!args.is_array()) args = Json::array();
  if (hasArg(args, flag)) return;
  args.push_back(flag);
  args.push_back(value);
}

// What a KServe transformer or custom explainer is told about its predictor.
void tellPredictor(const Json& isvc, const Json& component, Json& container) {
  addArg(container, "--model_name", nameOf(isvc));
  addArg(container, "--predictor_host", childName(isvc, Component::Predictor) + "." + namespaceOf(isvc));
  addArg(container, "--http_port", "8080");
  std::int64_t workers = intAt(component, "containerConcurrency");
  if (workers > 0) addArg(container, "--workers", std::to_string(workers));
}

// art and alibi are servers of KServe's that are described by a type and a config instead of a container.
Json typedExplainer(const Json& isvc, const std::string& kind, const ServingConfig& config) {
  const Json& explainer = componentSpec(isvc, Component::Explainer);
  const Json& body = at(explainer, kind);
  Json container = filtered(body, [](const std::string& key) {
    return !isModelField(key) && key != "type" && key != "config";
  });
  bool art = kind == "art";
  std::string version = textAt(body, "runtimeVersion", art ? config.artVersion : config.alibiVersion);
  if (textAt(container, "image").empty()) container["image"] = (art ? config.artImage : config.alibiImage) + ":" + version;
  container["name"] = kServingContainer;
  Json args = Json::array({"--model_name", nameOf(isvc), "--http_port", "8080", "--predictor_host",
                           childName(isvc, Component::Predictor) + "." + namespaceOf(isvc)});
  if (at(body, "storageUri").is_string()) args.insert(args.end(), {"--storage_uri", std::string(kModelDir)});
  if (art) {
    args.insert(args.end(), {"--adversary_type", textAt(body, "type")});
  } else {
    args.push_back(textAt(body, "type"));
  }
  for (const auto& [key, value] : textMap(at(body, "config"))) args.insert(args.end(), {"--" + key, value});
  for (const Json& arg : at(body, "args").is_array() ? at(body, "args") : Json::array()) args.push_back(arg);
  container["args"] = std::move(args);
  return container;
}

}  // namespace

std::string runtimeImage(const std::string& image, const std::string& version, const std::string& type, bool gpu) {
  if (image.find("@sha256:") != std::string::npos) return image;
  std::size_t slash = image.rfind('/');
  std::size_t colon = image.find(':', slash == std::string::npos ? 0 : slash);
  std::string repository = image.substr(0, colon), tag = colon == std::string::npos ? "" : image.substr(colon + 1);
  if (!version.empty()) return repository + ":" + version;
  bool hasGpuBuild = type == "tensorflow-serving" || type == "torchserve" || type == "huggingfaceserver";
  if (gpu && hasGpuBuild && !tag.empty() && !tag.ends_with("-gpu")) return repository + ":" + tag + "-gpu";
  if (!gpu && type == "vllmserver" && !repository.ends_with("-cpu")) return repository + "-cpu" + (tag.empty() ? "" : ":" + tag);
  return image;
}

tl::expected<PredictorPod, SpecFault> buildPredictor(const Json& isvc, const RuntimeCatalog& catalog, const ServingConfig& config) {
  const Json& predictor = componentSpec(isvc, Component::Predictor);
  if (!at(predictor, "model").is_object()) {
    ComponentPod pod = describe(isvc, Component::Predictor, Json(), {}, config);
    pod.podSpec = customPodSpec(isvc, Component::Predictor);
    attachStorageUris(predictor, pod, config);
    return PredictorPod{std::move(pod)};
  }
  auto choice = selectRuntime(isvc, catalog);
  if (!choice) return tl::unexpected<SpecFault>(choice.error());
  const Json& runtime = choice->runtime;
  ServerDefaults defaults = serverDefaults(isvc, serverType(runtime));
  auto containers = mergeContainers(isvc, runtime, defaults);
  if (!containers) {
    SpecFault fault = containers.error();
    fault.runtime = nameOf(runtime);
    fault.clusterRuntime = choice->cluster;
    return tl::unexpected<SpecFault>(std::move(fault));
  }
  PredictorPod out;
  out.pod = describe(isvc, Component::Predictor, runtime, defaults.labels, config);
  Json fields = mergePodPart(filtered(at(predictor, "model"), isPodFieldOfModel), podFields(predictor));
  fields.erase("containers");
  out.pod.podSpec = mergePodPart(runtimePodFields(runtime), fields);
  out.pod.podSpec["containers"] = std::move(*containers);
  nameService(out.pod.podSpec, nameOf(isvc));
  attachStorageUris(predictor, out.pod, config);
  out.runtime = nameOf(runtime);
  out.clusterRuntime = choice->cluster;
  return out;
}

ComponentPod buildCompanion(const Json& isvc, Component which, const TextMap& predictorLabels, const ServingConfig& config) {
  ComponentPod pod = describe(isvc, which, Json(), predictorLabels, config);
  std::vector<std::string> kinds = implementations(componentSpec(isvc, which), which);
  if (!kinds.empty() && kinds[0] != "containers") {
    pod.podSpec = podFields(componentSpec(isvc, which));
    pod.podSpec["containers"] = Json::array();
    pod.podSpec["containers"].push_back(typedExplainer(isvc, kinds[0], config));
    return pod;
  }
  pod.podSpec = podFields(componentSpec(isvc, which));
  if (!at(pod.podSpec, "containers").empty()) tellPredictor(isvc, componentSpec(isvc, which), pod.podSpec["containers"][0]);
  nameService(pod.podSpec, nameOf(isvc));
  attachStorageUris(componentSpec(isvc, which), pod, config);
  return pod;
}

}  // namespace slipway::isvc
