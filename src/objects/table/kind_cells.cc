#include "data/quantity.h"
#include "objects/table/cells.h"

namespace slipway::table {
namespace {

using Cells = std::vector<Json>;

std::string nameOf(const Json& o) { return textAt(at(o, "metadata"), "name"); }
std::string ageOf(const Json& o, std::int64_t now) { return age(at(o, "metadata", "creationTimestamp"), now); }

std::string joined(const Json& list, const char* member) {
  std::string out;
  if (!list.is_array()) return out;
  for (const Json& item : list) out += (out.empty() ? "" : ",") + textAt(item, member);
  return out;
}

const Json& templateContainers(const Json& o) { return at(o, "spec", "template", "spec", "containers"); }

Cells deploymentCells(const Json& o, std::int64_t now) {
  const Json& status = at(o, "status");
  return {nameOf(o),
          fmt::format("{}/{}", intAt(status, "readyReplicas"), intAt(at(o, "spec"), "replicas")),
          intAt(status, "updatedReplicas"),
          intAt(status, "availableReplicas"),
          ageOf(o, now),
          joined(templateContainers(o), "name"),
          joined(templateContainers(o), "image"),
          selectorText(at(o, "spec", "selector"))};
}

Cells replicaSetCells(const Json& o, std::int64_t now) {
  const Json& status = at(o, "status");
  return {nameOf(o),
          intAt(at(o, "spec"), "replicas"),
          intAt(status, "replicas"),
          intAt(status, "readyReplicas"),
          ageOf(o, now),
          joined(templateContainers(o), "name"),
          joined(templateContainers(o), "image"),
          selectorText(at(o, "spec", "selector"))};
}

Cells statefulSetCells(const Json& o, std::int64_t now) {
  return {nameOf(o), fmt::format("{}/{}", intAt(at(o, "status"), "readyReplicas"), intAt(at(o, "spec"), "replicas")),
          ageOf(o, now), joined(templateContainers(o), "name"), joined(templateContainers(o), "image")};
}

Cells namespaceCells(const Json& o, std::int64_t now) {
  return {nameOf(o), textAt(at(o, "status"), "phase"), ageOf(o, now)};
}
Cells configMapCells(const Json& o, std::int64_t now) {
  return {nameOf(o), at(o, "data").size() + at(o, "binaryData").size(), ageOf(o, now)};
}
Cells secretCells(const Json& o, std::int64_t now) {
  return {nameOf(o), textAt(o, "type"), at(o, "data").size(), ageOf(o, now)};
}
Cells accountCells(const Json& o, std::int64_t now) { return {nameOf(o), at(o, "secrets").size(), ageOf(o, now)}; }
Cells leaseCells(const Json& o, std::int64_t now) {
  return {nameOf(o), textAt(at(o, "spec"), "holderIdentity"), ageOf(o, now)};
}
Cells policyCells(const Json& o, std::int64_t now) {
  return {nameOf(o), selectorText(at(o, "spec", "podSelector")), ageOf(o, now)};
}
Cells roleCells(const Json& o, std::int64_t) { return {nameOf(o), textAt(at(o, "metadata"), "creationTimestamp")}; }

Cells bindingCells(const Json& o, std::int64_t now) {
  std::map<std::string, std::string> byKind;
  for (const Json& s : at(o, "subjects")) {
    const std::string kind = textAt(s, "kind");
    const std::string name = kind == "ServiceAccount" ? textAt(s, "namespace") + "/" + textAt(s, "name") : textAt(s, "name");
    byKind[kind] += (byKind[kind].empty() ? "" : ", ") + name;
  }
  return {nameOf(o),       textAt(at(o, "roleRef"), "kind") + "/" + textAt(at(o, "roleRef"), "name"),
          ageOf(o, now),   byKind["User"],
          byKind["Group"], byKind["ServiceAccount"]};
}

// "pods: 5/50, requests.cpu: 1/2", the limits in a column of their own.
Cells quotaCells(const Json& o, std::int64_t now) {
  std::string requests;
  std::string limits;
  const Json& hard = at(o, "status", "hard");
  if (!hard.is_object()) return {nameOf(o), "", "", ageOf(o, now)};
  for (const auto& [name, bound] : hard.items()) {
    std::string& column = name.starts_with("limits") ? limits : requests;
    const Json& used = at(o, "status", "used", name);
    column += (column.empty() ? "" : ", ") + fmt::format("{}: {}/{}", name, used.is_string() ? used.get<std::string>() : "0",
                                                         bound.is_string() ? bound.get<std::string>() : bound.dump());
  }
  return {nameOf(o), requests, limits, ageOf(o, now)};
}

Cells scaleCells(const Json& o, std::int64_t now) {
  return {nameOf(o), intAt(at(o, "spec"), "replicas"), intAt(at(o, "status"), "replicas"), ageOf(o, now)};
}

Cells limitRangeCells(const Json& o, std::int64_t) { return {nameOf(o), textAt(at(o, "metadata"), "creationTimestamp")}; }

std::string accessModes(const Json& modes) {
  static const std::map<std::string, std::string> kShort = {
      {"ReadWriteOnce", "RWO"}, {"ReadOnlyMany", "ROX"}, {"ReadWriteMany", "RWX"}, {"ReadWriteOncePod", "RWOP"}};
  std::string out;
  for (const Json& m : modes) {
    auto it = m.is_string() ? kShort.find(m.get<std::string>()) : kShort.end();
    if (it != kShort.end()) out += (out.empty() ? "" : ",") + it->second;
  }
  return out;
}

std::string phaseOf(const Json& o) {
  return at(o, "metadata", "deletionTimestamp").is_null() ? textAt(at(o, "status"), "phase") : "Terminating";
}
std::string orUnset(const Json& o, const char* name) { return textAt(o, name, "<unset>"); }

std::string quantityText(const Json& value) {
  auto q = quantityOf(value);
  return q ? q->canonical() : "";
}

Cells claimCells(const Json& o, std::int64_t now) {
  const Json& spec = at(o, "spec");
  const bool bound = !textAt(spec, "volumeName").empty();
  return {nameOf(o),
          phaseOf(o),
          textAt(spec, "volumeName"),
          bound ? quantityText(at(o, "status", "capacity", "storage")) : "",
          bound ? accessModes(at(o, "status", "accessModes")) : "",
          textAt(spec, "storageClassName"),
          orUnset(spec, "volumeAttributesClassName"),
          ageOf(o, now),
          orUnset(spec, "volumeMode")};
}

Cells volumeCells(const Json& o, std::int64_t now) {
  const Json& spec = at(o, "spec");
  const Json& claim = at(spec, "claimRef");
  return {nameOf(o),
          quantityText(at(spec, "capacity", "storage")),
          accessModes(at(spec, "accessModes")),
          textAt(spec, "persistentVolumeReclaimPolicy"),
          phaseOf(o),
          claim.is_null() ? "" : textAt(claim, "namespace") + "/" + textAt(claim, "name"),
          textAt(spec, "storageClassName"),
          orUnset(spec, "volumeAttributesClassName"),
          textAt(at(o, "status"), "reason"),
          ageOf(o, now),
          orUnset(spec, "volumeMode")};
}

Column text(const char* name, int priority = 0) {
  return {name, "string", std::string_view(name) == "Name" ? "name" : "", "", priority, ""};
}
Column count(const char* name, int priority = 0) { return {name, "integer", "", "", priority, ""}; }

using Tables = std::map<std::pair<std::string_view, std::string_view>, KindTable>;

Tables coreTables() {
  return {
      {{"", "Pod"},
       {{text("Name"), text("Ready"), text("Status"), text("Restarts"), text("Age"), text("IP", 1), text("Node", 1),
         text("Nominated Node", 1), text("Readiness Gates", 1)},
        podCells}},
      {{"", "Service"},
       {{text("Name"), text("Type"), text("Cluster-IP"), text("External-IP"), text("Port(s)"), text("Age"),
         text("Selector", 1)},
        serviceCells}},
      {{"", "Endpoints"}, {{text("Name"), text("Endpoints"), text("Age")}, endpointsCells}},
      {{"", "Event"},
       {{text("Last Seen"), text("Type"), text("Reason"), text("Object"), text("Subobject", 1), text("Source", 1),
         text("Message"), text("First Seen", 1), count("Count", 1), text("Name", 1)},
        eventCells}},
      {{"", "Namespace"}, {{text("Name"), text("Status"), text("Age")}, namespaceCells}},
      {{"", "Node"},
       {{text("Name"), text("Status"), text("Roles"), text("Age"), text("Version"), text("Internal-IP", 1),
         text("External-IP", 1), text("OS-Image", 1), text("Kernel-Version", 1), text("Container-Runtime", 1)},
        nodeCells}},
      {{"", "Secret"}, {{text("Name"), text("Type"), count("Data"), text("Age")}, secretCells}},
      {{"", "ConfigMap"}, {{text("Name"), count("Data"), text("Age")}, configMapCells}},
      {{"", "ResourceQuota"}, {{text("Name"), text("Request"), text("Limit"), text("Age")}, quotaCells}},
      {{"", "LimitRange"}, {{text("Name"), text("Created At")}, limitRangeCells}},
      {{"", "ServiceAccount"}, {{text("Name"), count("Secrets"), text("Age")}, accountCells}},
      {{"", "PersistentVolumeClaim"},
       {{text("Name"), text("Status"), text("Volume"), text("Capacity"), text("Access Modes"), text("StorageClass"),
         text("VolumeAttributesClass"), text("Age"), text("VolumeMode", 1)},
        claimCells}},
      {{"", "PersistentVolume"},
       {{text("Name"), text("Capacity"), text("Access Modes"), text("Reclaim Policy"), text("Status"), text("Claim"),
         text("StorageClass"), text("VolumeAttributesClass"), text("Reason"), text("Age"), text("VolumeMode", 1)},
        volumeCells}},
  };
}

Tables groupTables() {
  const std::vector<Column> replicas = {text("Name"), count("Desired"),      count("Current"),  count("Ready"),
                                        text("Age"),  text("Containers", 1), text("Images", 1), text("Selector", 1)};
  const std::vector<Column> scaler = {text("Name"),    text("Reference"), text("Targets"), text("MinPods"),
                                      text("MaxPods"), count("Replicas"), text("Age")};
  const std::vector<Column> binding = {text("Name"),     text("Role"),      text("Age"),
                                       text("Users", 1), text("Groups", 1), text("ServiceAccounts", 1)};
  const std::vector<Column> role = {text("Name"), text("Created At")};
  return {
      {{"apps", "Deployment"},
       {{text("Name"), text("Ready"), count("Up-to-date"), count("Available"), text("Age"), text("Containers", 1),
         text("Images", 1), text("Selector", 1)},
        deploymentCells}},
      {{"apps", "ReplicaSet"}, {replicas, replicaSetCells}},
      {{"apps", "StatefulSet"},
       {{text("Name"), text("Ready"), text("Age"), text("Containers", 1), text("Images", 1)}, statefulSetCells}},
      {{"autoscaling", "HorizontalPodAutoscaler"}, {scaler, scalerCells}},
      {{"autoscaling", "Scale"}, {{text("Name"), count("Desired"), count("Available"), text("Age")}, scaleCells}},
      {{"apiextensions.k8s.io", "CustomResourceDefinition"}, {role, roleCells}},
      {{"coordination.k8s.io", "Lease"}, {{text("Name"), text("Holder"), text("Age")}, leaseCells}},
      {{"discovery.k8s.io", "EndpointSlice"},
       {{text("Name"), text("AddressType"), text("Ports"), text("Endpoints"), text("Age")}, sliceCells}},
      {{"networking.k8s.io", "Ingress"},
       {{text("Name"), text("Class"), text("Hosts"), text("Address"), text("Ports"), text("Age")}, ingressCells}},
      {{"networking.k8s.io", "NetworkPolicy"}, {{text("Name"), text("Pod-Selector"), text("Age")}, policyCells}},
      {{"rbac.authorization.k8s.io", "Role"}, {role, roleCells}},
      {{"rbac.authorization.k8s.io", "ClusterRole"}, {role, roleCells}},
      {{"rbac.authorization.k8s.io", "RoleBinding"}, {binding, bindingCells}},
      {{"rbac.authorization.k8s.io", "ClusterRoleBinding"}, {binding, bindingCells}},
  };
}

}  // namespace

const KindTable* kindTable(std::string_view group, std::string_view kind) {
  static const Tables tables = [] {
    Tables all = coreTables();
    all.merge(groupTables());
    return all;
  }();
  auto it = tables.find({group == "events.k8s.io" ? "" : group, kind});
  return it == tables.end() ? nullptr : &it->second;
}

}  // namespace slipway::table
