// The sidecars that KServe's pod webhook adds: the agent (batching, payload logging, model pulling) and the modelcar that
// brings a model as a container image. Pure; called by pod_admission.cc.
#pragma once
#include <string>

#include "base/result.h"
#include "controllers/serving/component.h"

namespace slipway::isvc {

// Volumes of a multi-model server, and the agent container where `options.agent` says that this build has one.
void injectAgent(Json& pod, const ServingConfig& config, const BuildOptions& options);

// `uri`: oci://registry/model:tag. The model's container links its /models to /mnt/models for the server.
Status injectModelcar(Json& pod, const std::string& uri, const ServingConfig& config);

}  // namespace slipway::isvc
