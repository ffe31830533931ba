// What KServe's validating webhooks refuse, as pure functions. A refusal is an Error whose code is the HTTP status
// (Forbidden as upstream, Invalid where the fault is a missing or wrong field) and whose message names the field and the
// fix. Where KServe accepts an object that it then never serves, these refuse it; docs/compatibility.md lists each.
#pragma once
#include <vector>

#include "base/result.h"
#include "data/json.h"
#include "objects/serving/config.h"

namespace slipway::isvc {

// `old`: the stored object on an update, else null. Call after defaultInferenceService.
Status validateInferenceService(const Json& isvc, const Json* old, const ServingConfig& config);
// `others`: the runtimes that exist in the same scope (for a ServingRuntime: its namespace), the object itself included or
// not.
Status validateRuntime(const Json& runtime, const Json* old, const std::vector<Json>& others);
Status validateTrainedModel(const Json& model, const Json* old);
Status validateInferenceGraph(const Json& graph);

// Parts of the above, also used alone.
Status validateStorageUri(const std::string& uri);
Status validateStorage(const Json& isvc);
Status validateScaling(const Json& isvc, const ServingConfig& config);
// Environment variables that no container of ours may set (PYTHONPATH would let a tenant replace a server's code).
Status validateEnvironment(const Json& containers);

}  // namespace slipway::isvc
