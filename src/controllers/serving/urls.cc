#include "controllers/serving/urls.h"

#include "controllers/serving/go_template.h"

namespace slipway::isvc {

Result<std::string> publicUrl(const std::string& name, const Json& isvc, const ServingConfig& config, const GatewayAddress& gateway) {
  Json dot = metadataDot(isvc);
  dot["Name"] = name;
  dot["IngressDomain"] = config.ingressDomain;
  Result<std::string> host = expandTemplate(config.domainTemplate, dot);
  if (!host) return failIn("ConfigMap kserve/inferenceservice-config, ingress.domainTemplate", host.error());
  int usual = config.urlScheme == "https" ? 443 : 80;
  std::string port = gateway.port == usual ? "" : ":" + std::to_string(gateway.port);
  return config.urlScheme + "://" + *host + port;
}

std::string clusterUrl(const Json& isvc, const ServingConfig& config) {
  bool transformed = componentSpec(isvc, Component::Transformer).is_object();
  std::string child = childName(isvc, transformed ? Component::Transformer : Component::Predictor);
  return "http://" + child + "." + namespaceOf(isvc) + ".svc.cluster.local" + (config.headlessServices ? ":8080" : "");
}

}  // namespace slipway::isvc
