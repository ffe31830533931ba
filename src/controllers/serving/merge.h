// Kubernetes' strategic merge for containers and pod specs, as KServe overlays a runtime with a service's own fields. Pure.
#pragma once
#include "data/json.h"

namespace slipway::isvc {

// `overlay` over `base`: objects merge, lists of named things (env, ports, volumeMounts, volumes …) merge by their key with
// the overlay's order first, other lists and scalars are replaced. A variable's `value` gives way to `valueFrom` and the
// reverse.
Json mergePodPart(const Json& base, const Json& overlay);

// A container: as above, but `args` are the base's followed by the overlay's (a service adds flags to its runtime's).
Json mergeContainer(const Json& base, const Json& overlay);

}  // namespace slipway::isvc
