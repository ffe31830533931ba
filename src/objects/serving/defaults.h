// What KServe's mutating webhook writes into an InferenceService before it is stored. Pure; the API server calls it on
// create and update through servingAdmission (admission.h).
#pragma once
#include "data/json.h"
#include "objects/serving/config.h"

namespace slipway::isvc {

// Fills the deployment mode, turns framework keys (`sklearn:`) into `model:`, sets the protocol where the format has only
// one, names and sizes custom containers. Parts of a wrong JSON type are left as they are for validation to name. Applying
// it twice changes nothing more.
//
// Unlike KServe it leaves `RawDeployment` and `Serverless` as the user wrote them: rewriting them makes `kubectl apply` of
// an unchanged file report a change each time.
void defaultInferenceService(Json& isvc, const ServingConfig& config);

}  // namespace slipway::isvc
