// The pod admission (pod_admission.h) with what it needs fetched from the API: for the API server's admission chain, which calls
// it for each pod that is created.
#pragma once
#include "base/task.h"
#include "controllers/serving/pod_admission.h"
#include "kube/client.h"

namespace slipway::isvc {

// The pod as it is to be stored. Pods that belong to no InferenceService come back unchanged without a request. A
// ServiceAccount that does not exist gives no credentials; a Secret that is named but missing is an error Forbidden.
Task<Result<Json>> admitPod(kube::Client* client, Json pod, ServingConfig config, BuildOptions options);

}  // namespace slipway::isvc
