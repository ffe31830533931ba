#include "controllers/serving/plan.h"

#include "controllers/serving/workload.h"
#include "objects/serving/keys.h"

namespace slipway::isvc {

namespace {

bool viaAgent(const ComponentPod& pod, const BuildOptions& options) {
  // A model puller beside a multi-model server needs no requests to pass through it.
  return options.agent &&
         (pod.annotations.contains(std::string(kBatcher)) || pod.annotations.contains(std::string(kLogger)));
}

void addChildren(const PlanInput& input, const ComponentPod& pod, Plan& plan) {
  plan.children.push_back(serviceOf(input.isvc, pod, input.config, viaAgent(pod, input.options)));
  plan.children.push_back(deploymentOf(input.isvc, pod, input.config));
  if (std::optional<Json> scaler = scalerOf(input.isvc, pod)) plan.children.push_back(std::move(*scaler));
}

void noteScaling(const Json& isvc, const Json& component, const char* name, std::vector<Notice>& notices) {
  std::string metric = textAt(component, "scaleMetric");
  if (metric == "concurrency" || metric == "rps") {
    notices.push_back(
        {"ScalingNotActive",
         fmt::format("spec.{}.scaleMetric {}: this version does not scale by requests; {} replica(s) run all the time", name,
                     metric, startingReplicas(isvc, component))});
  } else if (intAt(component, "minReplicas", 1) == 0 && annotation(isvc, kAutoscalerClass) != "none") {
    notices.push_back(
        {"ScalingNotActive",
         fmt::format("spec.{}.minReplicas 0: this version does not scale to zero; 1 replica runs all the time", name)});
  }
}

std::vector<Notice> noticesFor(const PlanInput& input) {
  std::vector<Notice> notices;
  const Json& isvc = input.isvc;
  if (requestedMode(isvc, input.config) == Mode::Knative) {
    notices.push_back({"ServedAsStandard",
                       "deployment mode Knative (Serverless) is served as Standard by this version: pods run all the "
                       "time and do not scale with requests"});
  }
  for (Component which : kComponents) {
    const Json& component = componentSpec(isvc, which);
    if (!component.is_object()) continue;
    noteScaling(isvc, component, componentName(which), notices);
    if (at(component, "canaryTrafficPercent").is_number_integer()) {
      notices.push_back({"CanaryNotActive",
                         fmt::format("spec.{}.canaryTrafficPercent has no effect in Standard mode: all requests go to the "
                                     "latest specification",
                                     componentName(which))});
    }
    if (!input.options.agent && (batcherOf(isvc, component) || at(component, "logger").is_object())) {
      notices.push_back({"AgentNotActive",
                         fmt::format("spec.{}: batching and payload logging are recorded but not active in this version; "
                                     "requests go straight to the model server",
                                     componentName(which))});
    }
  }
  if (at(isvc, "spec", "canary").is_array() && !at(isvc, "spec", "canary").empty()) {
    notices.push_back({"CanaryNotActive", "spec.canary is not deployed by this version: all requests go to spec.predictor"});
  }
  if (annotation(isvc, kAutoscalerClass) == "keda") {
    notices.push_back({"ScalingNotActive",
                       "autoscaler class keda: no ScaledObject is made by this version; minReplicas pods run all the time"});
  }
  return notices;
}

tl::unexpected<SpecFault> badUrl(const Error& error) {
  return tl::unexpected<SpecFault>({"InvalidPredictorSpec", error.message, error.message});
}

}  // namespace

tl::expected<Plan, SpecFault> planService(const PlanInput& input) {
  const Json& isvc = input.isvc;
  auto predictor = buildPredictor(isvc, input.catalog, input.config);
  if (!predictor) return tl::unexpected<SpecFault>(predictor.error());
  Plan plan;
  plan.runtime = predictor->runtime;
  plan.clusterRuntime = predictor->clusterRuntime;
  std::vector<ComponentPod> pods{predictor->pod};
  TextMap extra;
  for (const auto& [key, value] : predictor->pod.labels) {
    // What the runtime's server put on the whole service (modelClass, serviceEnvelope), not the predictor's own labels.
    if (key == "modelClass" || key == "serviceEnvelope") extra[key] = value;
  }
  for (Component which : {Component::Transformer, Component::Explainer}) {
    if (componentSpec(isvc, which).is_object()) pods.push_back(buildCompanion(isvc, which, extra, input.config));
  }
  bool clusterLocal = isClusterLocal(isvc) || input.config.ingressDomain == "svc.cluster.local";
  plan.needsIngress = !clusterLocal && !input.config.disableIngressCreation;
  plan.addressUrl = clusterUrl(isvc, input.config);
  for (const ComponentPod& pod : pods) {
    addChildren(input, pod, plan);
    Result<std::string> url = publicUrl(pod.name, isvc, input.config, input.gateway);
    if (!url) return badUrl(url.error());
    plan.components.push_back({pod.component, pod.name,
                               clusterLocal ? "http://" + pod.name + "." + namespaceOf(isvc) + ".svc.cluster.local" : *url});
  }
  if (isMultiModel(componentSpec(isvc, Component::Predictor)))
    plan.children.push_back(modelConfigOf(isvc, input.modelConfig));
  Result<std::string> url = publicUrl(nameOf(isvc), isvc, input.config, input.gateway);
  if (!url) return badUrl(url.error());
  if (plan.needsIngress) {
    Result<std::optional<Json>> ingress = ingressOf(isvc, input.config);
    if (!ingress) return badUrl(ingress.error());
    plan.ingress = std::move(*ingress);
  }
  plan.url = clusterLocal ? plan.addressUrl : *url;
  plan.notices = noticesFor(input);
  return plan;
}

}  // namespace slipway::isvc
