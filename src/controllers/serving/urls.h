// Where a service is reached. Pure.
#pragma once
#include <optional>
#include <string>

#include "objects/serving/config.h"
#include "objects/serving/view.h"

namespace slipway::isvc {

// The gateway through which requests come in, as far as URLs show it.
struct GatewayAddress {
  int port = 80;  // left out of URLs when it is the scheme's own
};

// "http://iris.models.localhost:8080": the ConfigMap's urlScheme, domainTemplate and ingressDomain. Error Invalid names a
// template that cannot be filled.
Result<std::string> publicUrl(const std::string& name, const Json& isvc, const ServingConfig& config,
                              const GatewayAddress& gateway);

// "http://iris-predictor.models.svc.cluster.local" of the component that requests enter by (transformer, else predictor);
// the container port is added where Services are headless.
std::string clusterUrl(const Json& isvc, const ServingConfig& config);

// The networking/v1 Ingress `<name>` by which a cluster's own ingress controller reaches the service: one host for the
// service (its transformer's or predictor's) and one for each component. Nothing when the configuration names no ingress
// class: our gateway needs no object.
Result<std::optional<Json>> ingressOf(const Json& isvc, const ServingConfig& config);

}  // namespace slipway::isvc
