#include "objects/serving/defaults.h"

#include "objects/serving/keys.h"
#include "objects/serving/view.h"

namespace slipway::isvc {

namespace {

Json& child(Json& object, std::string_view key) {
  Json& value = object[std::string(key)];
  if (value.is_null()) value = Json::object();
  return value;
}

void setAnnotationIfAbsent(Json& isvc, std::string_view key, const std::string& value) {
  Json& metadata = child(isvc, "metadata");
  if (!metadata.is_object()) return;
  Json& annotations = child(metadata, "annotations");
  if (annotations.is_object() && !annotations.contains(key)) annotations[std::string(key)] = value;
}

void setIfAbsent(Json& object, const char* key, Json value) {
  if (at(object, key).is_null()) object[key] = std::move(value);
}

void fillResources(Json& container, const ResourceConfig& resources) {
  Json& target = child(container, "resources");
  if (!target.is_object()) return;
  Json wanted = resources.toJson();
  for (const char* part : {"limits", "requests"}) {
    Json& values = child(target, part);
    if (!values.is_object()) continue;
    for (auto it = wanted[part].begin(); it != wanted[part].end(); ++it) {
      if (!values.contains(it.key())) values[it.key()] = *it;
    }
  }
}

void defaultDeploymentMode(Json& isvc, const ServingConfig& config) {
  // Knative is what an object without the annotation means on a cluster with the stock configuration; it is not stamped.
  Mode mode = parseMode(config.defaultMode);
  if (mode == Mode::Standard || mode == Mode::ModelMesh) setAnnotationIfAbsent(isvc, kDeploymentMode, modeName(mode));
}

// `sklearn: {storageUri}` -> `model: {modelFormat: {name: sklearn}, storageUri}`. Two implementations are left for
// validation.
void adoptLegacyFramework(Json& predictor) {
  std::vector<std::string> found = implementations(predictor, Component::Predictor);
  if (found.size() != 1 || found[0] == "model" || found[0] == "containers") return;
  Json body = predictor[found[0]];
  if (!body.is_object()) return;
  predictor.erase(found[0]);
  body["modelFormat"] = {{"name", found[0]}};
  if (found[0] == "huggingface") setIfAbsent(body, "protocolVersion", "v2");
  predictor["model"] = std::move(body);
}

void defaultModel(Json& isvc, Json& model) {
  std::string format = textAt(at(model, "modelFormat"), "name");
  // These formats are served over V2 only; without it no runtime would match.
  if (format == "triton" || format == "vLLM" || format == "onnx") setIfAbsent(model, "protocolVersion", "v2");
  setIfAbsent(model, "name", "");
  setIfAbsent(model, "resources", Json::object());
  if (!format.empty()) setAnnotationIfAbsent(isvc, kModelFormat, format);
}

void defaultContainers(Json& component, const ServingConfig& config) {
  Json& containers = component["containers"];
  if (!containers.is_array() || containers.empty() || !containers[0].is_object()) return;
  bool named = false;
  for (const Json& container : containers) named = named || textAt(container, "name") == kServingContainer;
  if (!named) containers[0]["name"] = kServingContainer;
  fillResources(containers[0], config.container);
}

void defaultExplainer(Json& explainer, const ServingConfig& config) {
  for (const char* key : {"art", "alibi"}) {
    if (!at(explainer, key).is_object()) continue;
    Json& body = explainer[key];
    setIfAbsent(body, "name", kServingContainer);
    setIfAbsent(body, "runtimeVersion", key == std::string("art") ? config.artVersion : config.alibiVersion);
    fillResources(body, config.container);
  }
}

void defaultComponent(Json& isvc, Component which, const ServingConfig& config) {
  Json& component = isvc["spec"][componentName(which)];
  if (!component.is_object()) return;
  if (which == Component::Predictor) {
    adoptLegacyFramework(component);
    if (at(component, "model").is_object()) defaultModel(isvc, component["model"]);
  }
  if (which == Component::Explainer) defaultExplainer(component, config);
  std::vector<std::string> found = implementations(component, which);
  if (found == std::vector<std::string>{"containers"}) defaultContainers(component, config);
  if (!config.autoMountToken) setIfAbsent(component, "automountServiceAccountToken", false);
}

}  // namespace

void defaultInferenceService(Json& isvc, const ServingConfig& config) {
  if (!isvc.is_object() || !at(isvc, "spec").is_object()) return;
  defaultDeploymentMode(isvc, config);
  for (Component which : kComponents) {
    if (isvc["spec"].contains(componentName(which))) defaultComponent(isvc, which, config);
  }
}

}  // namespace slipway::isvc
