#include "apiserver/kind_rules.h"

namespace slipway::apiserver {
namespace {

void keep(const Json& old, Json& object, std::initializer_list<const char*> fields) {
  const Json& before = at(old, "spec");
  if (!at(object, "spec").is_object() || !before.is_object()) return;
  for (const char* field : fields) {
    const Json& now = at(object, "spec", field);
    const bool absent =
        now.is_null() || (now.is_string() && now.get<std::string>().empty()) || (now.is_array() && now.empty());
    if (absent && before.contains(field)) object["spec"][field] = before[field];
  }
}

}  // namespace

bool hasGeneration(const Resource& r) {
  if (r.custom) return true;
  return r.group == "apps" || r.group == "networking.k8s.io" || r.group == "batch" || r.group == "policy" ||
         r.qualified() == "pods";
}

void prepareCreate(const Resource& r, Json& object) {
  if (!r.group.empty()) return;
  if (r.kind == "Namespace") {
    if (!at(object, "spec").is_object()) object["spec"] = Json::object();
    if (!at(object, "spec", "finalizers").is_array()) object["spec"]["finalizers"] = Json::array({"kubernetes"});
    object["status"] = {{"phase", "Active"}};
  }
  if (r.kind == "Pod" || r.kind == "PersistentVolumeClaim" || r.kind == "PersistentVolume")
    object["status"] = {{"phase", "Pending"}};
  if (r.kind == "Service") object["status"] = {{"loadBalancer", Json::object()}};
}

void prepareUpdate(const Resource& r, const Json& old, Json& object) {
  if (!r.group.empty()) return;
  if (r.kind == "Namespace") {
    if (!at(object, "spec").is_object()) object["spec"] = Json::object();
    object["spec"]["finalizers"] = at(old, "spec", "finalizers");
  }
  if (r.kind == "Pod")
    keep(old, object, {"serviceAccountName", "serviceAccount", "priority", "preemptionPolicy", "nodeName"});
  if (r.kind == "Service" && textAt(at(object, "spec"), "type") != "ExternalName") {
    keep(old, object, {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"});
  }
  if (r.kind == "PersistentVolumeClaim") keep(old, object, {"volumeName", "storageClassName"});
}

}  // namespace slipway::apiserver
