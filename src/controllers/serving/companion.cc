// Transformers and explainers: the containers beside a predictor.
#include "controllers/serving/component_parts.h"
#include "controllers/serving/pod_parts.h"
#include "objects/serving/keys.h"

namespace slipway::isvc {

namespace {

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
  Json container =
      filtered(body, [](const std::string& key) { return !isModelField(key) && key != "type" && key != "config"; });
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

ComponentPod buildCompanion(const Json& isvc, Component which, const TextMap& predictorLabels, const ServingConfig& config) {
  ComponentPod pod = describeComponent(isvc, which, Json(), predictorLabels, config);
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
