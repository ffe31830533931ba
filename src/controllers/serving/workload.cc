#include "controllers/serving/workload.h"

#include <charconv>

#include "objects/serving/keys.h"

namespace slipway::isvc {

namespace {

constexpr int kDefaultPort = 8080, kAgentPort = 9081;

Json toJson(const TextMap& map) {
  Json out = Json::object();
  for (const auto& [key, value] : map) out[key] = value;
  return out;
}

std::string appLabel(const ComponentPod& pod) { return "isvc." + pod.name; }

Json metadataOf(const Json& isvc, const ComponentPod& pod) {
  Json labels = toJson(pod.labels);
  labels["app"] = appLabel(pod);
  Json metadata = Json::object();
  metadata["name"] = pod.name;
  metadata["namespace"] = namespaceOf(isvc);
  metadata["labels"] = std::move(labels);
  metadata["annotations"] = toJson(pod.annotations);
  metadata["ownerReferences"] = Json::array();
  metadata["ownerReferences"].push_back(ownerReference(isvc));
  return metadata;
}

Json childOf(const Kind& kind, Json metadata, Json spec) {
  Json out = Json::object();
  out["apiVersion"] = kind.apiVersion();
  out["kind"] = kind.kind;
  out["metadata"] = std::move(metadata);
  out["spec"] = std::move(spec);
  return out;
}

// The first declared port; 8080 when a container names none.
Json firstPort(const Json& container) {
  const Json& ports = at(container, "ports");
  if (ports.is_array() && !ports.empty() && at(ports[0], "containerPort").is_number_integer())
    return at(ports[0], "containerPort");
  return kDefaultPort;
}

void fillProbe(Json& probe) {
  for (auto [key, value] :
       {std::pair{"timeoutSeconds", 1}, {"periodSeconds", 10}, {"successThreshold", 1}, {"failureThreshold", 3}}) {
    if (!probe.contains(key)) probe[key] = value;
  }
}

// Written out so that a later comparison with what the API server stored is quiet.
void fillContainer(Json& container, bool serving) {
  if (!container.contains("imagePullPolicy")) container["imagePullPolicy"] = "IfNotPresent";
  if (!container.contains("terminationMessagePath")) container["terminationMessagePath"] = "/dev/termination-log";
  if (!container.contains("terminationMessagePolicy")) container["terminationMessagePolicy"] = "File";
  if (!container.contains("resources")) container["resources"] = Json::object();
  if (serving && !container.contains("readinessProbe")) {
    container["readinessProbe"] = {{"tcpSocket", {{"port", firstPort(container)}}}};
    fillProbe(container["readinessProbe"]);
  }
}

Json podSpecOf(const ComponentPod& pod) {
  Json spec = pod.podSpec;
  for (const char* list : {"containers", "initContainers"}) {
    if (!at(spec, list).is_array()) continue;
    for (Json& container : spec[list]) {
      if (!container.is_object()) continue;
      std::string name = textAt(container, "name");
      fillContainer(container,
                    list == std::string("containers") && (name == kServingContainer || name == kTransformerContainer));
    }
  }
  for (auto [key, value] : {std::pair<const char*, Json>{"restartPolicy", "Always"},
                            {"terminationGracePeriodSeconds", 30},
                            {"dnsPolicy", "ClusterFirst"},
                            {"schedulerName", "default-scheduler"}}) {
    if (!spec.contains(key)) spec[key] = value;
  }
  if (!spec.contains("securityContext")) spec["securityContext"] = Json::object();
  return spec;
}

Json strategyOf(const ComponentPod& pod, const ServingConfig& config) {
  Json strategy = at(pod.spec, "deploymentStrategy").is_object() ? at(pod.spec, "deploymentStrategy") : Json::object();
  if (!strategy.contains("type")) strategy["type"] = "RollingUpdate";
  if (strategy["type"] != "RollingUpdate") return strategy;
  Json& rolling = strategy["rollingUpdate"];
  if (!rolling.is_object()) rolling = Json::object();
  if (!rolling.contains("maxUnavailable")) rolling["maxUnavailable"] = config.maxUnavailable;
  if (!rolling.contains("maxSurge")) rolling["maxSurge"] = config.maxSurge;
  return strategy;
}

// The container whose ports the Service shows: a collocated transformer's if it has any, else the first container's.
const Json& portOwner(const Json& podSpec) {
  static const Json kNone;
  const Json& containers = at(podSpec, "containers");
  if (!containers.is_array() || containers.empty()) return kNone;
  for (const Json& container : containers) {
    bool hasPorts = at(container, "ports").is_array() && !at(container, "ports").empty();
    if (textAt(container, "name") == kTransformerContainer && hasPorts) return container;
  }
  return containers[0];
}

Json servicePort(const std::string& name, const Json& port, const Json& target, const std::string& protocol) {
  Json out = Json::object();
  out["name"] = name;
  out["port"] = port;
  out["protocol"] = protocol;
  out["targetPort"] = target;
  bool http2 = name.find("grpc") != std::string::npos || name.find("h2c") != std::string::npos;
  if (http2) out["appProtocol"] = "kubernetes.io/h2c";
  return out;
}

Json servicePorts(const ComponentPod& pod, bool agentPort) {
  const Json& ports = at(portOwner(pod.podSpec), "ports");
  Json out = Json::array();
  if (!ports.is_array() || ports.empty()) {
    out.push_back(servicePort(pod.name, 80, agentPort ? kAgentPort : kDefaultPort, "TCP"));
    return out;
  }
  for (const Json& port : ports) {
    bool first = out.empty();
    std::string name = textAt(port, "name");
    if (name.empty()) name = first ? pod.name : pod.name + "-" + std::to_string(intAt(port, "containerPort"));
    Json number = at(port, "containerPort");
    Json target = first && agentPort ? Json(kAgentPort) : number;
    out.push_back(servicePort(name, first ? Json(80) : number, target, textAt(port, "protocol", "TCP")));
  }
  return out;
}

Json utilization(const std::string& resource, std::int64_t percent) {
  Json target = {{"type", "Utilization"}, {"averageUtilization", percent}};
  Json out = {{"type", "Resource"}};
  out["resource"] = {{"name", resource}, {"target", target}};
  return out;
}

// autoScaling.metrics of type Resource, one to one.
Json resourceMetrics(const Json& component) {
  Json out = Json::array();
  const Json& metrics = at(component, "autoScaling", "metrics");
  for (const Json& metric : metrics.is_array() ? metrics : Json::array()) {
    const Json& resource = at(metric, "resource");
    if (textAt(metric, "type") != "Resource" || !resource.is_object()) continue;
    Json entry = {{"type", "Resource"}};
    entry["resource"] = resource;
    out.push_back(std::move(entry));
  }
  return out;
}

Json scalerMetrics(const Json& isvc, const Json& component) {
  Json out = resourceMetrics(component);
  if (!out.empty()) return out;
  bool hasTarget = at(component, "scaleTarget").is_number_integer();
  std::string metric = textAt(component, "scaleMetric", annotation(isvc, kMetrics, "cpu"));
  std::int64_t target = 80;
  std::string written = annotation(isvc, kTargetUtilization);
  bool annotated = std::from_chars(written.data(), written.data() + written.size(), target).ec == std::errc();
  if (hasTarget && (metric == "cpu" || metric == "memory")) target = intAt(component, "scaleTarget");
  // Memory has no sensible default target, and an HPA cannot follow requests: both fall back to KServe's cpu at 80 %.
  bool memory = metric == "memory" && (hasTarget || annotated);
  if (!memory && metric != "cpu") target = 80;
  if (memory && textAt(component, "scaleMetricType") == "AverageValue") {
    Json entry = {{"type", "Resource"}};
    Json wanted = {{"type", "AverageValue"}, {"averageValue", std::to_string(target) + "Mi"}};
    entry["resource"] = {{"name", "memory"}, {"target", wanted}};
    out.push_back(std::move(entry));
    return out;
  }
  out.push_back(utilization(memory ? "memory" : "cpu", target));
  return out;
}

}  // namespace

Json ownerReference(const Json& isvc) {
  Json out = Json::object();
  out["apiVersion"] = kinds::kInferenceService.apiVersion();
  out["kind"] = kinds::kInferenceService.kind;
  out["name"] = nameOf(isvc);
  out["uid"] = textAt(at(isvc, "metadata"), "uid");
  out["controller"] = true;
  out["blockOwnerDeletion"] = true;
  return out;
}

std::int64_t startingReplicas(const Json& isvc, const Json& component) {
  std::int64_t least = intAt(component, "minReplicas", 1);
  return annotation(isvc, kAutoscalerClass) == "none" ? least : std::max<std::int64_t>(least, 1);
}

Json deploymentOf(const Json& isvc, const ComponentPod& pod, const ServingConfig& config) {
  Json metadata = metadataOf(isvc, pod);
  Json podMetadata = metadata;
  podMetadata.erase("ownerReferences");
  Json spec = Json::object();
  spec["replicas"] = startingReplicas(isvc, pod.spec);
  spec["selector"] = {{"matchLabels", {{"app", appLabel(pod)}}}};
  spec["template"] = {{"metadata", podMetadata}, {"spec", podSpecOf(pod)}};
  spec["strategy"] = strategyOf(pod, config);
  spec["revisionHistoryLimit"] = 10;
  spec["progressDeadlineSeconds"] = 600;
  return childOf(kinds::kDeployment, std::move(metadata), std::move(spec));
}

Json serviceOf(const Json& isvc, const ComponentPod& pod, const ServingConfig& config, bool agentPort) {
  Json spec = Json::object();
  spec["ports"] = servicePorts(pod, agentPort);
  spec["selector"] = {{"app", appLabel(pod)}};
  spec["type"] = "ClusterIP";
  spec["sessionAffinity"] = "None";
  if (config.headlessServices) spec["clusterIP"] = "None";
  return childOf(kinds::kService, metadataOf(isvc, pod), std::move(spec));
}

std::optional<Json> scalerOf(const Json& isvc, const ComponentPod& pod) {
  std::string scaler = annotation(isvc, kAutoscalerClass);
  if (scaler == "none" || scaler == "external" || scaler == "keda") return std::nullopt;
  std::int64_t least = std::max<std::int64_t>(intAt(pod.spec, "minReplicas", 1), 1);
  Json spec = Json::object();
  spec["scaleTargetRef"] = {{"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"name", pod.name}};
  spec["minReplicas"] = least;
  spec["maxReplicas"] = std::max(least, intAt(pod.spec, "maxReplicas", 0));
  spec["metrics"] = scalerMetrics(isvc, pod.spec);
  if (at(pod.spec, "autoScaling", "behavior").is_object()) spec["behavior"] = at(pod.spec, "autoScaling", "behavior");
  return childOf(kinds::kHorizontalPodAutoscaler, metadataOf(isvc, pod), std::move(spec));
}

Json modelConfigOf(const Json& isvc, const Json& current) {
  Json metadata = Json::object();
  metadata["name"] = "modelconfig-" + nameOf(isvc) + "-0";
  metadata["namespace"] = namespaceOf(isvc);
  metadata["ownerReferences"] = Json::array();
  metadata["ownerReferences"].push_back(ownerReference(isvc));
  Json out = Json::object();
  out["apiVersion"] = "v1";
  out["kind"] = "ConfigMap";
  out["metadata"] = std::move(metadata);
  out["data"] = at(current, "data").is_object() ? at(current, "data") : Json{{"models.json", "[]"}};
  return out;
}

}  // namespace slipway::isvc
