// Scheduler: binds pods that have no node to one that fits, and says why when none does (event FailedScheduling and
// condition PodScheduled). Pods that did not fit are tried again when a node, a claim or another pod changes in a way that
// could help.
#pragma once
#include <set>

#include "controllers/workloads/scheduling.h"
#include "kube/controller.h"
#include "kube/event_recorder.h"

namespace slipway::workloads {

class SchedulerReconciler final : public kube::Reconciler {
 public:
  SchedulerReconciler(kube::Client& client, kube::Cache& cache, Clock& clock, kube::EventRecorder& events);
  Task<Result<kube::Outcome>> reconcile(kube::Key key) override;
  // Pods that wait for room; the controller's watches of nodes, claims and pods bring them back.
  std::vector<kube::Key> waiting() const { return {waiting_.begin(), waiting_.end()}; }

 private:
  // Why the pod's claims keep it from being scheduled; empty when they do not.
  std::string claimProblem(const Json& pod) const;
  Task<Status> bind(Json pod, std::string node);
  Task<Status> refuse(Json pod, std::string why);

  kube::Client& client_;
  kube::Informer& pods_;
  kube::Informer& nodes_;
  kube::Informer& claims_;
  Clock& clock_;
  kube::EventRecorder& events_;
  std::set<kube::Key> waiting_;
};

}  // namespace slipway::workloads
