// The objects that the platform brings with it: the ClusterServingRuntimes of api/runtimes and the ConfigMap
// inferenceservice-config of api/config, compiled into the binary. The caller creates those that do not exist yet and leaves
// alone what a user has edited.
//
//   for (const Json& object : builtinServingObjects()) …create…
#pragma once
#include <vector>

#include "data/json.h"

namespace slipway::isvc {

// Configuration first, then runtimes by name. Parsed anew at each call (about a millisecond).
std::vector<Json> builtinServingObjects();

}  // namespace slipway::isvc
