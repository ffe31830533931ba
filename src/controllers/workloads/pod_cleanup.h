// PodCleanup: removes pods that nobody will finish: those of a node that has been gone for a while, and finished ones beyond
// a bound (kube-controller-manager's pod garbage collector).
#pragma once
#include "controllers/workloads/pods.h"
#include "kube/controller.h"

namespace slipway::workloads {

struct PodCleanupOptions {
  std::size_t keepFinished = 1000;       // finished pods kept, all namespaces together; the oldest go first
  std::chrono::seconds nodeGoneFor{40};  // before the pods of a missing node are deleted
};

class PodCleanupReconciler final : public kube::Reconciler {
 public:
  PodCleanupReconciler(kube::Client& client, kube::Cache& cache, Clock& clock, PodCleanupOptions options = {});
  Task<Result<kube::Outcome>> reconcile(kube::Key key) override;

 private:
  Task<Status> removeNow(Object pod);
  Task<Status> trimFinished();

  kube::Client& client_;
  kube::Informer& pods_;
  kube::Informer& nodes_;
  Clock& clock_;
  PodCleanupOptions options_;
  std::map<std::string, TimePoint> missingSince_;  // by node name; emptied when the node is back or its pods are gone
  std::shared_ptr<std::set<kube::Key>> finished_ = std::make_shared<std::set<kube::Key>>();
};

}  // namespace slipway::workloads
