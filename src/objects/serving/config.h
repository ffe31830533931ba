// ServingConfig: the ConfigMap `inferenceservice-config` (namespace kserve), read once per edit. Each key of its data is a
// JSON text, as in KServe. A plain value; copy it freely.
//
//   Result<ServingConfig> config = parseServingConfig(configMap);
#pragma once
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "data/json.h"

namespace slipway::isvc {

// Requests and limits in Kubernetes' notation ("100m", "1Gi"); an empty text sets nothing.
struct ResourceConfig {
  std::string cpuRequest, cpuLimit, memoryRequest, memoryLimit;
  Json toJson() const;  // {"limits":{…},"requests":{…}}
};

struct ServingConfig {
  std::string defaultMode = "Standard";  // deploy.defaultDeploymentMode
  std::string maxSurge = "25%", maxUnavailable = "25%";

  std::string initializerImage = "kserve/storage-initializer:latest";
  ResourceConfig initializer{"100m", "1", "100Mi", "1Gi"};
  bool modelcar = true;
  std::string modelcarCpu = "10m", modelcarMemory = "15Mi";
  std::int64_t modelcarUid = 1010;

  std::string storageSpecSecret = "storage-config";
  std::string storageSecretAnnotation = "serving.kserve.io/storageSecretName";
  std::string gcsFile = "gcloud-application-credentials.json";
  std::map<std::string, std::string> s3;  // credentials.s3, keys as written there

  std::string ingressDomain = "localhost";
  std::string domainTemplate = "{{ .Name }}.{{ .Namespace }}.{{ .IngressDomain }}";
  std::string urlScheme = "http";
  std::string ingressClass;  // of the Ingress objects that a cluster's ingress controller acts on; empty: none are made
  bool disableIngressCreation = false;

  std::string agentImage = "kserve/agent:latest";
  ResourceConfig agent{"100m", "1", "100Mi", "1Gi"};
  std::string loggerDefaultUrl = "http://default-broker";

  ResourceConfig container{"1", "1", "2Gi", "2Gi"};  // inferenceService.resource
  std::vector<std::string> annotationsNotPropagated;
  std::vector<std::string> labelsNotPropagated;
  bool autoMountToken = true;
  bool headlessServices = false;  // service.serviceClusterIPNone
  std::string metricAggregation = "false", prometheusScraping = "false";
  std::string artImage = "kserve/art-explainer", artVersion = "latest";
  std::string alibiImage = "kserve/alibi-explainer", alibiVersion = "latest";

  ServingConfig();  // the defaults above, and KServe's list of annotations that children do not get
};

// Keys that are absent keep their defaults; unknown keys are ignored. Error Invalid names the key: "ConfigMap
// kserve/inferenceservice-config, key 'ingress': line 3, column 7: …".
Result<ServingConfig> parseServingConfig(const Json& configMap);

}  // namespace slipway::isvc
