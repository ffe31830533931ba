// Writes what claim() decided: adds the owner reference to what is adopted and removes it from what is released.
#pragma once
#include "controllers/workloads/pods.h"

namespace slipway::workloads {

// Returns the objects that the owner holds afterwards. An object that changed or vanished meanwhile is left for the next
// run.
Task<Result<std::vector<Object>>> settleClaim(kube::Client& client, Kind kind, Json owner, Claim decided);

}  // namespace slipway::workloads
