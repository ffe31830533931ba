#include "apiserver/entry.h"

#include "data/json_text.h"

namespace slipway::apiserver {
namespace {

std::string scalarText(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "true" : "false";
  if (value.is_number()) return value.dump();
  return "";
}

// "spec.nodeName" -> the value there.
const Json& atPath(const Json& object, std::string_view path) {
  const auto dot = path.find('.');
  if (dot == std::string_view::npos) return at(object, path);
  return atPath(at(object, path.substr(0, dot)), path.substr(dot + 1));
}

std::string fieldText(const Json& object, const std::string& label) {
  if (label == "source") {
    std::string component = textAt(at(object, "source"), "component");
    return component.empty() ? textAt(object, "reportingComponent") : component;
  }
  std::string text = scalarText(atPath(object, label));
  // Defaults of a missing value, so that "spec.unschedulable=false" matches as in Kubernetes.
  if (text.empty() && (label == "spec.unschedulable" || label == "spec.hostNetwork")) return "false";
  if (text.empty() && label == "status.replicas") return "0";
  return text;
}

EntryPtr build(const std::string& resource, const Json& object, std::uint64_t revision, std::string text) {
  auto entry = std::make_shared<Entry>();
  const Json& meta = at(object, "metadata");
  entry->revision = revision;
  entry->ns = textAt(meta, "namespace");
  entry->name = textAt(meta, "name");
  entry->uid = textAt(meta, "uid");
  entry->deleting = at(meta, "deletionTimestamp").is_string();
  const Json& labels = at(meta, "labels");
  if (labels.is_object()) {
    entry->labels.reserve(labels.size());
    for (const auto& [key, value] : labels.items()) entry->labels.emplace_back(key, scalarText(value));
  }
  const Json& owners = at(meta, "ownerReferences");
  if (owners.is_array()) {
    for (const Json& owner : owners) entry->ownerUids.push_back(textAt(owner, "uid"));
  }
  for (const std::string& label : fieldLabels(resource)) entry->fields.emplace_back(label, fieldText(object, label));
  entry->text = std::move(text);
  entry->text.shrink_to_fit();
  return entry;
}

}  // namespace

Json Entry::json() const { return parseOwnJson(text); }

EntryPtr makeEntry(const std::string& resource, Json object, std::uint64_t revision) {
  if (revision != 0) object["metadata"]["resourceVersion"] = std::to_string(revision);
  std::string text = dumpJson(object);
  return build(resource, object, revision, std::move(text));
}

EntryPtr entryFromText(const std::string& resource, std::string text, std::uint64_t revision) {
  const Json object = parseOwnJson(text);
  if (!object.is_object()) return nullptr;
  return build(resource, object, revision, std::move(text));
}

const std::vector<std::string>& fieldLabels(std::string_view resource) {
  static const std::map<std::string, std::vector<std::string>, std::less<>> kLabels = {
      {"pods",
       {"spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
        "status.phase", "status.podIP", "status.nominatedNodeName"}},
      {"events",
       {"involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
        "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason",
        "reportingComponent", "source", "type"}},
      {"secrets", {"type"}},
      {"namespaces", {"status.phase"}},
      {"nodes", {"spec.unschedulable"}},
      {"replicasets.apps", {"status.replicas"}},
      {"replicationcontrollers", {"status.replicas"}},
      {"jobs.batch", {"status.successful"}},
      {"services", {"spec.clusterIP", "spec.type"}},
  };
  static const std::vector<std::string> kNone;
  auto it = kLabels.find(resource);
  return it == kLabels.end() ? kNone : it->second;
}

}  // namespace slipway::apiserver
