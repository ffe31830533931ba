// TaintEviction: deletes running pods from a node with NoExecute taints: at once those that do not tolerate one of them,
// later those that tolerate it for a time (tolerationSeconds). As kube-controller-manager's taint-eviction-controller.
#pragma once
#include "controllers/workloads/pods.h"
#include "kube/controller.h"
#include "kube/event_recorder.h"

namespace slipway::workloads {

// How long a pod may stay on a node: nullopt for ever; 0: not at all. Pure.
std::optional<std::chrono::seconds> staysFor(const Json& pod, const Json& node);

class TaintEvictionReconciler final : public kube::Reconciler {
 public:
  TaintEvictionReconciler(kube::Client& client, kube::Cache& cache, Clock& clock, kube::EventRecorder& events);
  Task<Result<kube::Outcome>> reconcile(kube::Key key) override;

 private:
  Task<Status> evict(Object pod);

  kube::Client& client_;
  kube::Informer& pods_;
  kube::Informer& nodes_;
  Clock& clock_;
  kube::EventRecorder& events_;
  using Since = std::map<std::string, TimePoint>;
  std::shared_ptr<Since> since_ = std::make_shared<Since>();  // by pod uid: when its time began; of pods that have one
};

}  // namespace slipway::workloads
