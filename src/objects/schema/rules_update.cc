#include "objects/schema/rules.h"

namespace slipway::schema {
namespace {

constexpr const char* kImmutable = "field is immutable";

void immutable(const Json& before, const Json& after, const std::string& field, Findings& findings) {
  if (before != after) findings.invalid(field, after, kImmutable);
}

void frozenData(const Json& before, const Json& after, Findings& findings) {
  if (!boolAt(before, "immutable")) return;
  if (!boolAt(after, "immutable")) findings.forbidden("immutable", "field is immutable when `immutable` is set");
  for (const char* field : {"data", "binaryData"}) {
    if (at(before, field) != at(after, field)) findings.forbidden(field, "field is immutable when `immutable` is set");
  }
}

void statefulSet(const Json& before, const Json& after, Findings& findings) {
  Json old = at(before, "spec");
  Json now = at(after, "spec");
  for (const char* field : {"replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
                            "persistentVolumeClaimRetentionPolicy", "minReadySeconds"}) {
    if (old.is_object()) old.erase(field);
    if (now.is_object()) now.erase(field);
  }
  if (old != now) {
    findings.forbidden("spec",
                       "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
                       "'updateStrategy', 'revisionHistoryLimit', "
                       "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden");
  }
}

// All that may change in a running pod's spec, removed.
Json fixedPodSpec(Json spec) {
  if (!spec.is_object()) return spec;
  for (const char* list : {"containers", "initContainers"}) {
    if (!at(spec, list).is_array()) continue;
    for (Json& c : spec[list]) {
      if (c.is_object()) c.erase("image");
    }
  }
  // nodeName is written once by the scheduler's binding; tolerations may grow.
  for (const char* field : {"activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "nodeName"})
    spec.erase(field);
  return spec;
}

void pod(const Json& before, const Json& after, Findings& findings) {
  if (fixedPodSpec(at(before, "spec")) == fixedPodSpec(at(after, "spec"))) return;
  findings.forbidden(
      "spec",
      "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
      "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
      "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)");
}

void claim(const Json& before, const Json& after, Findings& findings) {
  Json old = at(before, "spec");
  Json now = at(after, "spec");
  for (Json* spec : {&old, &now}) {
    if (!spec->is_object()) continue;
    spec->erase("resources");
    spec->erase("volumeAttributesClassName");
    spec->erase("storageClassName");
    if (textAt(at(before, "spec"), "volumeName").empty()) spec->erase("volumeName");  // binding fills it in
  }
  if (old != now)
    findings.forbidden(
        "spec", "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims");
}

}  // namespace

void checkKindUpdate(const Resource& resource, const Json& before, const Json& after, Findings& findings) {
  const auto& kind = resource.kind;
  if (resource.custom) return;
  if (kind == "Deployment" || kind == "ReplicaSet")
    immutable(at(before, "spec", "selector"), at(after, "spec", "selector"), "spec.selector", findings);
  if (kind == "StatefulSet") statefulSet(before, after, findings);
  if (kind == "Pod") pod(before, after, findings);
  if (kind == "PersistentVolumeClaim") claim(before, after, findings);
  if (kind == "ConfigMap" || kind == "Secret") frozenData(before, after, findings);
  if (kind == "Secret") immutable(at(before, "type"), at(after, "type"), "type", findings);
  if (kind == "RoleBinding" || kind == "ClusterRoleBinding") {
    if (at(before, "roleRef") != at(after, "roleRef"))
      findings.invalid("roleRef", at(after, "roleRef"), "cannot change roleRef");
  }
  if (kind == "Service" && resource.group.empty()) {
    const std::string old = textAt(at(before, "spec"), "clusterIP");
    const bool named =
        textAt(at(before, "spec"), "type") == "ExternalName" || textAt(at(after, "spec"), "type") == "ExternalName";
    if (!old.empty() && !named && old != textAt(at(after, "spec"), "clusterIP")) {
      findings.invalid("spec.clusterIPs[0]", Json::array({textAt(at(after, "spec"), "clusterIP")}),
                       "may not change once set");
    }
  }
}

}  // namespace slipway::schema
