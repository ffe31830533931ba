// From objects to routes, as a pure function: InferenceServices, Services and EndpointSlices in, the gateway's routes out.
//
//   auto routes = feed::buildRoutes({isvcs.list(), services.list(), slices.list()}, {});
//
// An InferenceService gets <name>.<ns>.<domain> and <name>-<ns>.<domain> for every domain, /serving/<ns>/<name>/…, its
// cluster-internal names, and the host of status.url; it goes to its transformer if it has one, else to its predictor. With
// the label networking.kserve.io/visibility (or Knative's) = cluster-local only the cluster-internal names. Every Service
// gets <name>.<ns>, <name>.<ns>.svc and <name>.<ns>.svc.cluster.local: bare for its HTTP port, with ":port" for each port.
#pragma once
#include <chrono>
#include <string>
#include <vector>

#include "kube/informer.h"
#include "proxy/routes.h"

namespace slipway::feed {

struct RouteInputs {
  std::vector<kube::Object> inferenceServices, services, endpointSlices;
};

struct RouteOptions {
  std::vector<std::string> domains{"localhost", "example.com"};
  std::string clusterDomain = "cluster.local";
  std::string pathPrefix = "/serving";  // empty: no routes by path
  std::chrono::seconds timeout{300};    // where spec.<component>.timeout is not set
  std::size_t queue = 1000;             // requests that may wait per route
};

std::vector<proxy::Route> buildRoutes(const RouteInputs& inputs, const RouteOptions& options);

// Why an InferenceService cannot answer now, in one line: the Ready condition's message, or what stands in for it.
std::string reasonNotReady(const Json& inferenceService);

}  // namespace slipway::feed
