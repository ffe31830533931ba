// From a component's spec to the pod it wants: runtime and service merged, placeholders filled, labels and annotations
// settled. Pure. workload.h turns the result into Kubernetes objects.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "controllers/serving/select.h"
#include "objects/serving/config.h"
#include "objects/serving/view.h"

namespace slipway::isvc {

// What this build injects into pods beyond the storage initializer.
struct BuildOptions {
  bool agent = false;  // the sidecar for logger, batcher and model pulling; without it these are recorded and announced only
};

struct ComponentPod {
  Component component = Component::Predictor;
  std::string name;  // of the Deployment, Service and HPA
  TextMap labels;    // of all children, without `app`
  TextMap annotations;
  Json podSpec;
  Json spec;  // the component as the user wrote it: replicas, scaling, strategy
};

struct PredictorPod {
  ComponentPod pod;
  std::string runtime;  // empty for a custom container
  bool clusterRuntime = false;
};

tl::expected<PredictorPod, SpecFault> buildPredictor(const Json& isvc, const RuntimeCatalog& catalog,
                                                     const ServingConfig& config);

// Transformer or explainer. `predictorLabels`: labels that the predictor's runtime adds to the whole service (modelClass …).
ComponentPod buildCompanion(const Json& isvc, Component component, const TextMap& predictorLabels,
                            const ServingConfig& config);

// `repo:tag` or `repo@sha256:…`: runtimeVersion replaces the tag; a GPU limit picks the GPU build where a server has one.
std::string runtimeImage(const std::string& image, const std::string& runtimeVersion, const std::string& serverType,
                         bool gpu);

}  // namespace slipway::isvc
