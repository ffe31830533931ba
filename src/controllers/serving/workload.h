// The child objects of one component: Deployment, Service and HorizontalPodAutoscaler, as KServe writes them. Pure.
#pragma once
#include <optional>

#include "controllers/serving/component.h"
#include "objects/kinds.h"

namespace slipway::isvc {

// Owner reference of a child to its service: controller, blocking its deletion.
Json ownerReference(const Json& isvc);

Json deploymentOf(const Json& isvc, const ComponentPod& pod, const ServingConfig& config);
// `agentPort`: the pod has an agent through which requests come (port 9081).
Json serviceOf(const Json& isvc, const ComponentPod& pod, const ServingConfig& config, bool agentPort);
// Nothing with autoscaler class none, external or keda.
std::optional<Json> scalerOf(const Json& isvc, const ComponentPod& pod);

// How many pods the Deployment starts with: minReplicas, but at least one unless the class is none. Scaling to zero and by
// requests needs the serverless autoscaler.
std::int64_t startingReplicas(const Json& isvc, const Json& component);

// The ConfigMap that lists a multi-model server's models; TrainedModels fill it. `current`: the stored object or null, whose
// data is kept.
Json modelConfigOf(const Json& isvc, const Json& current);

}  // namespace slipway::isvc
