// Endpoints and EndpointSlices of a Service, from the pods that it selects. Pure builders and one reconciler for both.
#pragma once
#include "controllers/workloads/pods.h"
#include "kube/apply_children.h"
#include "kube/controller.h"

namespace slipway::workloads {

// The v1 Endpoints object of a Service: ready and not-ready addresses, grouped by the ports they listen on. Pods without an
// IP, finished ones and (unless publishNotReadyAddresses) terminating ones are left out.
Json endpointsOf(const Json& service, const std::vector<Object>& pods);

// The discovery.k8s.io/v1 slices: at most 100 endpoints each, one set of slices per list of ports, names derived from the
// Service's uid so that the same pods give the same objects. A Service without pods has one empty slice.
std::vector<Json> endpointSlicesOf(const Json& service, const std::vector<Object>& pods);

// True when endpoints of this Service are ours to write: it has a selector and is not an ExternalName.
bool hasEndpoints(const Json& service);

class EndpointsReconciler final : public kube::Reconciler {
 public:
  EndpointsReconciler(kube::Client& client, kube::Cache& cache);
  Task<Result<kube::Outcome>> reconcile(kube::Key key) override;

 private:
  kube::Informer& services_;
  kube::Informer& pods_;
  kube::Inventory inventory_;
};

}  // namespace slipway::workloads
