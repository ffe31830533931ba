// The pod-template-hash label: which ReplicaSet belongs to which template of a Deployment.
#pragma once
#include <string>

#include "data/json.h"

namespace slipway::workloads {

inline constexpr const char* kTemplateHashLabel = "pod-template-hash";

// 32-bit hash of the template and of how often this Deployment's hashes collided before, in Kubernetes' safe alphabet
// (no vowels). The same template and count always give the same text.
std::string templateHash(const Json& podTemplate, std::int64_t collisionCount);
// Equal but for the pod-template-hash label.
bool sameTemplate(const Json& a, const Json& b);

}  // namespace slipway::workloads
