// Plan: everything an InferenceService wants, decided from objects alone: its child objects, or why it can have none. Pure;
// the reconciler (serving.h) only carries plans out.
#pragma once
#include <vector>

#include "controllers/serving/component.h"
#include "controllers/serving/urls.h"

namespace slipway::isvc {

// Something the user asked for that this build does not act on yet; told as an event, once per generation.
struct Notice {
  std::string reason, message;
};

struct PlanInput {
  Json isvc;
  RuntimeCatalog catalog;
  ServingConfig config;
  GatewayAddress gateway;
  BuildOptions options;
  Json modelConfig;  // the stored ConfigMap modelconfig-<isvc>-0, or null
};

struct PlannedComponent {
  Component component = Component::Predictor;
  std::string name;  // of its Deployment
  std::string url;   // public; empty when the service is cluster-local
};

struct Plan {
  std::vector<PlannedComponent> components;
  std::vector<Json> children;
  std::string runtime;  // empty for a custom predictor
  bool clusterRuntime = false;
  std::string url, addressUrl;
  std::optional<Json> ingress;  // to be made once every component is ready
  bool needsIngress = true;     // false: cluster-local, or the configuration leaves ingress to someone else
  std::vector<Notice> notices;
};

tl::expected<Plan, SpecFault> planService(const PlanInput& input);

}  // namespace slipway::isvc
