#include "apiserver/kind_rules.h"

#include "apiserver/base64.h"

namespace slipway::apiserver {
namespace {

void foldStringData(Json& secret) {
  const Json text = at(secret, "stringData");
  if (text.is_object()) {
    for (const auto& [key, value] : text.items()) {
      if (value.is_string()) secret["data"][key] = base64Encode(value.get<std::string>());
    }
  }
  secret.erase("stringData");
  if (textAt(secret, "type").empty()) secret["type"] = "Opaque";
}

void prepareNamespace(Json& ns) {
  ns["metadata"]["labels"]["kubernetes.io/metadata.name"] = at(ns, "metadata", "name");
  if (!at(ns, "spec", "finalizers").is_array()) ns["spec"]["finalizers"] = Json::array({"kubernetes"});
  ns["status"] = {{"phase", "Active"}};
}

bool hasBothLimits(const Json& resources, bool equal) {
  for (const char* name : {"cpu", "memory"}) {
    const Json& limit = at(resources, "limits", name);
    const Json& request = at(resources, "requests", name);
    if (limit.is_null()) return false;
    if (equal && !request.is_null() && request != limit) return false;
  }
  return true;
}

// Guaranteed: every container has equal cpu and memory requests and limits; BestEffort: none has any.
std::string qosClass(const Json& spec) {
  bool any = false;
  bool guaranteed = true;
  for (const char* list : {"containers", "initContainers"}) {
    for (const Json& container : at(spec, list)) {
      const Json& resources = at(container, "resources");
      any = any || !at(resources, "limits").empty() || !at(resources, "requests").empty();
      guaranteed = guaranteed && hasBothLimits(resources, true);
    }
  }
  return !any ? "BestEffort" : guaranteed ? "Guaranteed" : "Burstable";
}

void preparePod(Json& pod) {
  Json& spec = pod["spec"];
  if (!spec.is_object()) return;
  if (textAt(spec, "serviceAccountName").empty()) spec["serviceAccountName"] = "default";
  spec["serviceAccount"] = spec["serviceAccountName"];
  if (!spec.contains("priority")) spec["priority"] = 0;
  if (!spec.contains("preemptionPolicy")) spec["preemptionPolicy"] = "PreemptLowerPriority";
  pod["status"] = {{"phase", "Pending"}, {"qosClass", qosClass(spec)}};
}

FieldError immutableField(const std::string& field, const Json& value) {
  return {"FieldValueInvalid", field, fmt::format("Invalid value: {}: field is immutable", dumpJson(value))};
}

void checkImmutableData(const Json& old, const Json& object, std::vector<FieldError>& errors) {
  if (!boolAt(old, "immutable")) return;
  const std::string why = "Forbidden: field is immutable when `immutable` is set";
  if (!boolAt(object, "immutable")) errors.push_back({"FieldValueForbidden", "immutable", why});
  for (const char* field : {"data", "binaryData"}) {
    if (at(old, field) != at(object, field)) errors.push_back({"FieldValueForbidden", field, why});
  }
}

// A pod's spec is fixed but for images, deadlines and added tolerations.
void checkPodSpec(const Json& old, const Json& object, std::vector<FieldError>& errors) {
  Json before = at(old, "spec");
  Json after = at(object, "spec");
  if (!before.is_object() || !after.is_object()) return;
  for (const char* field : {"activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "schedulingGates"}) {
    before.erase(field);
    after.erase(field);
  }
  if (!before.contains("nodeName")) after.erase("nodeName");  // binding
  for (const char* list : {"containers", "initContainers", "ephemeralContainers"}) {
    Json* both[] = {&before, &after};
    for (Json* spec : both) {
      if (!spec->contains(list) || !(*spec)[list].is_array()) continue;
      for (Json& container : (*spec)[list]) {
        if (container.is_object()) container.erase("image");
      }
    }
  }
  before.erase("ephemeralContainers");
  after.erase("ephemeralContainers");
  if (before == after) return;
  errors.push_back({"FieldValueForbidden", "spec",
                    "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
                    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing "
                    "tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"});
}

}  // namespace

bool hasGeneration(const Resource& r) {
  if (r.custom) return true;
  return r.group == "apps" || r.group == "networking.k8s.io" || r.group == "batch" || r.group == "policy" || r.qualified() == "pods";
}

void prepareCreate(const Resource& r, Json& object) {
  if (!r.group.empty()) return;
  if (r.kind == "Secret") foldStringData(object);
  if (r.kind == "Namespace") prepareNamespace(object);
  if (r.kind == "Pod") preparePod(object);
  if (r.kind == "PersistentVolumeClaim" || r.kind == "PersistentVolume") object["status"] = {{"phase", "Pending"}};
}

void prepareUpdate(const Resource& r, const Json& old, Json& object) {
  if (!r.group.empty()) return;
  if (r.kind == "Secret") foldStringData(object);
  if (r.kind == "Namespace") {
    object["spec"]["finalizers"] = at(old, "spec", "finalizers");
    object["metadata"]["labels"]["kubernetes.io/metadata.name"] = at(object, "metadata", "name");
  }
  if (r.kind == "Pod" && at(object, "spec").is_object()) {
    // Filled by the server at creation: a client that replaces the pod from its manifest does not know them.
    for (const char* field : {"serviceAccountName", "serviceAccount", "priority", "preemptionPolicy", "nodeName"}) {
      if (!at(object, "spec").contains(field) && at(old, "spec").contains(field)) object["spec"][field] = at(old, "spec", field);
    }
  }
  if (r.kind == "Service" && textAt(at(object, "spec"), "type") != "ExternalName") {
    for (const char* field : {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"}) {
      if (at(object, "spec", field).empty() && at(old, "spec").contains(field)) object["spec"][field] = at(old, "spec", field);
    }
  }
}

std::vector<FieldError> checkChange(const Resource& r, const Json& old, const Json& object) {
  std::vector<FieldError> errors;
  const auto fixed = [&](const char* field) {
    const Json& before = at(old, "spec", field);
    const Json& after = at(object, "spec", field);
    if (before != after) errors.push_back(immutableField(std::string("spec.") + field, after));
  };
  if (r.group.empty()) {
    if (r.kind == "ConfigMap" || r.kind == "Secret") checkImmutableData(old, object, errors);
    if (r.kind == "Secret" && at(old, "type") != at(object, "type")) errors.push_back(immutableField("type", at(object, "type")));
    if (r.kind == "Pod") checkPodSpec(old, object, errors);
    if (r.kind == "Service" && textAt(at(old, "spec"), "type") != "ExternalName" && textAt(at(object, "spec"), "type") != "ExternalName")
      if (!textAt(at(old, "spec"), "clusterIP").empty() && at(old, "spec", "clusterIP") != at(object, "spec", "clusterIP")) {
        errors.push_back({"FieldValueInvalid", "spec.clusterIPs[0]",
                          fmt::format("Invalid value: {}: may not change once set", dumpJson(Json::array({at(object, "spec", "clusterIP")})))});
      }
  }
  if (r.group == "apps" && (r.kind == "Deployment" || r.kind == "ReplicaSet" || r.kind == "StatefulSet")) fixed("selector");
  if (r.group == "apps" && r.kind == "StatefulSet") fixed("serviceName");
  if (r.group == "rbac.authorization.k8s.io" && at(old, "roleRef") != at(object, "roleRef")) {
    errors.push_back({"FieldValueInvalid", "roleRef", fmt::format("Invalid value: {}: cannot change roleRef", dumpJson(at(object, "roleRef")))});
  }
  return errors;
}

}  // namespace slipway::apiserver
