#include "objects/serving/config.h"

#include "objects/serving/keys.h"

namespace slipway::isvc {

namespace {

// Values may be written as text, number or boolean: shipped configurations mix them.
void readText(const Json& section, const char* key, std::string& into) {
  const Json& value = at(section, key);
  if (value.is_string()) {
    into = value.get<std::string>();
  } else if (value.is_boolean() || value.is_number()) {
    into = value.dump();
  }
}

void readBool(const Json& section, const char* key, bool& into) {
  std::string text;
  readText(section, key, text);
  if (text == "true") into = true;
  if (text == "false") into = false;
}

void readList(const Json& section, const char* key, std::vector<std::string>& into) {
  const Json& value = at(section, key);
  if (!value.is_array()) return;
  for (const Json& item : value) {
    if (item.is_string()) into.push_back(item.get<std::string>());
  }
}

void readResources(const Json& section, ResourceConfig& into) {
  readText(section, "cpuRequest", into.cpuRequest);
  readText(section, "cpuLimit", into.cpuLimit);
  readText(section, "memoryRequest", into.memoryRequest);
  readText(section, "memoryLimit", into.memoryLimit);
}

class Sections {
 public:
  explicit Sections(const Json& data) : data_(data) {}

  // The JSON object under `key`; an empty object when the key is absent.
  Result<Json> read(const char* key) const {
    std::string text = textAt(data_, key);
    if (text.find_first_not_of(" \t\r\n") == std::string::npos) return Json::object();
    std::string where = "ConfigMap kserve/inferenceservice-config, key '" + std::string(key) + "'";
    Result<Json> parsed = parseJson(text);
    if (!parsed) return fail(Code::Invalid, where + ": " + parsed.error().message);
    if (!parsed->is_object()) return fail(Code::Invalid, where + ": must be a JSON object");
    return parsed;
  }

 private:
  const Json& data_;
};

Status readStorage(const Sections& sections, ServingConfig& config) {
  SLIP_TRY(Json storage, sections.read("storageInitializer"));
  readText(storage, "image", config.initializerImage);
  readResources(storage, config.initializer);
  readBool(storage, "enableModelcar", config.modelcar);
  readText(storage, "cpuModelcar", config.modelcarCpu);
  readText(storage, "memoryModelcar", config.modelcarMemory);
  config.modelcarUid = intAt(storage, "uidModelcar", config.modelcarUid);

  SLIP_TRY(Json credentials, sections.read("credentials"));
  readText(credentials, "storageSpecSecretName", config.storageSpecSecret);
  readText(credentials, "storageSecretNameAnnotation", config.storageSecretAnnotation);
  readText(at(credentials, "gcs"), "gcsCredentialFileName", config.gcsFile);
  const Json& s3 = at(credentials, "s3");
  for (auto it = s3.begin(); s3.is_object() && it != s3.end(); ++it) readText(s3, it.key().c_str(), config.s3[it.key()]);
  return {};
}

Status readNetwork(const Sections& sections, ServingConfig& config) {
  SLIP_TRY(Json ingress, sections.read("ingress"));
  readText(ingress, "ingressDomain", config.ingressDomain);
  readText(ingress, "domainTemplate", config.domainTemplate);
  readText(ingress, "urlScheme", config.urlScheme);
  readText(ingress, "ingressClassName", config.ingressClass);
  readBool(ingress, "disableIngressCreation", config.disableIngressCreation);
  SLIP_TRY(Json service, sections.read("service"));
  readBool(service, "serviceClusterIPNone", config.headlessServices);
  return {};
}

Status readWorkloads(const Sections& sections, ServingConfig& config) {
  SLIP_TRY(Json deploy, sections.read("deploy"));
  readText(deploy, "defaultDeploymentMode", config.defaultMode);
  const Json& rollout = at(deploy, "deploymentRolloutStrategy", "defaultRollout");
  readText(rollout, "maxSurge", config.maxSurge);
  readText(rollout, "maxUnavailable", config.maxUnavailable);
  SLIP_TRY(Json service, sections.read("inferenceService"));
  readResources(at(service, "resource"), config.container);
  if (at(service, "serviceAnnotationDisallowedList").is_array()) config.annotationsNotPropagated.clear();
  readList(service, "serviceAnnotationDisallowedList", config.annotationsNotPropagated);
  readList(service, "serviceLabelDisallowedList", config.labelsNotPropagated);
  SLIP_TRY(Json security, sections.read("security"));
  readBool(security, "autoMountServiceAccountToken", config.autoMountToken);
  SLIP_TRY(Json metrics, sections.read("metricsAggregator"));
  readText(metrics, "enableMetricAggregation", config.metricAggregation);
  readText(metrics, "enablePrometheusScraping", config.prometheusScraping);
  return {};
}

Status readSidecars(const Sections& sections, ServingConfig& config) {
  SLIP_TRY(Json agent, sections.read("agent"));
  readText(agent, "image", config.agentImage);
  readResources(agent, config.agent);
  SLIP_TRY(Json logger, sections.read("logger"));
  readText(logger, "defaultUrl", config.loggerDefaultUrl);
  SLIP_TRY(Json explainers, sections.read("explainers"));
  readText(at(explainers, "art"), "image", config.artImage);
  readText(at(explainers, "art"), "defaultImageVersion", config.artVersion);
  readText(at(explainers, "alibi"), "image", config.alibiImage);
  readText(at(explainers, "alibi"), "defaultImageVersion", config.alibiVersion);
  return {};
}

}  // namespace

Json ResourceConfig::toJson() const {
  Json limits = Json::object(), requests = Json::object();
  if (!cpuLimit.empty()) limits["cpu"] = cpuLimit;
  if (!memoryLimit.empty()) limits["memory"] = memoryLimit;
  if (!cpuRequest.empty()) requests["cpu"] = cpuRequest;
  if (!memoryRequest.empty()) requests["memory"] = memoryRequest;
  return {{"limits", limits}, {"requests", requests}};
}

ServingConfig::ServingConfig()
    : annotationsNotPropagated{"autoscaling.knative.dev/min-scale", "autoscaling.knative.dev/max-scale",
                               std::string(kSourceUri), std::string(kLastApplied), std::string(kModelFormat)} {}

Result<ServingConfig> parseServingConfig(const Json& configMap) {
  ServingConfig config;
  Sections sections(at(configMap, "data"));
  SLIP_CHECK(readStorage(sections, config));
  SLIP_CHECK(readNetwork(sections, config));
  SLIP_CHECK(readWorkloads(sections, config));
  SLIP_CHECK(readSidecars(sections, config));
  return config;
}

}  // namespace slipway::isvc
