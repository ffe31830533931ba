// Read views of an InferenceService: what a user's manifest means, whichever of the spellings they used. Pure functions on
// Json; nothing here changes an object.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "data/json.h"
#include "objects/serving/config.h"

namespace slipway::isvc {

enum class Component { Predictor, Transformer, Explainer };
inline constexpr Component kComponents[] = {Component::Predictor, Component::Transformer, Component::Explainer};
const char* componentName(Component component);  // "predictor"

enum class Mode { Standard, Knative, ModelMesh, Unknown };
// Standard and Knative also go by their old names RawDeployment and Serverless.
Mode parseMode(const std::string& text);
const char* modeName(Mode mode);  // "Standard"
// What the object asks for: its annotation, else the configured default.
Mode requestedMode(const Json& isvc, const ServingConfig& config);

using TextMap = std::map<std::string, std::string>;
// The string entries of metadata.annotations (labels); other values are left out.
TextMap annotationsOf(const Json& object);
TextMap labelsOf(const Json& object);
TextMap textMap(const Json& object);
std::string annotation(const Json& object, std::string_view key, const std::string& fallback = "");
std::string nameOf(const Json& object);
std::string namespaceOf(const Json& object);

// spec.<component>; null when the service has none.
const Json& componentSpec(const Json& isvc, Component component);
// The framework keys of old manifests, under which a model may be written ("sklearn", "xgboost", …).
const std::vector<std::string>& legacyFrameworks();
// What serves in this component: "model", "containers", a framework key, "art" or "alibi". A valid component has exactly
// one.
std::vector<std::string> implementations(const Json& component, Component which);
// The object that carries storageUri, resources and env: spec.predictor.model, the first container, explainer.art …
// Null when there is none.
const Json& implementation(const Json& component, Component which);
// The model's URI: model.storageUri, or the STORAGE_URI variable of a custom container.
std::optional<std::string> storageUri(const Json& component, Component which);
// True for a predictor without a model of its own, which TrainedModels fill (multi-model serving).
bool isMultiModel(const Json& predictor);

// Child names: "iris-predictor", or "iris-blue-predictor" when predictor.name is set.
std::string childName(const Json& isvc, Component component);
bool isClusterLocal(const Json& isvc);
bool isStopped(const Json& isvc);

struct BatcherSpec {
  std::optional<std::int64_t> maxSize;
  std::optional<std::int64_t> maxLatencyMs;
};
// component.batcher, or the annotations enable-batch, batch-size and batch-timeout ("100ms", "2s").
std::optional<BatcherSpec> batcherOf(const Json& isvc, const Json& component);
// "100ms", "2s", "5m", "600" (seconds) -> milliseconds; nothing when it is none of these or negative.
std::optional<std::int64_t> parseDurationMs(const std::string& text);

}  // namespace slipway::isvc
