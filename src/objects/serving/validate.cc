#include "objects/serving/validate.h"

#include "objects/serving/keys.h"
#include "objects/serving/view.h"

namespace slipway::isvc {

namespace {

tl::unexpected<Error> deny(std::string message) { return fail(Code::Forbidden, std::move(message)); }

std::string join(const std::vector<std::string>& words) { return fmt::format("{}", fmt::join(words, ", ")); }

// `[a-z]([-a-z0-9]*[a-z0-9])?`
bool isServiceName(const std::string& name) {
  auto lower = [](char c) { return c >= 'a' && c <= 'z'; };
  auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (name.empty() || !lower(name.front()) || name.back() == '-') return false;
  return std::all_of(name.begin(), name.end(), [&](char c) { return lower(c) || digit(c) || c == '-'; });
}

Status validateName(const std::string& name) {
  if (isServiceName(name)) return {};
  return deny(
      "the InferenceService \"" + name +
      "\" is invalid: a InferenceService name must consist of lower case "
      "alphanumeric characters or '-', and must start with alphabetical character. (e.g. \"my-name\" or \"abc-123\", "
      "regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')");
}

Status validateMode(const Json& isvc) {
  std::string text = annotation(isvc, kDeploymentMode);
  if (text.empty()) return {};
  Mode mode = parseMode(text);
  if (mode == Mode::Unknown) {
    return deny(
        "metadata.annotations[" + std::string(kDeploymentMode) + "]: '" + text +
        "' is not a deployment mode; use Standard or Knative (RawDeployment and Serverless, their old names, work too)");
  }
  if (mode == Mode::ModelMesh) {
    return deny("metadata.annotations[" + std::string(kDeploymentMode) +
                "]: ModelMesh is not served here; use Standard, and TrainedModels for many models in one server");
  }
  return {};
}

Status validateBlockedVariables(const Json& isvc) {
  for (Component which : kComponents) {
    const Json& component = componentSpec(isvc, which);
    if (!component.is_object()) continue;
    Json containers = Json::array();
    for (const char* list : {"containers", "initContainers"}) {
      if (at(component, list).is_array()) {
        for (const Json& container : at(component, list)) containers.push_back(container);
      }
    }
    for (const Json* part : {&at(component, "workerSpec", "containers"), &at(component, "workerSpec", "initContainers")}) {
      if (part->is_array()) {
        for (const Json& container : *part) containers.push_back(container);
      }
    }
    for (const std::string& key : implementations(component, which)) {
      if (key != "containers" && at(component, key).is_object()) containers.push_back(at(component, key));
    }
    if (Status ok = validateEnvironment(containers); !ok) {
      return deny("the InferenceService \"" + nameOf(isvc) + "\" is invalid: " + ok.error().message);
    }
  }
  return {};
}

Status validateImplementation(const Json& component, Component which) {
  std::vector<std::string> found = implementations(component, which);
  std::string field = std::string("spec.") + componentName(which);
  if (found.size() > 1) {
    return deny("exactly one of [" + join(found) + "] must be specified in " + field + "; remove all but one");
  }
  if (found.empty()) {
    std::string choices = which == Component::Predictor   ? "model or containers"
                          : which == Component::Explainer ? "art, alibi or containers"
                                                          : "containers";
    return fail(Code::Invalid, field + ": Required value: set " + choices);
  }
  if (which != Component::Predictor || found[0] != "model") return {};
  const Json& model = at(component, "model");
  if (textAt(at(model, "modelFormat"), "name").empty()) {
    return fail(Code::Invalid,
                "spec.predictor.model.modelFormat.name: Required value: name the model's format, for example sklearn");
  }
  if (!textAt(model, "name").empty()) return deny("the 'name' field is not allowed in standard predictor");
  return {};
}

Status validateLogger(const Json& component) {
  const Json& logger = at(component, "logger");
  if (!logger.is_object()) return {};
  std::string mode = textAt(logger, "mode");
  if (mode != "all" && mode != "request" && mode != "response") return deny("invalid logger type");
  const Json& storage = at(logger, "storage");
  if (storage.is_object()) {
    for (const char* key : {"path", "parameters", "key"}) {
      if (at(storage, key).is_null()) return deny("invalid logger storage configuration");
    }
  }
  return {};
}

Status validateComponent(const Json& component, Component which) {
  SLIP_CHECK(validateImplementation(component, which));
  if (intAt(component, "containerConcurrency") < 0) return deny("parallelism cannot be less than 0");
  std::int64_t canary = intAt(component, "canaryTrafficPercent");
  if (canary < 0 || canary > 100) {
    return deny(
        fmt::format("spec.{}.canaryTrafficPercent: {} is not a percentage; use 0 to 100", componentName(which), canary));
  }
  return validateLogger(component);
}

Status validateCanary(const Json& canary, std::vector<std::string>& names, const Json& stable) {
  std::string name = textAt(at(canary, "predictor"), "name");
  if (name.empty()) return deny(fmt::format("canary[{}] predictor.name is required", names.size()));
  if (std::find(names.begin(), names.end(), name) != names.end()) {
    return deny("canary predictor.name \"" + name + "\" is duplicated");
  }
  if (name == textAt(stable, "name"))
    return deny("canary predictor.name \"" + name + "\" conflicts with stable predictor name");
  names.push_back(name);
  std::int64_t percent = intAt(canary, "trafficPercent");
  if (percent < 0 || percent > 100) {
    return deny(fmt::format("canary \"{}\" trafficPercent must be between 0 and 100, got {}", name, percent));
  }
  for (const char* key : {"workerSpec", "maxReplicas", "scaleTarget", "scaleMetric", "autoScaling"}) {
    if (!at(canary, "predictor", key).is_null()) return deny(fmt::format("canary \"{}\" must not set {}", name, key));
  }
  std::int64_t replicas = intAt(at(canary, "predictor"), "minReplicas"), limit = intAt(stable, "minReplicas", 1);
  if (replicas > limit) {
    return deny(fmt::format("canary \"{}\" minReplicas ({}) must not exceed stable predictor minReplicas ({})", name,
                            replicas, limit));
  }
  return {};
}

Status validateCanaries(const Json& isvc, const ServingConfig& config) {
  const Json& canaries = at(isvc, "spec", "canary");
  if (!canaries.is_array() || canaries.empty()) return {};
  if (requestedMode(isvc, config) != Mode::Standard) return deny("canary is only supported in Standard deployment mode");
  const Json& stable = componentSpec(isvc, Component::Predictor);
  std::vector<std::string> names;
  std::int64_t total = 0;
  for (const Json& canary : canaries) {
    SLIP_CHECK(validateCanary(canary, names, stable));
    total += intAt(canary, "trafficPercent");
  }
  if (total > 100) return deny(fmt::format("sum of canary trafficPercent values ({}) must be <= 100", total));
  return {};
}

Status validateAnnotations(const Json& isvc) {
  std::string timeout = annotation(isvc, kInitializerTimeout);
  if (timeout.empty()) return {};
  std::optional<std::int64_t> ms = parseDurationMs(timeout);
  if (ms && *ms > 0) return {};
  return deny("metadata.annotations[" + std::string(kInitializerTimeout) + "]: '" + timeout +
              "' is not a time; write seconds (\"600\") or a duration (\"10m\")");
}

Status validateChange(const Json& isvc, const Json& old, const ServingConfig& config) {
  // Before the controller has looked at the object there is no mode to protect.
  if (!textAt(at(old, "status"), "deploymentMode").empty()) {
    Mode before = requestedMode(old, config), after = requestedMode(isvc, config);
    if (before != after) {
      return deny(fmt::format("update rejected: deploymentMode cannot be changed from '{}' to '{}'", modeName(before),
                              modeName(after)));
    }
  }
  const Json &was = componentSpec(old, Component::Predictor), &is = componentSpec(isvc, Component::Predictor);
  if (textAt(was, "name") != textAt(is, "name") &&
      storageUri(was, Component::Predictor) == storageUri(is, Component::Predictor)) {
    return deny("predictor.name change requires a model change (e.g. storageUri)");
  }
  return {};
}

}  // namespace

Status validateEnvironment(const Json& containers) {
  if (!containers.is_array()) return {};
  for (const Json& container : containers) {
    const Json& env = at(container, "env");
    if (!env.is_array()) continue;
    for (const Json& entry : env) {
      if (textAt(entry, "name") == "PYTHONPATH") {
        return deny("setting PYTHONPATH in container \"" + textAt(container, "name") +
                    "\" is not allowed for security reasons");
      }
    }
  }
  return {};
}

Status validateInferenceService(const Json& isvc, const Json* old, const ServingConfig& config) {
  SLIP_CHECK(validateName(nameOf(isvc)));
  SLIP_CHECK(validateMode(isvc));
  if (!componentSpec(isvc, Component::Predictor).is_object()) {
    return fail(Code::Invalid, "spec.predictor: Required value: set model or containers");
  }
  SLIP_CHECK(validateBlockedVariables(isvc));
  for (Component which : kComponents) {
    const Json& component = componentSpec(isvc, which);
    if (component.is_object()) SLIP_CHECK(validateComponent(component, which));
  }
  SLIP_CHECK(validateStorage(isvc));
  SLIP_CHECK(validateScaling(isvc, config));
  SLIP_CHECK(validateCanaries(isvc, config));
  SLIP_CHECK(validateAnnotations(isvc));
  return old ? validateChange(isvc, *old, config) : Status{};
}

}  // namespace slipway::isvc
