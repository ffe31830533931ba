// What a namespace may use: the arithmetic of ResourceQuota and LimitRange. Pure, thread-safe.
//
//   Usage one = usageOf(pods, pod);                       {"pods": 1, "count/pods": 1, "requests.cpu": 100m, …}
//   if (!overLimit(hard, used, one).empty()) …            which of them a create would exceed
#pragma once
#include <map>
#include <string>
#include <vector>

#include "data/json.h"
#include "data/quantity.h"
#include "objects/schema/catalog.h"

namespace slipway::quota {

using Usage = std::map<std::string, Quantity>;

// What the object counts for; nothing for a pod that has ended. A pod's cpu and memory are the larger of its init containers
// and the sum of the others, with sidecars (restartPolicy Always) among the others.
Usage usageOf(const Resource& resource, const Json& object);

// spec.hard, or status.used. Texts that are no quantities are left out.
Usage amounts(const Json& quantities);
Json toJson(const Usage& usage);

Usage add(Usage a, const Usage& b);
Usage subtract(Usage a, const Usage& b);
// The names of `usage` that `hard` bounds.
Usage boundedBy(const Usage& usage, const Usage& hard);

// Whether the quota counts this object: its scopes hold for it. Scopes are about pods; a quota with one counts nothing else.
bool counts(const Json& quota, const Resource& resource, const Json& object);

// Names that `more` would take beyond `hard`.
std::vector<std::string> overLimit(const Usage& hard, const Usage& used, const Usage& more);

// "cpu for: a,b; memory for: a": containers that leave out what the quota bounds; empty when none does.
std::string unspecified(const Usage& hard, const Json& pod);

// LimitRange: fills a pod's missing requests and limits.
void applyLimitDefaults(const Json& limitRange, Json& pod);
// What of the object is outside the range, in kube-apiserver's words.
std::vector<std::string> outsideLimits(const Json& limitRange, const Resource& resource, const Json& object);

}  // namespace slipway::quota
