// The history of a StatefulSet's template as ControllerRevisions: what `kubectl rollout history` and `undo` read, and what a
// pod below the partition is made from again. Pure.
#pragma once
#include "controllers/workloads/pods.h"

namespace slipway::workloads {

inline constexpr Kind kControllerRevision{"apps", "v1", "ControllerRevision", "controllerrevisions"};

struct SetRevisions {
  std::string current, update;  // names; "" in `current`: as `update`
  Json currentTemplate;         // null: that of the set
};
struct RevisionPlan {
  SetRevisions names;
  std::optional<Json> create;       // of the present template
  std::string renumber;             // an older one that is in force again: it becomes the newest
  std::int64_t number = 0;          // its new number
  std::vector<std::string> forget;  // beyond revisionHistoryLimit, used by no pod
};
// `revisions`: those that the set owns; `pods`: those it holds.
RevisionPlan planRevisions(const Json& set, const std::vector<Object>& revisions, const std::vector<Object>& pods);

inline constexpr const char* kRevisionLabel = "controller-revision-hash";
// "<set>-<hash of the template>", the value of that label and the name of the ControllerRevision.
std::string revisionOfSet(const Json& set);

// persistentVolumeClaimRetentionPolicy: the claim's owner references when they must change, else null. `condemned`: its pod
// is being scaled away.
Json claimOwners(const Json& set, const Json& pod, const Json& claim, bool condemned);

}  // namespace slipway::workloads
