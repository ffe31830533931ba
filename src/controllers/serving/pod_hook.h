// The pod admission (pod_admission.h) with what it needs fetched from the API: for the API server's admission chain, which calls
// it for each pod that is created. Synchronous: `find` answers from the state that the write will join.
#pragma once
#include "controllers/serving/pod_admission.h"
#include "objects/serving/admission.h"

namespace slipway::isvc {

// Pods that belong to no InferenceService stay as they are, without a look-up. A ServiceAccount that does not exist gives no
// credentials; a Secret that is named but missing is an error Forbidden.
Status admitPod(Json& pod, const FindObject& find, const BuildOptions& options);

}  // namespace slipway::isvc
