// Rollout: what a Deployment does next with its ReplicaSets, as a pure function: upstream's rules for revisions, rolling
// update with maxSurge and maxUnavailable, Recreate, scaling in proportion, pause, history limit. One step at a time: the
// change of a ReplicaSet brings the Deployment back for the next one.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "controllers/workloads/pods.h"

namespace slipway::workloads {

inline constexpr const char* kRevision = "deployment.kubernetes.io/revision";
inline constexpr const char* kDesiredReplicas = "deployment.kubernetes.io/desired-replicas";
inline constexpr const char* kMaxReplicas = "deployment.kubernetes.io/max-replicas";

struct ScaleStep {
  Object set;
  int from = 0, to = 0;
  Json annotations;      // desired-replicas and max-replicas to write with it; null: leave them
  bool announce = true;  // record the event ScalingReplicaSet
};

struct RolloutPlan {
  std::optional<Json> create;  // a new ReplicaSet; nothing else is planned in that step
  Json newSetPatch;            // merge patch of the current ReplicaSet's annotations or minReadySeconds; null: none
  std::string revision;        // what the Deployment's revision annotation must say; empty: leave it
  std::vector<ScaleStep> scale;
  std::vector<Object> forget;  // old ReplicaSets beyond revisionHistoryLimit
};

// `sets`: the ReplicaSets that the Deployment holds. `pods`: those of its selector's namespace (only Recreate looks at
// them).
struct RolloutFacts {
  const Json& deployment;
  const std::vector<Object>& sets;
  const std::vector<Object>& pods;
  WallTime now;
};
RolloutPlan planRollout(const RolloutFacts& facts);

// The ReplicaSet of the current template (the oldest of equals), or null.
Object currentSet(const Json& deployment, const std::vector<Object>& sets);

// Bounds of a rolling update in pods: percentages of spec.replicas, maxSurge rounded up, maxUnavailable down; never both 0.
// For Recreate maxSurge is 0 and maxUnavailable 0.
struct Bounds {
  int maxSurge = 0, maxUnavailable = 0;
};
Bounds rolloutBounds(const Json& deployment);
int wantedReplicas(const Json& object);  // spec.replicas, default 1

}  // namespace slipway::workloads
