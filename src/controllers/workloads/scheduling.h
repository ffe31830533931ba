// Scheduling: which node a pod fits on, and why not, in kube-scheduler's words. Pure functions over the nodes and the pods
// that already count against them. Filters in upstream's order: schedulable, name, taints, node selector and affinity, host
// ports, resources. No preemption, no spreading: this is for the few nodes of a standalone platform.
#pragma once
#include "controllers/workloads/pods.h"

namespace slipway::workloads {

// What a pod asks for in milli-units: per resource the larger of (sum of containers and sidecars) and (largest init
// container), plus overhead.
using Resources = std::map<std::string, std::int64_t>;
Resources requestsOf(const Json& pod);

struct NodeFit {
  std::vector<std::string> reasons;  // empty: the pod fits
  bool helpless = false;             // no pod's leaving would help (for the message's second half)
};
// `others`: pods bound to this node and not finished.
NodeFit fitOn(const Json& node, const Json& pod, const std::vector<Object>& others);

struct Placement {
  std::string node;     // empty: none
  std::string message;  // why not, as kube-scheduler's FailedScheduling
};
// Of several fitting nodes the one with the least requested share of cpu and memory, then by name.
Placement place(const Json& pod, const std::vector<Object>& nodes, const std::vector<Object>& pods);

// Whether the pod waits for us: no node, default-scheduler, not leaving or finished, no scheduling gates.
bool awaitsScheduling(const Json& pod);
bool tolerates(const Json& pod, const Json& taint);
bool nodeAffinityMatches(const Json& pod, const Json& node);

}  // namespace slipway::workloads
