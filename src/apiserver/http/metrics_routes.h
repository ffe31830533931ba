// MetricsRoutes: metrics.k8s.io/v1beta1, what pods and nodes use now, as `kubectl top` asks for it. Measured by the node;
// nothing is stored.
#pragma once
#include "apiserver/http/call.h"
#include "apiserver/registry.h"
#include "kube/pod_streams.h"

namespace slipway::apiserver {

class MetricsRoutes {
 public:
  explicit MetricsRoutes(const Registry& registry) : registry_(registry) {}
  // Null: the group does not exist.
  void setPodStreams(kube::PodStreams* streams) { streams_ = streams; }
  bool serves(const RequestInfo& info) const;
  Result<net::Response> handle(const Call& call) const;

 private:
  Result<Json> one(const Call& call) const;
  Result<Json> list(const Call& call) const;
  std::optional<Json> metricsOf(const Json& object, bool pods) const;

  const Registry& registry_;
  kube::PodStreams* streams_ = nullptr;
};

}  // namespace slipway::apiserver
