// Deployment: carries out planRollout() and writes deploymentStatus().
#pragma once
#include "controllers/workloads/deployment_status.h"
#include "kube/controller.h"
#include "kube/event_recorder.h"

namespace slipway::workloads {

class DeploymentReconciler final : public kube::Reconciler {
 public:
  DeploymentReconciler(kube::Client& client, kube::Cache& cache, Clock& clock, kube::EventRecorder& events);
  Task<Result<kube::Outcome>> reconcile(kube::Key key) override;

 private:
  Task<Result<ProgressNote>> createSet(Json deployment, Json set);
  Task<Status> scaleSets(Json deployment, std::vector<ScaleStep> steps);
  Task<Status> scaleOne(Json deployment, ScaleStep step);
  Task<Result<Json>> annotate(Json deployment, std::string revision);
  Task<Status> countCollision(Json deployment);

  kube::Client& client_;
  kube::Informer& deployments_;
  kube::Informer& sets_;
  kube::Informer& pods_;
  Clock& clock_;
  kube::EventRecorder& events_;
};

}  // namespace slipway::workloads
