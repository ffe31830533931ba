// Steps that the predictor (component.cc) and the transformer and explainer (companion.cc) share. Inside controllers/serving
// only.
#pragma once
#include <functional>
#include <string>

#include "controllers/serving/component.h"

namespace slipway::isvc {

// The entries of `object` whose key `keep` accepts; nulls are left out.
Json filtered(const Json& object, const std::function<bool(const std::string&)>& keep);
// Fields of a model (art, alibi) that are not fields of its container.
bool isModelField(const std::string& key);
// Pod fields that the guide's manifests write under `model`; they mean the pod.
bool isPodFieldOfModel(const std::string& key);
// The pod's part of a component: its fields without those of KServe's own.
Json podFields(const Json& component);

// Name, labels and annotations of a component's children. `runtime`: null for custom containers. `extraLabels`: put on the
// whole service by its model server.
ComponentPod describeComponent(const Json& isvc, Component which, const Json& runtime, const TextMap& extraLabels,
                               const ServingConfig& config);
// INFERENCE_SERVICE_NAME in every container.
void nameService(Json& podSpec, const std::string& name);
void attachStorageUris(const Json& component, ComponentPod& pod, const ServingConfig& config);

}  // namespace slipway::isvc
