// StatefulSet: pods with stable names and their own volume claims, made and removed in order. The decisions are pure
// (planStatefulSet, statefulSetStatus, planRevisions). Rolling updates go from the highest ordinal down and heed
// `partition`: a pod below it that is made again gets the template that was in force before.
#pragma once
#include "controllers/workloads/pods.h"
#include "controllers/workloads/set_revisions.h"
#include "kube/controller.h"
#include "kube/event_recorder.h"

namespace slipway::workloads {

struct StatefulSetPlan {
  std::vector<Json> claims;  // to create if absent, before the pods
  std::vector<Json> pods;    // to create
  std::vector<Object> remove;
};
// `pods`: those the set holds. With OrderedReady (the default) each step waits for the pods before it to be available.
StatefulSetPlan planStatefulSet(const Json& set, const std::vector<Object>& pods, WallTime now,
                                const SetRevisions& revisions = {});
Json statefulSetStatus(const Json& set, const std::vector<Object>& pods, WallTime now);

// The pod of an ordinal: "<set>-<ordinal>", host name and claims set.
Json statefulPod(const Json& set, int ordinal);
// The ordinal in a pod's name, or -1 when the name is not one of this set's.
int ordinalOf(const Json& set, const Json& pod);

class StatefulSetReconciler final : public kube::Reconciler {
 public:
  StatefulSetReconciler(kube::Client& client, kube::Cache& cache, Clock& clock, kube::EventRecorder& events);
  Task<Result<kube::Outcome>> reconcile(kube::Key key) override;

 private:
  Task<Result<SetRevisions>> keepRevisions(Json set, std::vector<Object> pods);
  Task<Status> settleClaims(Json set, std::vector<Object> pods);
  Task<Status> create(Json set, Kind kind, Json object);
  Task<Status> remove(Json set, Object pod);

  kube::Client& client_;
  kube::Informer& sets_;
  kube::Informer& pods_;
  kube::Informer& claims_;
  kube::Informer& revisions_;
  Clock& clock_;
  kube::EventRecorder& events_;
};

}  // namespace slipway::workloads
