// The status of a Deployment as a pure function: counts, and the conditions Available, Progressing and ReplicaFailure with
// kube-controller-manager's reasons and messages.
#pragma once
#include "controllers/workloads/rollout.h"

namespace slipway::workloads {

// What the reconciler did in this run and the Progressing condition must tell.
struct ProgressNote {
  enum class Kind { None, Created, CreateFailed, Found } kind = Kind::None;
  std::string name;     // of the ReplicaSet
  std::string message;  // of the failure
};

struct DeploymentStatus {
  Json status;
  std::optional<Duration> checkAgain;  // when the progress deadline would pass
};
// `sets` as the cache shows them; `current` may be null.
DeploymentStatus deploymentStatus(const RolloutFacts& facts, const Object& current, const ProgressNote& note);

}  // namespace slipway::workloads
