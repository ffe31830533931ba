#include "controllers/serving/urls.h"

#include "controllers/serving/go_template.h"
#include "controllers/serving/workload.h"
#include "objects/kinds.h"
#include "objects/serving/keys.h"

namespace slipway::isvc {

namespace {

Result<std::string> hostOf(const std::string& name, const Json& isvc, const ServingConfig& config) {
  Json dot = metadataDot(isvc);
  dot["Name"] = name;
  dot["IngressDomain"] = config.ingressDomain;
  Result<std::string> host = expandTemplate(config.domainTemplate, dot);
  if (!host) return failIn("ConfigMap kserve/inferenceservice-config, ingress.domainTemplate", host.error());
  return host;
}

Json ingressRule(const std::string& host, const std::string& service) {
  Json path = {{"path", "/"}, {"pathType", "Prefix"}};
  path["backend"] = {{"service", {{"name", service}, {"port", {{"number", 80}}}}}};
  Json rule = {{"host", host}};
  rule["http"]["paths"] = Json::array();
  rule["http"]["paths"].push_back(std::move(path));
  return rule;
}

}  // namespace

Result<std::string> publicUrl(const std::string& name, const Json& isvc, const ServingConfig& config,
                              const GatewayAddress& gateway) {
  SLIP_TRY(std::string host, hostOf(name, isvc, config));
  int usual = config.urlScheme == "https" ? 443 : 80;
  std::string port = gateway.port == usual ? "" : ":" + std::to_string(gateway.port);
  return config.urlScheme + "://" + host + port;
}

std::string clusterUrl(const Json& isvc, const ServingConfig& config) {
  bool transformed = componentSpec(isvc, Component::Transformer).is_object();
  std::string child = childName(isvc, transformed ? Component::Transformer : Component::Predictor);
  return "http://" + child + "." + namespaceOf(isvc) + ".svc.cluster.local" + (config.headlessServices ? ":8080" : "");
}

Result<std::optional<Json>> ingressOf(const Json& isvc, const ServingConfig& config) {
  if (config.ingressClass.empty()) return std::nullopt;
  Json rules = Json::array();
  bool transformed = componentSpec(isvc, Component::Transformer).is_object();
  SLIP_TRY(std::string own, hostOf(nameOf(isvc), isvc, config));
  rules.push_back(ingressRule(own, childName(isvc, transformed ? Component::Transformer : Component::Predictor)));
  for (Component which : {Component::Transformer, Component::Explainer, Component::Predictor}) {
    if (!componentSpec(isvc, which).is_object()) continue;
    std::string child = childName(isvc, which);
    SLIP_TRY(std::string host, hostOf(child, isvc, config));
    rules.push_back(ingressRule(host, child));
  }
  TextMap annotations = annotationsOf(isvc);
  annotations.erase(std::string(kLastApplied));
  annotations[std::string(kDeploymentMode)] = modeName(Mode::Standard);
  Json out = Json::object();
  out["apiVersion"] = kinds::kIngress.apiVersion();
  out["kind"] = kinds::kIngress.kind;
  out["metadata"] = {{"name", nameOf(isvc)}, {"namespace", namespaceOf(isvc)}, {"annotations", annotations}};
  out["metadata"]["ownerReferences"] = Json::array();
  out["metadata"]["ownerReferences"].push_back(ownerReference(isvc));
  out["spec"] = {{"ingressClassName", config.ingressClass}, {"rules", rules}};
  return out;
}

}  // namespace slipway::isvc
