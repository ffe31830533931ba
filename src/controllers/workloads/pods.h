// What the workload controllers read from pods, and how they make them. Pure functions on objects.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "data/json.h"
#include "kube/informer.h"

namespace slipway::workloads {

using kube::Object;

// Neither finished nor being deleted.
bool isActive(const Json& pod);
bool isTerminal(const Json& pod);  // phase Succeeded or Failed
bool isReady(const Json& pod);
// Ready for at least `minReady`; when ready but not long enough, `*waitFor` (if given) is set to what is missing.
bool isAvailable(const Json& pod, std::chrono::seconds minReady, WallTime now, Duration* waitFor = nullptr);
std::optional<WallTime> timeAt(const Json& object, std::string_view field);  // an RFC 3339 text field

// A pod as a controller creates it: the template's labels, annotations, finalizers and spec, in the owner's namespace, with
// generateName "<owner>-" and the owner as controller.
Json podFromTemplate(const Json& owner, const Json& podTemplate);

// Orders the pods that a ReplicaSet would rather delete first, with upstream's rules (ActivePodsWithRanks): not assigned,
// not running, not ready, lower deletion cost, more siblings on the node, ready for less time, more restarts, younger.
std::vector<Object> deletionOrder(std::vector<Object> pods);

// Whether an object's labels satisfy a metav1.LabelSelector (null selects nothing, {} everything) …
bool selects(const Json& selector, const Json& object);
// … or carry every pair of a label map, the form of Service.spec.selector (null or empty selects nothing).
bool selectsByMap(const Json& labels, const Json& object);

// Ownership by selector: which objects an owner keeps, takes over (no controller, matching) or lets go (its own, not
// matching).
struct Claim {
  std::vector<Object> kept, adopt, release;
};
Claim claim(const Json& owner, const Json& selector, const std::vector<Object>& candidates);

}  // namespace slipway::workloads
