// The admission of KServe's kinds in one call: default, then validate. Pure; the API server (or a webhook server on a
// cluster) adapts it to its hooks.
#pragma once
#include <vector>

#include "base/result.h"
#include "data/json.h"
#include "objects/kinds.h"
#include "objects/serving/config.h"

namespace slipway::isvc {

// True for the kinds that defaultServingObject or validateServingObject treat.
bool hasServingAdmission(const Kind& kind);

// The mutating half, before schema validation. Never fails: what it cannot read it leaves.
void defaultServingObject(const Kind& kind, Json& object, const ServingConfig& config);

// The validating half, after schema validation. `old` is null on create. `siblings`: for the two runtime kinds, the runtimes
// that exist in the same scope; ignored for others. Error: code Forbidden (403) with a message in the form of KServe's
// webhooks, `admission webhook "…" denied the request: …`, or Invalid (422) with a field path in front.
Status validateServingObject(const Kind& kind, const Json& object, const Json* old, const std::vector<Json>& siblings,
                             const ServingConfig& config);

}  // namespace slipway::isvc
