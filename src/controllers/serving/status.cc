#include "controllers/serving/status.h"

#include "controllers/serving/model_state.h"
#include "objects/serving/keys.h"

namespace slipway::isvc {

namespace {

struct Verdict {
  std::string status = "Unknown";  // True, False, Unknown
  std::string reason, message;
};

const char* readyType(Component component) {
  switch (component) {
    case Component::Predictor: return "PredictorReady";
    case Component::Transformer: return "TransformerReady";
    case Component::Explainer: return "ExplainerReady";
  }
  return "";
}

// Ready rests on these two alone; the rest are informational, as KServe's clients expect.
bool isLiving(std::string_view type) { return type == "Ready" || type == "PredictorReady" || type == "IngressReady"; }

Json* find(Json& conditions, std::string_view type) {
  for (Json& condition : conditions) {
    if (textAt(condition, "type") == type) return &condition;
  }
  return nullptr;
}

class StatusWriter {
 public:
  StatusWriter(const Json& isvc, std::string now) : now_(std::move(now)) {
    status = at(isvc, "status").is_object() ? at(isvc, "status") : Json::object();
    if (!at(status, "conditions").is_array()) status["conditions"] = Json::array();
    for (const char* type : {"IngressReady", "PredictorReady", "Ready"}) {
      if (!find(status["conditions"], type)) set(type, Verdict{});
    }
    status["deploymentMode"] = modeName(Mode::Standard);
  }

  // The time moves only when something else about the condition does.
  void set(std::string_view type, const Verdict& verdict) {
    Json wanted = Json::object();
    wanted["type"] = type;
    wanted["status"] = verdict.status;
    if (!verdict.reason.empty()) wanted["reason"] = verdict.reason;
    if (!verdict.message.empty()) wanted["message"] = verdict.message;
    if (!isLiving(type)) wanted["severity"] = "Info";
    Json* there = find(status["conditions"], type);
    if (there) {
      Json same = *there;
      same.erase("lastTransitionTime");
      if (same == wanted) return;
    }
    wanted["lastTransitionTime"] = now_;
    if (there) {
      *there = std::move(wanted);
    } else {
      status["conditions"].push_back(std::move(wanted));
    }
  }

  void drop(std::string_view type) {
    Json kept = Json::array();
    for (const Json& condition : status["conditions"]) {
      if (textAt(condition, "type") != type) kept.push_back(condition);
    }
    status["conditions"] = std::move(kept);
  }

  // Ready follows its two parts: the first that is False gives its reason, ingress before predictor.
  Json finish() {
    Verdict ready{"True", "", ""};
    for (const char* type : {"PredictorReady", "IngressReady"}) {
      const Json& part = *find(status["conditions"], type);
      std::string value = textAt(part, "status");
      if (value == "False") ready = {"False", textAt(part, "reason"), textAt(part, "message")};
      if (value == "Unknown" && ready.status != "False")
        ready = {"Unknown", textAt(part, "reason"), textAt(part, "message")};
    }
    set("Ready", ready);
    std::sort(status["conditions"].begin(), status["conditions"].end(),
              [](const Json& a, const Json& b) { return textAt(a, "type") < textAt(b, "type"); });
    if (!at(status, "modelStatus").is_object()) status["modelStatus"] = Json::object();
    if (!status["modelStatus"].contains("transitionStatus")) status["modelStatus"]["transitionStatus"] = "";
    return std::move(status);
  }

  Json status;

 private:
  std::string now_;
};

const Json& deploymentCondition(const Json& deployment, const char* type) {
  static const Json kNone;
  const Json& conditions = at(deployment, "status", "conditions");
  if (!conditions.is_array()) return kNone;
  for (const Json& condition : conditions) {
    if (textAt(condition, "type") == type) return condition;
  }
  return kNone;
}

Verdict verdictOf(const char* status, const Json& condition) {
  return {status, textAt(condition, "reason"), textAt(condition, "message")};
}

// KServe's mapping of a Deployment's conditions, reference kserve.md section 1.2.
Verdict deploymentVerdict(const Json& deployment) {
  const Json& available = deploymentCondition(deployment, "Available");
  const Json& progressing = deploymentCondition(deployment, "Progressing");
  const Json& failure = deploymentCondition(deployment, "ReplicaFailure");
  std::string isAvailable = textAt(available, "status"), isProgressing = textAt(progressing, "status");
  Verdict verdict{"False", "MinimumReplicasUnavailable", "The Deployment has not been acted on yet."};
  if (isAvailable == "True") verdict = verdictOf("True", available);
  if (isProgressing == "False" && !textAt(progressing, "message").empty()) verdict = verdictOf("False", progressing);
  if (isProgressing == "True") {
    if (textAt(progressing, "reason") == "NewReplicaSetAvailable") {
      verdict = verdictOf("True", progressing);
    } else if (isAvailable != "True") {
      verdict = verdictOf("Unknown", progressing);
    }
  }
  if (isAvailable == "False") verdict = verdictOf("False", available);
  if (textAt(failure, "status") == "True") verdict = verdictOf("False", failure);
  return verdict;
}

// Whether the Deployment's status speaks of its present spec.
bool isCurrent(const Json& deployment) {
  return deployment.is_object() &&
         intAt(at(deployment, "status"), "observedGeneration") >= intAt(at(deployment, "metadata"), "generation");
}

const Json& deploymentNamed(const Observation& seen, const std::string& name) {
  static const Json kNone;
  auto it = seen.deployments.find(name);
  return it == seen.deployments.end() ? kNone : it->second;
}

void setRuntime(Json& status, const std::string& name, bool cluster) {
  status.erase("servingRuntimeName");
  status.erase("clusterServingRuntimeName");
  if (!name.empty()) status[cluster ? "clusterServingRuntimeName" : "servingRuntimeName"] = name;
}

void setComponents(StatusWriter& writer, const Plan& plan, const Observation& seen) {
  Json old = at(writer.status, "components"), components = Json::object();
  for (Component which : {Component::Transformer, Component::Explainer}) {
    bool planned =
        std::any_of(plan.components.begin(), plan.components.end(), [&](const auto& p) { return p.component == which; });
    if (!planned) writer.drop(readyType(which));
  }
  for (const PlannedComponent& part : plan.components) {
    Verdict verdict = deploymentVerdict(deploymentNamed(seen, part.name));
    if (part.component == Component::Predictor && verdict.status != "True") {
      // The Deployment only says that its pods are missing; the pod says why.
      const std::string why = whatPodWaitsFor(seen.predictorPods);
      if (!why.empty()) verdict.message += (verdict.message.empty() ? "" : " ") + why;
    }
    writer.set(readyType(part.component), verdict);
    const char* name = componentName(part.component);
    components[name] = Json::object();
    bool hadUrl = at(old, name, "url").is_string();
    if (verdict.status == "True" || hadUrl) components[name]["url"] = part.url;
  }
  writer.status["components"] = std::move(components);
}

void setIngress(StatusWriter& writer, const Plan& plan) {
  Verdict verdict{"True", "", ""};
  for (auto it = plan.components.rbegin(); plan.needsIngress && it != plan.components.rend(); ++it) {
    if (textAt(conditionOf(writer.status, readyType(it->component)), "status") == "True") continue;
    std::string label = componentName(it->component);
    label[0] = static_cast<char>(std::toupper(label[0]));
    verdict = {"False", label + " ingress not created", ""};
  }
  writer.set("IngressReady", verdict);
  if (verdict.status != "True") return;
  if (!plan.url.empty()) writer.status["url"] = plan.url;
  if (!plan.addressUrl.empty()) writer.status["address"] = {{"url", plan.addressUrl}};
}

void setModelStatus(Json& status, const std::vector<Json>& pods) {
  ModelState model = modelState(pods, isReady(status));
  Json& out = status["modelStatus"];
  if (!out.is_object()) out = Json::object();
  out["copies"] = {{"failedCopies", model.failedCopies}};
  if (model.readyCopies > 0) out["copies"]["totalCopies"] = model.readyCopies;
  if (!at(out, "states").is_object()) out["states"] = {{"activeModelState", ""}, {"targetModelState", "Pending"}};
  if (model.state.empty()) return;
  out["states"]["targetModelState"] = model.state;
  if (model.state == "Loaded") out["states"]["activeModelState"] = "Loaded";
  out["transitionStatus"] = model.state == "Loaded"         ? "UpToDate"
                            : model.state == "FailedToLoad" ? "BlockedByFailedLoad"
                                                            : "InProgress";
  if (!model.failure) return;
  Json info = {{"reason", "ModelLoadFailed"}};
  if (!model.failure->message.empty()) info["message"] = model.failure->message;
  if (model.failure->exitCode != 0) info["exitCode"] = model.failure->exitCode;
  out["lastFailureInfo"] = std::move(info);
}

// The object with its conditions brought up to what its standing children show, as far as its own status names them.
Json withStanding(const Json& isvc, const Observation& seen, const std::string& now) {
  const Json& status = at(isvc, "status");
  Plan plan;
  for (Component which : kComponents) {
    const Json& part = at(status, "components", componentName(which));
    if (part.is_object()) plan.components.push_back({which, childName(isvc, which), textAt(part, "url")});
  }
  if (plan.components.empty()) return isvc;
  plan.clusterRuntime = status.contains("clusterServingRuntimeName");
  plan.runtime = textAt(status, plan.clusterRuntime ? "clusterServingRuntimeName" : "servingRuntimeName");
  plan.url = textAt(status, "url");
  plan.addressUrl = textAt(at(status, "address"), "url");
  Json out = isvc;
  out["status"] = servingStatus(isvc, plan, seen, now);
  // The children speak of the spec before this one.
  out["status"]["observedGeneration"] = at(status, "observedGeneration");
  if (out["status"]["observedGeneration"].is_null()) out["status"].erase("observedGeneration");
  return out;
}

}  // namespace

const Json& conditionOf(const Json& status, std::string_view type) {
  static const Json kNone;
  const Json& conditions = at(status, "conditions");
  if (!conditions.is_array()) return kNone;
  for (const Json& condition : conditions) {
    if (textAt(condition, "type") == type) return condition;
  }
  return kNone;
}

bool isReady(const Json& status) { return textAt(conditionOf(status, "Ready"), "status") == "True"; }

bool componentsReady(const Plan& plan, const Observation& seen) {
  return std::all_of(plan.components.begin(), plan.components.end(), [&](const PlannedComponent& part) {
    return deploymentVerdict(deploymentNamed(seen, part.name)).status == "True";
  });
}

Json servingStatus(const Json& isvc, const Plan& plan, const Observation& seen, const std::string& now) {
  StatusWriter writer(isvc, now);
  setRuntime(writer.status, plan.runtime, plan.clusterRuntime);
  setComponents(writer, plan, seen);
  setIngress(writer, plan);
  writer.set("Stopped", {"False", "", ""});
  // `kubectl wait` trusts a condition only once this has caught up with metadata.generation, so it moves when every
  // Deployment's status speaks of what was last asked for.
  bool current = std::all_of(plan.components.begin(), plan.components.end(),
                             [&](const PlannedComponent& part) { return isCurrent(deploymentNamed(seen, part.name)); });
  if (current) writer.status["observedGeneration"] = intAt(at(isvc, "metadata"), "generation");
  Json status = writer.finish();
  setModelStatus(status, seen.predictorPods);
  return status;
}

Json invalidSpecStatus(const Json& isvc, const SpecFault& fault, const Observation& seen, const std::string& now) {
  StatusWriter writer(seen.deployments.empty() ? isvc : withStanding(isvc, seen, now), now);
  if (!fault.runtime.empty()) setRuntime(writer.status, fault.runtime, fault.clusterRuntime);
  Json& model = writer.status["modelStatus"];
  if (!model.is_object()) model = Json::object();
  model["transitionStatus"] = "InvalidSpec";
  if (!at(model, "states").is_object()) model["states"] = {{"activeModelState", ""}};
  model["states"]["targetModelState"] = "FailedToLoad";
  model["lastFailureInfo"] = {{"reason", fault.reason}, {"message", fault.message}};
  return writer.finish();
}

Json reconcileFailedStatus(const Json& isvc, const Plan& plan, const std::string& message, const std::string& now) {
  StatusWriter writer(isvc, now);
  setRuntime(writer.status, plan.runtime, plan.clusterRuntime);
  if (!at(writer.status, "components").is_object()) writer.status["components"] = {{"predictor", Json::object()}};
  writer.set("PredictorReady", {"False", "ReconcileFailed", message});
  return writer.finish();
}

Json stoppedStatus(const Json& isvc, const std::string& now) {
  StatusWriter writer(isvc, now);
  for (const char* key : {"components", "url", "address", "observedGeneration", "modelStatus", "canaryStatuses"})
    writer.status.erase(key);
  Json conditions = Json::array();
  for (const Json& condition : writer.status["conditions"]) {
    std::string type = textAt(condition, "type");
    if (isLiving(type) || type == "Stopped") conditions.push_back(condition);
  }
  writer.status["conditions"] = std::move(conditions);
  writer.set("PredictorReady", {"False", "Stopped", ""});
  writer.set("IngressReady", {"False", "Stopped", ""});
  writer.set("Stopped", {"True", "", ""});
  return writer.finish();
}

std::vector<EventText> readinessEvents(const Json& isvc, const Json& before, const Json& after) {
  std::string subject = "InferenceService [" + nameOf(isvc) + "] is ";
  if (!isReady(before) && isReady(after)) return {{"Normal", "InferenceServiceReady", subject + "Ready"}};
  if (!isReady(before) || isReady(after)) return {};
  std::string causes;
  for (const Json& condition : at(after, "conditions")) {
    // Stopped: False is the good case.
    if (textAt(condition, "type") == "Stopped" || textAt(condition, "status") == "True") continue;
    causes += (causes.empty() ? "" : ", ") + textAt(condition, "type");
  }
  return {{"Warning", "InferenceServiceNotReady", subject + "no longer Ready because of: " + causes}};
}

}  // namespace slipway::isvc
