#include "controllers/workloads/rollout.h"

#include <cmath>

#include "controllers/workloads/template_hash.h"
#include "kube/apply_children.h"
#include "kube/controller.h"

namespace slipway::workloads {
namespace {

bool rolling(const Json& d) { return textAt(at(d, "spec", "strategy"), "type", "RollingUpdate") == "RollingUpdate"; }
int statusCount(const Json& set, const char* field) { return static_cast<int>(intAt(at(set, "status"), field)); }
std::string uidOf(const Json& object) { return textAt(at(object, "metadata"), "uid"); }

std::int64_t revisionOf(const Json& set) {
  const std::string text = textAt(at(set, "metadata", "annotations"), kRevision);
  return text.empty() ? 0 : std::atoll(text.c_str());
}

bool olderFirst(const Object& a, const Object& b) {
  const auto ta = textAt(at(*a, "metadata"), "creationTimestamp");
  const auto tb = textAt(at(*b, "metadata"), "creationTimestamp");
  if (ta != tb) return ta < tb;
  return textAt(at(*a, "metadata"), "name") < textAt(at(*b, "metadata"), "name");
}

int percentOf(const Json& value, int total, bool up, int fallback) {
  if (value.is_number_integer()) return value.get<int>();
  if (!value.is_string()) return fallback;
  const std::string text = value.get<std::string>();
  if (!text.ends_with('%')) return std::atoi(text.c_str());
  const double exact = std::atof(text.c_str()) * total / 100.0;
  return static_cast<int>(up ? std::ceil(exact) : std::floor(exact));
}

int totalSpec(const std::vector<Object>& sets) {
  int n = 0;
  for (const auto& s : sets) n += wantedReplicas(*s);
  return n;
}
int totalStatus(const std::vector<Object>& sets, const char* field) {
  int n = 0;
  for (const auto& s : sets) n += statusCount(*s, field);
  return n;
}

// How many replicas the new set may have now (NewRSNewReplicas).
int newSetReplicas(const Json& d, const std::vector<Object>& all, int have) {
  const int wanted = wantedReplicas(d);
  if (!rolling(d)) return wanted;
  const int most = wanted + rolloutBounds(d).maxSurge;
  const int total = totalSpec(all);
  if (total >= most) return have;
  return have + std::min(most - total, wanted - have);
}

Json scaleAnnotations(const Json& d) {
  return {{kDesiredReplicas, std::to_string(wantedReplicas(d))},
          {kMaxReplicas, std::to_string(wantedReplicas(d) + rolloutBounds(d).maxSurge)}};
}

// Annotations of the Deployment that its ReplicaSets carry too.
Json inheritedAnnotations(const Json& d) {
  Json out = Json::object();
  for (const auto& [key, value] : at(d, "metadata", "annotations").items()) {
    const bool own = key == "kubectl.kubernetes.io/last-applied-configuration" || key == kRevision ||
                     key == kDesiredReplicas || key == kMaxReplicas || key == "deployment.kubernetes.io/revision-history" ||
                     key == "deprecated.deployment.rollback.to";
    if (!own) out[key] = value;
  }
  return out;
}

Json makeSet(const Json& d, const std::vector<Object>& all, std::int64_t revision) {
  const Json& podTemplate = at(d, "spec", "template");
  const std::string hash = templateHash(podTemplate, intAt(at(d, "status"), "collisionCount"));
  Json annotations = inheritedAnnotations(d);
  annotations.update(scaleAnnotations(d));
  annotations[kRevision] = std::to_string(revision);
  Json labels = at(podTemplate, "metadata", "labels");
  if (!labels.is_object()) labels = Json::object();
  labels[kTemplateHashLabel] = hash;
  Json spec{{"replicas", newSetReplicas(d, all, 0)}, {"selector", at(d, "spec", "selector")}, {"template", podTemplate}};
  spec["selector"]["matchLabels"][kTemplateHashLabel] = hash;
  spec["template"]["metadata"]["labels"] = labels;
  if (const auto minReady = intAt(at(d, "spec"), "minReadySeconds"); minReady != 0) spec["minReadySeconds"] = minReady;
  return {{"apiVersion", "apps/v1"},
          {"kind", "ReplicaSet"},
          {"metadata",
           {{"name", textAt(at(d, "metadata"), "name") + "-" + hash},
            {"namespace", textAt(at(d, "metadata"), "namespace")},
            {"labels", labels},
            {"annotations", std::move(annotations)},
            {"ownerReferences", Json::array({kube::ownerReference(d)})}}},
          {"spec", std::move(spec)}};
}

Json patchOfNewSet(const Json& d, const Json& set, std::int64_t revision) {
  Json wanted = inheritedAnnotations(d);
  const std::int64_t old = revisionOf(set);
  if (old < revision) {
    wanted[kRevision] = std::to_string(revision);
    if (old > 0) {
      const std::string history = textAt(at(set, "metadata", "annotations"), "deployment.kubernetes.io/revision-history");
      wanted["deployment.kubernetes.io/revision-history"] = (history.empty() ? "" : history + ",") + std::to_string(old);
    }
  }
  Json patch = Json::object();
  for (const auto& [key, value] : wanted.items()) {
    if (at(set, "metadata", "annotations", key) != value) patch["metadata"]["annotations"][key] = value;
  }
  const auto minReady = intAt(at(d, "spec"), "minReadySeconds");
  if (minReady != intAt(at(set, "spec"), "minReadySeconds")) patch["spec"]["minReadySeconds"] = minReady;
  return patch.empty() ? Json() : patch;
}

ScaleStep step(const Json& d, const Object& set, int to) {
  return {set, wantedReplicas(*set), to, scaleAnnotations(d), true};
}

// Old sets with pods wanted, the oldest first.
std::vector<Object> activeOld(const std::vector<Object>& sets, const Object& current) {
  std::vector<Object> out;
  for (const auto& s : sets) {
    if (s != current && wantedReplicas(*s) > 0) out.push_back(s);
  }
  std::sort(out.begin(), out.end(), olderFirst);
  return out;
}

bool scalingAsked(const Json& d, const std::vector<Object>& sets) {
  for (const auto& s : sets) {
    const std::string desired = textAt(at(*s, "metadata", "annotations"), kDesiredReplicas);
    if (wantedReplicas(*s) > 0 && !desired.empty() && std::atoi(desired.c_str()) != wantedReplicas(d)) return true;
  }
  return false;
}

// Spreads a change of spec.replicas over the sets of an unfinished rolling update, by their size
// (deploymentutil.GetProportion).
void scaleInProportion(const Json& d, const std::vector<Object>& sets, RolloutPlan& plan) {
  std::vector<Object> active;
  for (const auto& s : sets) {
    if (wantedReplicas(*s) > 0) active.push_back(s);
  }
  const int total = totalSpec(active);
  const int allowed = wantedReplicas(d) > 0 ? wantedReplicas(d) + rolloutBounds(d).maxSurge : 0;
  const int toAdd = allowed - total;
  if (toAdd > 0) {  // the biggest first, the newest of equals first; on the way down the oldest of equals first
    std::sort(active.begin(), active.end(), [](const Object& a, const Object& b) {
      return wantedReplicas(*a) != wantedReplicas(*b) ? wantedReplicas(*a) > wantedReplicas(*b) : olderFirst(b, a);
    });
  } else {
    std::sort(active.begin(), active.end(), [](const Object& a, const Object& b) {
      return wantedReplicas(*a) != wantedReplicas(*b) ? wantedReplicas(*a) > wantedReplicas(*b) : olderFirst(a, b);
    });
  }
  std::vector<int> sizes;
  int added = 0;
  for (const auto& s : active) {
    const int size = wantedReplicas(*s);
    const std::string past = textAt(at(*s, "metadata", "annotations"), kMaxReplicas);
    const int wasAllowed = past.empty() ? std::max(wantedReplicas(d), 1) : std::max(std::atoi(past.c_str()), 1);
    int share = static_cast<int>(std::lround(static_cast<double>(size) * allowed / wasAllowed)) - size;
    const int left = toAdd - added;
    share = toAdd > 0 ? std::min(share, left) : std::max(share, left);
    if (toAdd == 0) share = 0;
    added += share;
    sizes.push_back(size + share);
  }
  for (std::size_t i = 0; i < active.size(); ++i) {
    int size = sizes[i];
    if (i == 0) size = std::max(0, size + (toAdd - added));  // what rounding left goes to the first
    plan.scale.push_back(step(d, active[i], size));
  }
}

// A change of spec.replicas, or a paused Deployment: sizes only, no rollout.
void planScale(const Json& d, const std::vector<Object>& sets, const Object& current, RolloutPlan& plan) {
  std::vector<Object> active;
  Object latest;
  for (const auto& s : sets) {
    if (wantedReplicas(*s) > 0) active.push_back(s);
    if (!latest || olderFirst(latest, s)) latest = s;
  }
  if (active.size() <= 1) {
    const Object one = !active.empty() ? active[0] : current ? current : latest;
    if (!one) return;
    const bool marked = textAt(at(*one, "metadata", "annotations"), kDesiredReplicas) == std::to_string(wantedReplicas(d));
    if (wantedReplicas(*one) != wantedReplicas(d) || !marked) plan.scale.push_back(step(d, one, wantedReplicas(d)));
    return;
  }
  const auto old = activeOld(sets, current);
  const bool saturated =
      current && wantedReplicas(*current) == wantedReplicas(d) &&
      std::atoi(textAt(at(*current, "metadata", "annotations"), kDesiredReplicas).c_str()) == wantedReplicas(d) &&
      statusCount(*current, "availableReplicas") == wantedReplicas(d);
  if (saturated) {
    for (const auto& s : old) plan.scale.push_back(step(d, s, 0));
    return;
  }
  if (rolling(d)) scaleInProportion(d, sets, plan);
}

// Takes replicas that never became ready out of the old sets first: they do not serve anyone (cleanupUnhealthyReplicas).
// Returns how many went; `sizes` is what each set would have.
int cleanUnhealthy(const std::vector<Object>& old, int most, std::map<std::string, int>& sizes) {
  int gone = 0;
  for (const auto& s : old) {
    if (gone >= most) break;
    const int unhealthy = wantedReplicas(*s) - statusCount(*s, "availableReplicas");
    const int take = std::min(most - gone, unhealthy);
    if (take <= 0) continue;
    sizes[uidOf(*s)] -= take;
    gone += take;
  }
  return gone;
}

void planRolling(const Json& d, const std::vector<Object>& sets, const Object& current, RolloutPlan& plan) {
  const int wanted = wantedReplicas(d);
  const int have = wantedReplicas(*current);
  const int next = have > wanted ? wanted : have < wanted ? newSetReplicas(d, sets, have) : have;
  if (next != have) {
    plan.scale.push_back(step(d, current, next));
    return;
  }
  const auto old = activeOld(sets, current);
  if (old.empty()) return;
  const int minAvailable = wanted - rolloutBounds(d).maxUnavailable;
  const int newUnavailable = have - statusCount(*current, "availableReplicas");
  const int maxScaledDown = totalSpec(sets) - minAvailable - newUnavailable;
  if (maxScaledDown <= 0) return;
  std::map<std::string, int> sizes;
  for (const auto& s : old) sizes[uidOf(*s)] = wantedReplicas(*s);
  cleanUnhealthy(old, maxScaledDown, sizes);
  int spare = totalStatus(sets, "availableReplicas") - minAvailable;
  for (const auto& s : old) {
    int& size = sizes[uidOf(*s)];
    const int take = std::min(size, std::max(0, spare));
    size -= take;
    spare -= take;
    if (size != wantedReplicas(*s)) plan.scale.push_back(step(d, s, size));
  }
}

// Pods of the old sets that are not finished: Recreate waits for them.
bool oldPodsRun(const std::vector<Object>& pods, const std::vector<Object>& sets, const Object& current) {
  std::set<std::string> owners;
  for (const auto& s : sets) {
    if (s != current) owners.insert(uidOf(*s));
  }
  return std::any_of(pods.begin(), pods.end(), [&](const Object& pod) {
    return owners.contains(textAt(kube::controllerOf(*pod), "uid")) && !isTerminal(*pod);
  });
}

// Old sets beyond revisionHistoryLimit that have no pods, the lowest revisions first.
std::vector<Object> beyondHistory(const Json& d, const std::vector<Object>& sets, const Object& current) {
  std::vector<Object> old;
  for (const auto& s : sets) {
    if (s != current && !at(*s, "metadata", "deletionTimestamp").is_string()) old.push_back(s);
  }
  const auto limit = static_cast<std::size_t>(std::max<std::int64_t>(0, intAt(at(d, "spec"), "revisionHistoryLimit", 10)));
  if (old.size() <= limit) return {};
  std::sort(old.begin(), old.end(), [](const Object& a, const Object& b) {
    return revisionOf(*a) != revisionOf(*b) ? revisionOf(*a) < revisionOf(*b) : olderFirst(a, b);
  });
  old.resize(old.size() - limit);
  std::erase_if(old, [](const Object& s) {
    return wantedReplicas(*s) != 0 || statusCount(*s, "replicas") != 0 ||
           intAt(at(*s, "metadata"), "generation") > intAt(at(*s, "status"), "observedGeneration");
  });
  return old;
}

bool complete(const Json& d, const std::vector<Object>& sets, const Object& current) {
  const int wanted = wantedReplicas(d);
  return current && statusCount(*current, "replicas") == wanted && totalStatus(sets, "replicas") == wanted &&
         totalStatus(sets, "availableReplicas") == wanted;
}

}  // namespace

int wantedReplicas(const Json& object) { return static_cast<int>(intAt(at(object, "spec"), "replicas", 1)); }

Bounds rolloutBounds(const Json& d) {
  if (!rolling(d)) return {};
  const int wanted = wantedReplicas(d);
  const Json& limits = at(d, "spec", "strategy", "rollingUpdate");
  const Json quarter = "25%";
  auto value = [&](const char* field) -> const Json& { return at(limits, field).is_null() ? quarter : at(limits, field); };
  Bounds b{percentOf(value("maxSurge"), wanted, true, 0), percentOf(value("maxUnavailable"), wanted, false, 0)};
  if (b.maxSurge == 0 && b.maxUnavailable == 0) b.maxUnavailable = 1;  // both 0 would never move
  b.maxUnavailable = std::min(b.maxUnavailable, wanted);
  return b;
}

Object currentSet(const Json& d, const std::vector<Object>& sets) {
  Object best;
  for (const auto& s : sets) {
    const bool same = sameTemplate(at(*s, "spec", "template"), at(d, "spec", "template"));
    if (same && (!best || olderFirst(s, best))) best = s;
  }
  return best;
}

RolloutPlan planRollout(const RolloutFacts& facts) {
  const Json& d = facts.deployment;
  RolloutPlan plan;
  if (at(d, "metadata", "deletionTimestamp").is_string()) return plan;
  const Object current = currentSet(d, facts.sets);
  const bool paused = boolAt(at(d, "spec"), "paused");
  std::int64_t highest = 0;
  for (const auto& s : facts.sets) {
    if (s != current) highest = std::max(highest, revisionOf(*s));
  }
  if (current) {
    plan.newSetPatch = patchOfNewSet(d, *current, highest + 1);
    plan.revision = std::to_string(std::max(revisionOf(*current), highest + 1));
  }
  if (paused || scalingAsked(d, facts.sets)) {
    planScale(d, facts.sets, current, plan);
    if (paused) plan.forget = beyondHistory(d, facts.sets, current);
    return plan;
  }
  if (!rolling(d)) {
    // Recreate: all old ones go first, and only then the new set is made.
    for (const auto& s : activeOld(facts.sets, current)) plan.scale.push_back(step(d, s, 0));
    if (!plan.scale.empty() || oldPodsRun(facts.pods, facts.sets, current)) return plan;
  }
  if (!current) {
    plan.create = makeSet(d, facts.sets, highest + 1);
    plan.revision = std::to_string(highest + 1);
    return plan;
  }
  if (rolling(d))
    planRolling(d, facts.sets, current, plan);
  else if (wantedReplicas(*current) != wantedReplicas(d))
    plan.scale.push_back(step(d, current, wantedReplicas(d)));
  if (complete(d, facts.sets, current)) plan.forget = beyondHistory(d, facts.sets, current);
  return plan;
}

}  // namespace slipway::workloads
