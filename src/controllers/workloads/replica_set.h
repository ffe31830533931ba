// ReplicaSet: keeps `replicas` pods of a template running. The decisions are pure (replicaSetPlan, replicaSetStatus); the
// reconciler carries them out.
#pragma once
#include <set>

#include "controllers/workloads/pods.h"
#include "kube/controller.h"
#include "kube/event_recorder.h"

namespace slipway::workloads {

struct ReplicaSetPlan {
  int create = 0;
  std::vector<Object> remove;
};
// `pods`: those the set holds. `gone`: uids it has deleted although the cache still shows them.
ReplicaSetPlan replicaSetPlan(const Json& set, const std::vector<Object>& pods, const std::set<std::string>& gone);

// `failure`: what went wrong with creating or deleting pods in this run (condition ReplicaFailure), if anything did.
struct ReplicaFailure {
  std::string reason;  // FailedCreate or FailedDelete
  std::string message;
};
struct ReplicaSetStatus {
  Json status;
  std::optional<Duration> checkAgain;  // when a ready pod becomes available (minReadySeconds)
};
ReplicaSetStatus replicaSetStatus(const Json& set, const std::vector<Object>& pods,
                                  const std::optional<ReplicaFailure>& failure, WallTime now);

class ReplicaSetReconciler final : public kube::Reconciler {
 public:
  ReplicaSetReconciler(kube::Client& client, kube::Cache& cache, Clock& clock, kube::EventRecorder& events);
  Task<Result<kube::Outcome>> reconcile(kube::Key key) override;

 private:
  Task<std::optional<ReplicaFailure>> createPods(Json set, int count);
  Task<std::optional<ReplicaFailure>> deletePods(Json set, std::vector<Object> pods);

  kube::Client& client_;
  kube::Informer& sets_;
  kube::Informer& pods_;
  Clock& clock_;
  kube::EventRecorder& events_;
  // Pods deleted by us, until the cache shows it. Shared with the informer's handler, which empties it.
  std::shared_ptr<std::set<std::string>> deleted_ = std::make_shared<std::set<std::string>>();
};

}  // namespace slipway::workloads
