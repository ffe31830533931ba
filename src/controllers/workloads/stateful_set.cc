#include "controllers/workloads/stateful_set.h"

#include "controllers/workloads/adoption.h"
#include "controllers/workloads/rollout.h"
#include "controllers/workloads/template_hash.h"
#include "kube/apply_children.h"
#include "kube/status_update.h"

namespace slipway::workloads {
namespace {

std::string nameOf(const Json& object) { return textAt(at(object, "metadata"), "name"); }
std::chrono::seconds minReadyOf(const Json& set) { return std::chrono::seconds(intAt(at(set, "spec"), "minReadySeconds")); }
bool leaving(const Json& object) { return at(object, "metadata", "deletionTimestamp").is_string(); }
std::string podRevision(const Json& pod) { return textAt(at(pod, "metadata", "labels"), kRevisionLabel); }

std::string claimName(const Json& claimTemplate, const std::string& pod) { return nameOf(claimTemplate) + "-" + pod; }

std::vector<Json> claimsOf(const Json& set, const std::string& pod) {
  std::vector<Json> out;
  for (const auto& t : at(set, "spec", "volumeClaimTemplates")) {
    Json labels = at(set, "spec", "selector", "matchLabels");
    if (labels.is_null()) labels = Json::object();
    if (at(t, "metadata", "labels").is_object()) labels.update(at(t, "metadata", "labels"));
    Json meta{{"name", claimName(t, pod)}, {"namespace", textAt(at(set, "metadata"), "namespace")}, {"labels", labels}};
    if (at(t, "metadata", "annotations").is_object()) meta["annotations"] = at(t, "metadata", "annotations");
    out.push_back(
        {{"apiVersion", "v1"}, {"kind", "PersistentVolumeClaim"}, {"metadata", std::move(meta)}, {"spec", at(t, "spec")}});
  }
  return out;
}

// By ordinal; pods whose names are not ours are left out.
std::map<int, Object> byOrdinal(const Json& set, const std::vector<Object>& pods) {
  std::map<int, Object> out;
  for (const auto& pod : pods) {
    if (const int n = ordinalOf(set, *pod); n >= 0) out[n] = pod;
  }
  return out;
}

int partitionOf(const Json& set) {
  return static_cast<int>(intAt(at(set, "spec", "updateStrategy", "rollingUpdate"), "partition"));
}

// The pod of an ordinal, from the template of the revision that is in force for it.
Json versionedPod(const Json& set, int ordinal, int first, const SetRevisions& revisions) {
  const bool rolling = textAt(at(set, "spec", "updateStrategy"), "type", "RollingUpdate") == "RollingUpdate";
  if (!rolling || ordinal >= first + partitionOf(set) || !revisions.currentTemplate.is_object())
    return statefulPod(set, ordinal);
  Json before = set;
  before["spec"]["template"] = revisions.currentTemplate;
  Json pod = statefulPod(before, ordinal);
  pod["metadata"]["labels"][kRevisionLabel] = revisions.current;
  return pod;
}

// The highest pod of an old revision, if a rolling update may replace it now.
Object nextToUpdate(const Json& set, const std::map<int, Object>& pods, int first, int end) {
  if (textAt(at(set, "spec", "updateStrategy"), "type", "RollingUpdate") != "RollingUpdate") return nullptr;
  const std::string revision = revisionOfSet(set);
  for (int n = end - 1; n >= first + partitionOf(set); --n) {
    auto it = pods.find(n);
    if (it == pods.end()) return nullptr;
    if (podRevision(*it->second) != revision) return leaving(*it->second) ? nullptr : it->second;
    if (!isReady(*it->second)) return nullptr;  // the one just replaced comes first
  }
  return nullptr;
}

}  // namespace

int ordinalOf(const Json& set, const Json& pod) {
  const std::string prefix = nameOf(set) + "-";
  const std::string name = nameOf(pod);
  if (!name.starts_with(prefix) || name.size() == prefix.size() || name.size() > prefix.size() + 9) return -1;
  const std::string digits = name.substr(prefix.size());
  if (digits.find_first_not_of("0123456789") != std::string::npos) return -1;
  return std::atoi(digits.c_str());
}

Json statefulPod(const Json& set, int ordinal) {
  const std::string name = nameOf(set) + "-" + std::to_string(ordinal);
  Json pod = podFromTemplate(set, at(set, "spec", "template"));
  Json& meta = pod["metadata"];
  meta.erase("generateName");
  meta["name"] = name;
  meta["labels"]["statefulset.kubernetes.io/pod-name"] = name;
  meta["labels"]["apps.kubernetes.io/pod-index"] = std::to_string(ordinal);
  meta["labels"][kRevisionLabel] = revisionOfSet(set);
  Json& spec = pod["spec"];
  spec["hostname"] = name;
  if (const auto service = textAt(at(set, "spec"), "serviceName"); !service.empty()) spec["subdomain"] = service;
  for (const auto& t : at(set, "spec", "volumeClaimTemplates")) {
    if (!spec["volumes"].is_array()) spec["volumes"] = Json::array();
    auto& volumes = spec["volumes"].get_ref<Json::array_t&>();
    std::erase_if(volumes, [&](const Json& v) { return textAt(v, "name") == nameOf(t); });
    volumes.push_back({{"name", nameOf(t)}, {"persistentVolumeClaim", {{"claimName", claimName(t, name)}}}});
  }
  return pod;
}

StatefulSetPlan planStatefulSet(const Json& set, const std::vector<Object>& pods, WallTime now,
                                const SetRevisions& revisions) {
  StatefulSetPlan plan;
  if (leaving(set)) return plan;
  const bool parallel = textAt(at(set, "spec"), "podManagementPolicy") == "Parallel";
  const int first = static_cast<int>(intAt(at(set, "spec", "ordinals"), "start"));
  const int end = first + wantedReplicas(set);
  const auto have = byOrdinal(set, pods);
  bool settled = true;  // every pod that should be there is, and is available
  for (int n = first; n < end; ++n) {
    auto it = have.find(n);
    const Object pod = it == have.end() ? nullptr : it->second;
    if (pod && isTerminal(*pod) && !leaving(*pod)) plan.remove.push_back(pod);  // made again once it is gone
    const bool fine = pod && !leaving(*pod) && isAvailable(*pod, minReadyOf(set), now);
    if (fine) continue;
    settled = false;
    if (!pod) {
      const std::string name = nameOf(set) + "-" + std::to_string(n);
      for (auto& claim : claimsOf(set, name)) plan.claims.push_back(std::move(claim));
      plan.pods.push_back(versionedPod(set, n, first, revisions));
    }
    if (!parallel) return plan;
  }
  for (auto it = have.rbegin(); it != have.rend(); ++it) {
    if (it->first >= first && it->first < end) continue;
    if (!leaving(*it->second)) plan.remove.push_back(it->second);
    if (!parallel) return plan;  // one at a time, the highest first, and the next when it is gone
  }
  if (!settled) return plan;
  if (Object old = nextToUpdate(set, have, first, end)) plan.remove.push_back(std::move(old));
  return plan;
}

Json statefulSetStatus(const Json& set, const std::vector<Object>& pods, WallTime now) {
  const Json& old = at(set, "status");
  const std::string revision = revisionOfSet(set);
  const std::string before = textAt(old, "currentRevision", revision);
  int total = 0, ready = 0, available = 0, current = 0, updated = 0;
  for (const auto& [n, pod] : byOrdinal(set, pods)) {
    ++total;
    ready += isReady(*pod) && !leaving(*pod);
    available += isAvailable(*pod, minReadyOf(set), now) && !leaving(*pod);
    if (leaving(*pod)) continue;
    updated += podRevision(*pod) == revision;
    current += podRevision(*pod) == before;
  }
  const bool rolling = textAt(at(set, "spec", "updateStrategy"), "type", "RollingUpdate") == "RollingUpdate";
  const bool done = rolling && updated == total && total == wantedReplicas(set) && ready == total;
  if (done) current = updated;
  Json status{{"observedGeneration", intAt(at(set, "metadata"), "generation")},
              {"replicas", total},
              {"availableReplicas", available},
              {"currentRevision", done ? revision : before},
              {"updateRevision", revision},
              {"collisionCount", 0}};
  if (ready > 0) status["readyReplicas"] = ready;
  if (current > 0) status["currentReplicas"] = current;
  if (updated > 0) status["updatedReplicas"] = updated;
  if (!at(old, "conditions").empty()) status["conditions"] = at(old, "conditions");
  return status;
}

StatefulSetReconciler::StatefulSetReconciler(kube::Client& client, kube::Cache& cache, Clock& clock,
                                             kube::EventRecorder& events)
    : client_(client),
      sets_(cache.of(kinds::kStatefulSet)),
      pods_(cache.of(kinds::kPod)),
      claims_(cache.of(kinds::kPersistentVolumeClaim)),
      revisions_(cache.of(kControllerRevision)),
      clock_(clock),
      events_(events) {}

Task<Result<kube::Outcome>> StatefulSetReconciler::reconcile(kube::Key key) {
  const Object set = sets_.get(key);
  if (!set) co_return kube::Outcome{};
  auto held =
      co_await settleClaim(client_, kinds::kPod, *set, claim(*set, at(*set, "spec", "selector"), pods_.inNamespace(key.ns)));
  if (!held) co_return fail(held.error());
  auto revisions = co_await keepRevisions(*set, *held);
  if (!revisions) co_return fail(revisions.error());
  auto retained = co_await settleClaims(*set, *held);
  if (!retained) co_return fail(retained.error());
  auto plan = planStatefulSet(*set, *held, clock_.wall(), *revisions);
  for (auto& claim : plan.claims) {
    if (claims_.get(kube::keyOf(claim))) continue;
    auto made = co_await create(*set, kinds::kPersistentVolumeClaim, std::move(claim));
    if (!made) co_return fail(made.error());
  }
  for (auto& pod : plan.pods) {
    auto made = co_await create(*set, kinds::kPod, std::move(pod));
    if (!made) co_return fail(made.error());
  }
  for (auto& pod : plan.remove) {
    auto gone = co_await remove(*set, std::move(pod));
    if (!gone) co_return fail(gone.error());
  }
  const auto now = claim(*set, at(*set, "spec", "selector"), pods_.inNamespace(key.ns)).kept;
  auto written =
      co_await kube::updateStatus(client_, kinds::kStatefulSet, *set, statefulSetStatus(*set, now, clock_.wall()));
  if (!written && written.error().code != Code::NotFound) co_return fail(written.error());
  // A ready pod that must stay so for a while brings no event of its own.
  const bool waits = minReadyOf(*set).count() > 0 && std::any_of(now.begin(), now.end(), [&](const Object& pod) {
                       return isReady(*pod) && !isAvailable(*pod, minReadyOf(*set), clock_.wall());
                     });
  co_return kube::Outcome{.requeueAfter = waits ? std::optional<Duration>(std::chrono::seconds(1)) : std::nullopt};
}

Task<Result<SetRevisions>> StatefulSetReconciler::keepRevisions(Json set, std::vector<Object> pods) {
  const std::string ns = textAt(at(set, "metadata"), "namespace");
  const auto owned = revisions_.ownedBy(textAt(at(set, "metadata"), "uid"));
  if (leaving(set)) co_return SetRevisions{};
  RevisionPlan plan = planRevisions(set, owned, pods);
  if (plan.create) {
    auto made = co_await client_.create(kControllerRevision, std::move(*plan.create));
    if (!made && made.error().code != Code::AlreadyExists) co_return fail(made.error());
    if (made) {
      co_await revisions_.waitFor(textAt(at(*made, "metadata"), "resourceVersion"));
    }
  }
  if (!plan.renumber.empty()) {
    auto changed = co_await client_.patch(kControllerRevision, {ns, plan.renumber}, kube::PatchType::Merge,
                                          {{"revision", plan.number}});
    if (!changed && changed.error().code != Code::NotFound) co_return fail(changed.error());
  }
  for (const std::string& name : plan.forget) {
    auto gone = co_await client_.remove(kControllerRevision, {ns, name});
    if (!gone && gone.error().code != Code::NotFound) co_return fail(gone.error());
  }
  co_return std::move(plan.names);
}

// Claims follow persistentVolumeClaimRetentionPolicy before the pods that use them go.
Task<Status> StatefulSetReconciler::settleClaims(Json set, std::vector<Object> pods) {
  if (at(set, "spec", "volumeClaimTemplates").empty() || leaving(set)) co_return Status{};
  const int first = static_cast<int>(intAt(at(set, "spec", "ordinals"), "start"));
  for (const auto& pod : pods) {
    const int n = ordinalOf(set, *pod);
    if (n < 0) continue;
    const bool condemned = n < first || n >= first + wantedReplicas(set);
    for (const Json& wanted : claimsOf(set, nameOf(*pod))) {
      const Object claim = claims_.get(kube::keyOf(wanted));
      if (!claim) continue;
      const Json owners = claimOwners(set, *pod, *claim, condemned);
      if (owners.is_null()) continue;
      auto patched = co_await client_.patch(kinds::kPersistentVolumeClaim, kube::keyOf(*claim), kube::PatchType::Merge,
                                            {{"metadata", {{"ownerReferences", owners}}}});
      if (!patched && patched.error().code != Code::NotFound) co_return fail(patched.error());
    }
  }
  co_return Status{};
}

Task<Status> StatefulSetReconciler::create(Json set, Kind kind, Json object) {
  const std::string name = nameOf(object);
  const bool isPod = kind == kinds::kPod;
  auto created = co_await client_.create(kind, std::move(object));
  if (!created && created.error().code == Code::AlreadyExists && !isPod) co_return Status{};
  if (!created) {
    events_.warning(set, "FailedCreate",
                    fmt::format("create {} {} in StatefulSet {} failed error: {}", isPod ? "Pod" : "Claim", name,
                                nameOf(set), created.error().message));
    co_return fail(created.error());
  }
  events_.record(set, {.reason = "SuccessfulCreate",
                       .message = fmt::format("create {} {} in StatefulSet {} {}", isPod ? "Pod" : "Claim", name,
                                              nameOf(set), isPod ? "successful" : "success")});
  if (isPod) {
    co_await pods_.waitFor(textAt(at(*created, "metadata"), "resourceVersion"));
  }
  co_return Status{};
}

Task<Status> StatefulSetReconciler::remove(Json set, Object pod) {
  auto gone = co_await client_.remove(kinds::kPod, kube::keyOf(*pod), {.uid = textAt(at(*pod, "metadata"), "uid")});
  if (!gone && (gone.error().code == Code::NotFound || gone.error().code == Code::Conflict)) co_return Status{};
  if (!gone) co_return fail(gone.error());
  events_.record(set, {.reason = "SuccessfulDelete",
                       .message = fmt::format("delete Pod {} in StatefulSet {} successful", nameOf(*pod), nameOf(set))});
  co_return Status{};
}

}  // namespace slipway::workloads
