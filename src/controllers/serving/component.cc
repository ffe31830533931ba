#include "controllers/serving/component.h"

#include "controllers/serving/component_parts.h"
#include "controllers/serving/go_template.h"
#include "controllers/serving/merge.h"
#include "controllers/serving/server_defaults.h"
#include "objects/serving/keys.h"

namespace slipway::isvc {

namespace {

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
  std::string where =
      "failed to replace placeholders in serving runtime " + nameOf(runtime) + " Container " + textAt(container, "name");
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
  (*server)["image"] =
      runtimeImage(textAt(*server, "image"), textAt(model, "runtimeVersion"), serverType(runtime), wantsGpu(*server));
  containers.push_back(std::move(*server));
  const Json *theirTransformer = containerNamed(theirs, kTransformerContainer),
             *ourTransformer = containerNamed(ours, kTransformerContainer);
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
  static const std::set<std::string> kTaken = {"nodeSelector",     "affinity",      "tolerations",    "volumes",
                                               "imagePullSecrets", "schedulerName", "resourceClaims", "hostIPC"};
  Json out = filtered(at(runtime, "spec"), [](const std::string& key) { return kTaken.contains(key); });
  if (out.contains("hostIPC") && out["hostIPC"] != true) out.erase("hostIPC");
  return out;
}

Json customPodSpec(const Json& isvc, Component which) {
  Json podSpec = podFields(componentSpec(isvc, which));
  nameService(podSpec, nameOf(isvc));
  return podSpec;
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
  if (!gpu && type == "vllmserver" && !repository.ends_with("-cpu"))
    return repository + "-cpu" + (tag.empty() ? "" : ":" + tag);
  return image;
}

tl::expected<PredictorPod, SpecFault> buildPredictor(const Json& isvc, const RuntimeCatalog& catalog,
                                                     const ServingConfig& config) {
  const Json& predictor = componentSpec(isvc, Component::Predictor);
  if (!at(predictor, "model").is_object()) {
    ComponentPod pod = describeComponent(isvc, Component::Predictor, Json(), {}, config);
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
  out.pod = describeComponent(isvc, Component::Predictor, runtime, defaults.labels, config);
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

}  // namespace slipway::isvc
