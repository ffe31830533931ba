// Defaults of Kubernetes' own kinds that depend on other fields. The plain ones are data: api/kubernetes.yaml.
#include "data/base64.h"
#include "data/quantity.h"
#include "objects/schema/prune.h"

namespace slipway::schema {
namespace {

void setDefault(Json& object, const char* name, Json value) {
  auto it = object.find(name);
  if (it == object.end() || it->is_null()) object[name] = std::move(value);
}

// The tag of "host:5000/org/name:tag@sha256:…", "latest" when there is none, "" when only a digest is given.
std::string tagOf(const std::string& image) {
  const auto digest = image.find('@');
  const std::string name = image.substr(0, digest);
  const auto slash = name.rfind('/');
  const auto colon = name.find(':', slash == std::string::npos ? 0 : slash);
  if (colon != std::string::npos) return name.substr(colon + 1);
  return digest == std::string::npos ? "latest" : "";
}

void container(Json& c) {
  setDefault(c, "imagePullPolicy", tagOf(textAt(c, "image")) == "latest" ? "Always" : "IfNotPresent");
}

void volume(Json& v) {
  for (const auto& [key, value] : v.items()) {
    if (key != "name" && !value.is_null()) return;
  }
  v["emptyDir"] = Json::object();
}

void requestsFromLimits(Json& pod) {
  for (const char* list : {"containers", "initContainers"}) {
    auto it = pod.find(list);
    if (it == pod.end() || !it->is_array()) continue;
    for (Json& c : *it) {
      if (!at(c, "resources", "limits").is_object()) continue;
      for (const auto& [name, limit] : at(c, "resources", "limits").items()) {
        Json& requests = c["resources"]["requests"];
        if (!requests.is_object()) requests = Json::object();
        setDefault(requests, name.c_str(), limit);
      }
    }
  }
}

// Guaranteed: every container has cpu and memory limits equal to its requests. BestEffort: none has any.
std::string qosClass(const Json& spec) {
  bool any = false;
  bool guaranteed = true;
  for (const char* list : {"containers", "initContainers"}) {
    if (!at(spec, list).is_array()) continue;
    for (const Json& c : at(spec, list)) {
      const Json& requests = at(c, "resources", "requests");
      const Json& limits = at(c, "resources", "limits");
      for (const char* name : {"cpu", "memory"}) {
        const bool requested = !at(requests, name).is_null();
        const bool limited = !at(limits, name).is_null();
        any = any || requested || limited;
        if (!requested || !limited || !sameQuantity(at(requests, name), at(limits, name))) guaranteed = false;
      }
    }
  }
  return !any ? "BestEffort" : guaranteed ? "Guaranteed" : "Burstable";
}

void tolerate(Json& spec, const char* taint) {
  Json& all = spec["tolerations"];
  if (!all.is_array()) all = Json::array();
  for (const Json& t : all) {
    const bool effect = textAt(t, "effect").empty() || textAt(t, "effect") == "NoExecute";
    if (effect && (textAt(t, "key") == taint || (textAt(t, "key").empty() && textAt(t, "operator") == "Exists"))) return;
  }
  all.push_back({{"key", taint}, {"operator", "Exists"}, {"effect", "NoExecute"}, {"tolerationSeconds", 300}});
}

void pod(Json& object) {
  auto it = object.find("spec");
  if (it == object.end() || !it->is_object()) return;
  Json& spec = *it;
  setDefault(spec, "enableServiceLinks", true);
  setDefault(spec, "serviceAccountName", textAt(spec, "serviceAccount", "default"));
  spec["serviceAccount"] = spec["serviceAccountName"];
  setDefault(spec, "priority", 0);
  setDefault(spec, "preemptionPolicy", "PreemptLowerPriority");
  tolerate(spec, "node.kubernetes.io/not-ready");
  tolerate(spec, "node.kubernetes.io/unreachable");
  requestsFromLimits(spec);
  if (object["status"].is_object()) setDefault(object["status"], "qosClass", qosClass(spec));
}

void rollingUpdate(Json& strategy) {
  if (textAt(strategy, "type") == "RollingUpdate") setDefault(strategy, "rollingUpdate", Json::object());
}

void servicePort(Json& port) {
  if (port.contains("port")) setDefault(port, "targetPort", port["port"]);
}

void serviceSpec(Json& spec) {
  const std::string type = textAt(spec, "type");
  if (type != "ExternalName") setDefault(spec, "internalTrafficPolicy", "Cluster");
  if (type == "NodePort" || type == "LoadBalancer") setDefault(spec, "externalTrafficPolicy", "Cluster");
  if (type == "LoadBalancer") setDefault(spec, "allocateLoadBalancerNodePorts", true);
  if (textAt(spec, "sessionAffinity") == "ClientIP")
    setDefault(spec, "sessionAffinityConfig", {{"clientIP", {{"timeoutSeconds", 10800}}}});
}

void secret(Json& object) {
  auto it = object.find("stringData");
  if (it == object.end() || !it->is_object()) return;
  for (const auto& [key, value] : it->items()) {
    if (value.is_string()) object["data"][key] = base64Encode(value.get<std::string>());
  }
  object.erase("stringData");
}

void namespaceObject(Json& object) {
  const std::string name = textAt(at(object, "metadata"), "name");
  if (!name.empty()) object["metadata"]["labels"]["kubernetes.io/metadata.name"] = name;
}

void networkPolicy(Json& spec) {
  Json types = {"Ingress"};
  if (!at(spec, "egress").empty()) types.push_back("Egress");
  setDefault(spec, "policyTypes", types);
}

void scalerSpec(Json& spec) {
  if (at(spec, "metrics").empty()) {
    spec["metrics"] = {{{"type", "Resource"},
                        {"resource", {{"name", "cpu"}, {"target", {{"type", "Utilization"}, {"averageUtilization", 80}}}}}}};
  }
  auto behavior = spec.find("behavior");
  if (behavior == spec.end() || !behavior->is_object()) return;
  setDefault(*behavior, "scaleUp", Json::object());
  setDefault(*behavior, "scaleDown", Json::object());
  const Json percent = {{"type", "Percent"}, {"value", 100}, {"periodSeconds", 15}};
  const Json pods = {{"type", "Pods"}, {"value", 4}, {"periodSeconds", 15}};
  Json& up = (*behavior)["scaleUp"];
  setDefault(up, "stabilizationWindowSeconds", 0);
  setDefault(up, "selectPolicy", "Max");
  setDefault(up, "policies", Json::array({pods, percent}));
  Json& down = (*behavior)["scaleDown"];
  setDefault(down, "selectPolicy", "Max");
  setDefault(down, "policies", Json::array({percent}));
}

void subject(Json& s) {
  const std::string kind = textAt(s, "kind");
  if (kind == "User" || kind == "Group") setDefault(s, "apiGroup", "rbac.authorization.k8s.io");
}

using Rule = void (*)(Json&);
const std::unordered_map<std::string_view, Rule>& rules() {
  static const std::unordered_map<std::string_view, Rule> table = {
      {"io.k8s.api.core.v1.Container", container},
      {"io.k8s.api.core.v1.EphemeralContainer", container},
      {"io.k8s.api.core.v1.Volume", volume},
      {"io.k8s.api.core.v1.Pod", pod},
      {"io.k8s.api.core.v1.ServicePort", servicePort},
      {"io.k8s.api.core.v1.ServiceSpec", serviceSpec},
      {"io.k8s.api.core.v1.Secret", secret},
      {"io.k8s.api.core.v1.Namespace", namespaceObject},
      {"io.k8s.api.apps.v1.DeploymentStrategy", rollingUpdate},
      {"io.k8s.api.apps.v1.StatefulSetUpdateStrategy", rollingUpdate},
      {"io.k8s.api.networking.v1.NetworkPolicySpec", networkPolicy},
      {"io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerSpec", scalerSpec},
      {"io.k8s.api.rbac.v1.Subject", subject},
  };
  return table;
}

}  // namespace

void kubernetesDefaults(std::string_view definition, Json& object) {
  auto it = rules().find(definition);
  if (it != rules().end()) it->second(object);
}

}  // namespace slipway::schema
