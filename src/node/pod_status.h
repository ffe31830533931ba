// From a pod and its state to what the API shows: PodPlan from a spec, and the PodStatus that a kubelet would report. Pure.
#pragma once
#include <string>

#include "data/json.h"
#include "node/pod_state.h"

namespace slipway::node {

PodPlan planOf(const Json& pod, const BackoffRule& backoff);

// The whole `status` object: phase, conditions, addresses, container statuses. Keeps lastTransitionTime of conditions that
// did not change, and conditions of other writers, from pod.status.
Json statusOf(const Json& pod, const PodPlan& plan, const PodState& state, WallTime now);

// `pod_namespace(uid)`, as the kubelet's messages name a pod.
std::string podTag(const Json& pod);
std::string durationText(Duration d);  // "10s", "1m20s", as in "back-off 1m20s restarting failed container"

inline constexpr const char* kContainerIdScheme = "slipway://";

}  // namespace slipway::node
