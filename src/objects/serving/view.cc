#include "objects/serving/view.h"

#include <charconv>

#include "objects/serving/keys.h"

namespace slipway::isvc {

namespace {
const Json kNull;

bool isSet(const Json& object, std::string_view key) { return !at(object, key).is_null(); }

std::string envValue(const Json& container, std::string_view name) {
  const Json& env = at(container, "env");
  if (!env.is_array()) return "";
  for (const Json& entry : env) {
    if (textAt(entry, "name") == name) return textAt(entry, "value");
  }
  return "";
}

bool hasServingContainer(const Json& component) {
  const Json& containers = at(component, "containers");
  if (!containers.is_array()) return false;
  for (const Json& container : containers) {
    if (textAt(container, "name") == kServingContainer) return true;
  }
  return false;
}
}  // namespace

const char* componentName(Component component) {
  switch (component) {
    case Component::Predictor: return "predictor";
    case Component::Transformer: return "transformer";
    case Component::Explainer: return "explainer";
  }
  return "";
}

Mode parseMode(const std::string& text) {
  if (text == "Standard" || text == "RawDeployment") return Mode::Standard;
  if (text == "Knative" || text == "Serverless") return Mode::Knative;
  if (text == "ModelMesh") return Mode::ModelMesh;
  return Mode::Unknown;
}

const char* modeName(Mode mode) {
  switch (mode) {
    case Mode::Standard: return "Standard";
    case Mode::Knative: return "Knative";
    case Mode::ModelMesh: return "ModelMesh";
    case Mode::Unknown: break;
  }
  return "Unknown";
}

Mode requestedMode(const Json& isvc, const ServingConfig& config) {
  return parseMode(annotation(isvc, kDeploymentMode, config.defaultMode));
}

TextMap textMap(const Json& object) {
  TextMap out;
  if (!object.is_object()) return out;
  for (auto it = object.begin(); it != object.end(); ++it) {
    if (it->is_string()) out.emplace(it.key(), it->get<std::string>());
  }
  return out;
}

TextMap annotationsOf(const Json& object) { return textMap(at(object, "metadata", "annotations")); }
TextMap labelsOf(const Json& object) { return textMap(at(object, "metadata", "labels")); }
std::string annotation(const Json& object, std::string_view key, const std::string& fallback) {
  return textAt(at(object, "metadata", "annotations"), key, fallback);
}
std::string nameOf(const Json& object) { return textAt(at(object, "metadata"), "name"); }
std::string namespaceOf(const Json& object) { return textAt(at(object, "metadata"), "namespace"); }

const Json& componentSpec(const Json& isvc, Component component) { return at(isvc, "spec", componentName(component)); }

const std::vector<std::string>& legacyFrameworks() {
  static const std::vector<std::string> kAll = {"sklearn", "xgboost",     "tensorflow", "pytorch",  "triton",
                                                "onnx",    "huggingface", "pmml",       "lightgbm", "paddle"};
  return kAll;
}

std::vector<std::string> implementations(const Json& component, Component which) {
  std::vector<std::string> found;
  bool hasContainers = at(component, "containers").is_array() && !at(component, "containers").empty();
  if (which == Component::Predictor) {
    for (const std::string& key : legacyFrameworks()) {
      if (isSet(component, key)) found.push_back(key);
    }
    if (isSet(component, "model")) found.push_back("model");
    // Beside a model, containers are sidecars (or a collocated transformer), unless one claims to be the server.
    if (hasContainers && (found.empty() || hasServingContainer(component))) found.push_back("containers");
    return found;
  }
  if (which == Component::Explainer) {
    for (const char* key : {"art", "alibi"}) {
      if (isSet(component, key)) found.push_back(key);
    }
  }
  if (hasContainers) found.push_back("containers");
  return found;
}

const Json& implementation(const Json& component, Component which) {
  std::vector<std::string> found = implementations(component, which);
  if (found.empty()) return kNull;
  if (found.front() == "containers") return at(component, "containers")[0];
  return at(component, found.front());
}

std::optional<std::string> storageUri(const Json& component, Component which) {
  std::vector<std::string> found = implementations(component, which);
  if (found.empty()) return std::nullopt;
  const Json& body = implementation(component, which);
  if (found.front() != "containers") {
    if (!at(body, "storageUri").is_string()) return std::nullopt;
    return textAt(body, "storageUri");
  }
  for (const Json& container : at(component, "containers")) {
    if (textAt(container, "name") == kTransformerContainer) continue;
    std::string uri = envValue(container, "STORAGE_URI");
    if (!uri.empty()) return uri;
  }
  return std::nullopt;
}

bool isMultiModel(const Json& predictor) {
  const Json& model = at(predictor, "model");
  if (!model.is_object()) {
    const Json& containers = at(predictor, "containers");
    return containers.is_array() && !containers.empty() && envValue(containers[0], "MULTI_MODEL_SERVER") == "true";
  }
  // The Hugging Face server loads a model by id when it is given no storage.
  if (textAt(at(model, "modelFormat"), "name") == "huggingface") return false;
  bool hasUris = at(predictor, "storageUris").is_array() && !at(predictor, "storageUris").empty();
  return !at(model, "storageUri").is_string() && !at(model, "storage").is_object() && !hasUris;
}

std::string childName(const Json& isvc, Component component) {
  std::string name = nameOf(isvc);
  std::string own = component == Component::Predictor ? textAt(componentSpec(isvc, component), "name") : "";
  return name + (own.empty() ? "" : "-" + own) + "-" + componentName(component);
}

bool isClusterLocal(const Json& isvc) { return textAt(at(isvc, "metadata", "labels"), kVisibility) == "cluster-local"; }
bool isStopped(const Json& isvc) { return annotation(isvc, kStop) == "true"; }

std::optional<std::int64_t> parseDurationMs(const std::string& text) {
  std::int64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 0 || number > 1'000'000'000) return std::nullopt;
  std::string unit(end, text.data() + text.size());
  if (unit == "ms") return number;
  if (unit.empty() || unit == "s") return number * 1000;
  if (unit == "m") return number * 60'000;
  if (unit == "h") return number * 3'600'000;
  return std::nullopt;
}

std::optional<BatcherSpec> batcherOf(const Json& isvc, const Json& component) {
  const Json& batcher = at(component, "batcher");
  BatcherSpec spec;
  if (batcher.is_object()) {
    if (at(batcher, "maxBatchSize").is_number_integer()) spec.maxSize = intAt(batcher, "maxBatchSize");
    if (at(batcher, "maxLatency").is_number_integer()) spec.maxLatencyMs = intAt(batcher, "maxLatency");
    return spec;
  }
  if (annotation(isvc, kEnableBatch) != "true") return std::nullopt;
  std::string size = annotation(isvc, kBatchSize);
  std::int64_t value = 0;
  auto [end, error] = std::from_chars(size.data(), size.data() + size.size(), value);
  if (error == std::errc() && end == size.data() + size.size()) spec.maxSize = value;
  spec.maxLatencyMs = parseDurationMs(annotation(isvc, kBatchTimeout));
  return spec;
}

}  // namespace slipway::isvc
