#include "controllers/workloads/set_revisions.h"

#include <set>

#include "controllers/workloads/template_hash.h"
#include "kube/apply_children.h"

namespace slipway::workloads {
namespace {

std::string nameOf(const Json& object) { return textAt(at(object, "metadata"), "name"); }
std::int64_t numberOf(const Json& revision) { return intAt(revision, "revision"); }

Json revisionObject(const Json& set, const std::string& name, std::int64_t number) {
  Json podTemplate = at(set, "spec", "template");
  podTemplate["$patch"] = "replace";  // kubectl undoes a rollout by applying `data` as a strategic patch
  Json labels = at(set, "spec", "selector", "matchLabels");
  if (!labels.is_object()) labels = Json::object();
  labels["controller.kubernetes.io/hash"] = name.substr(nameOf(set).size() + 1);
  return {{"apiVersion", "apps/v1"},
          {"kind", "ControllerRevision"},
          {"metadata",
           {{"name", name},
            {"namespace", textAt(at(set, "metadata"), "namespace")},
            {"labels", std::move(labels)},
            {"annotations",
             at(set, "metadata", "annotations").is_object() ? at(set, "metadata", "annotations") : Json::object()},
            {"ownerReferences", Json::array({kube::ownerReference(set)})}}},
          {"data", {{"spec", {{"template", std::move(podTemplate)}}}}},
          {"revision", number}};
}

Json templateIn(const Json& revision) {
  Json t = at(revision, "data", "spec", "template");
  if (t.is_object()) t.erase("$patch");
  return t;
}

bool deletes(const Json& set, const char* when) {
  return textAt(at(set, "spec", "persistentVolumeClaimRetentionPolicy"), when, "Retain") == "Delete";
}

Json reference(const Json& owner, const char* apiVersion, const char* kind) {
  return {
      {"apiVersion", apiVersion}, {"kind", kind}, {"name", nameOf(owner)}, {"uid", textAt(at(owner, "metadata"), "uid")}};
}

}  // namespace

std::string revisionOfSet(const Json& set) { return nameOf(set) + "-" + templateHash(at(set, "spec", "template"), 0); }

RevisionPlan planRevisions(const Json& set, const std::vector<Object>& revisions, const std::vector<Object>& pods) {
  RevisionPlan plan;
  plan.names.update = revisionOfSet(set);
  plan.names.current = textAt(at(set, "status"), "currentRevision", plan.names.update);
  std::int64_t highest = 0;
  Object updated;
  for (const Object& r : revisions) {
    highest = std::max(highest, numberOf(*r));
    if (nameOf(*r) == plan.names.update) updated = r;
    if (nameOf(*r) == plan.names.current && plan.names.current != plan.names.update)
      plan.names.currentTemplate = templateIn(*r);
  }
  if (!updated) {
    plan.create = revisionObject(set, plan.names.update, highest + 1);
  } else if (numberOf(*updated) < highest) {
    plan.renumber = plan.names.update;
    plan.number = highest + 1;
  }
  // A current revision that nobody kept cannot be made again.
  if (plan.names.currentTemplate.is_null()) plan.names.current = plan.names.update;

  std::set<std::string> live{plan.names.update, textAt(at(set, "status"), "currentRevision")};
  for (const Object& pod : pods) live.insert(textAt(at(*pod, "metadata", "labels"), kRevisionLabel));
  std::vector<Object> old;
  for (const Object& r : revisions)
    if (!live.contains(nameOf(*r))) old.push_back(r);
  std::sort(old.begin(), old.end(), [](const Object& a, const Object& b) { return numberOf(*a) < numberOf(*b); });
  const auto limit = static_cast<std::size_t>(std::max<std::int64_t>(0, intAt(at(set, "spec"), "revisionHistoryLimit", 10)));
  for (std::size_t i = 0; i + limit < old.size(); ++i) plan.forget.push_back(nameOf(*old[i]));
  return plan;
}

Json claimOwners(const Json& set, const Json& pod, const Json& claim, bool condemned) {
  const bool byPod = condemned && deletes(set, "whenScaled");
  const bool bySet = deletes(set, "whenDeleted") && !byPod;
  Json owners = Json::array();
  const std::string setUid = textAt(at(set, "metadata"), "uid");
  for (const Json& o : at(claim, "metadata", "ownerReferences")) {
    const bool ours = textAt(o, "uid") == setUid || textAt(o, "kind") == "Pod";
    if (!ours) owners.push_back(o);
  }
  if (bySet) owners.push_back(reference(set, "apps/v1", "StatefulSet"));
  if (byPod) owners.push_back(reference(pod, "v1", "Pod"));
  const Json& before = at(claim, "metadata", "ownerReferences");
  const auto uids = [](const Json& list) {
    std::set<std::string> all;
    for (const Json& o : list) all.insert(textAt(o, "uid"));
    return all;
  };
  return uids(before) == uids(owners) ? Json() : owners;
}

}  // namespace slipway::workloads
