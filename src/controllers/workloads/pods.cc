#include "controllers/workloads/pods.h"

#include <cmath>

#include "data/selectors.h"
#include "kube/apply_children.h"
#include "kube/controller.h"
#include "kube/status_update.h"

namespace slipway::workloads {
namespace {

std::string phaseOf(const Json& pod) { return textAt(at(pod, "status"), "phase"); }

int phaseRank(const Json& pod) {
  const std::string phase = phaseOf(pod);
  return phase == "Running" ? 2 : phase == "Unknown" ? 1 : 0;
}

std::optional<WallTime> readySince(const Json& pod) {
  return timeAt(kube::findCondition(at(pod, "status", "conditions"), "Ready"), "lastTransitionTime");
}

int deletionCost(const Json& pod) {
  const std::string text = textAt(at(pod, "metadata", "annotations"), "controller.kubernetes.io/pod-deletion-cost");
  return text.empty() ? 0 : std::atoi(text.c_str());
}

std::int64_t restarts(const Json& pod) {
  std::int64_t most = 0;
  for (const auto& c : at(pod, "status", "containerStatuses")) most = std::max(most, intAt(c, "restartCount"));
  return most;
}

struct Ranked {
  Object pod;
  std::string node;
  int phase;
  bool ready;
  int cost;
  int siblings;           // active pods of the set on the same node
  WallTime::rep readyAt;  // 0: never
  std::int64_t restarts;
  WallTime::rep created;
};

// True when a should be deleted before b.
bool before(const Ranked& a, const Ranked& b) {
  if (a.node.empty() != b.node.empty()) return a.node.empty();
  if (a.phase != b.phase) return a.phase < b.phase;
  if (a.ready != b.ready) return !a.ready;
  if (a.cost != b.cost) return a.cost < b.cost;
  if (a.siblings != b.siblings) return a.siblings > b.siblings;
  if (a.ready && a.readyAt != b.readyAt) return a.readyAt == 0 || (b.readyAt != 0 && a.readyAt > b.readyAt);
  if (a.restarts != b.restarts) return a.restarts > b.restarts;
  if (a.created != b.created) return a.created == 0 || (b.created != 0 && a.created > b.created);
  return textAt(at(*a.pod, "metadata"), "uid") < textAt(at(*b.pod, "metadata"), "uid");
}

}  // namespace

bool isTerminal(const Json& pod) {
  const std::string phase = phaseOf(pod);
  return phase == "Succeeded" || phase == "Failed";
}

bool isActive(const Json& pod) { return !isTerminal(pod) && !at(pod, "metadata", "deletionTimestamp").is_string(); }

bool isReady(const Json& pod) {
  return textAt(kube::findCondition(at(pod, "status", "conditions"), "Ready"), "status") == "True";
}

bool isAvailable(const Json& pod, std::chrono::seconds minReady, WallTime now, Duration* waitFor) {
  if (!isReady(pod)) return false;
  if (minReady.count() <= 0) return true;
  const auto since = readySince(pod);
  if (!since) return false;
  const auto left = *since + minReady - now;
  if (left <= WallTime::duration::zero()) return true;
  if (waitFor != nullptr) *waitFor = std::chrono::duration_cast<Duration>(left);
  return false;
}

std::optional<WallTime> timeAt(const Json& object, std::string_view field) {
  WallTime t;
  const std::string text = textAt(object, field);
  if (text.empty() || !parseRfc3339(text, &t)) return std::nullopt;
  return t;
}

Json podFromTemplate(const Json& owner, const Json& podTemplate) {
  const Json& from = at(podTemplate, "metadata");
  Json meta{{"generateName", textAt(at(owner, "metadata"), "name") + "-"},
            {"namespace", textAt(at(owner, "metadata"), "namespace")},
            {"ownerReferences", Json::array({kube::ownerReference(owner)})}};
  for (const char* field : {"labels", "annotations", "finalizers"}) {
    if (!at(from, field).empty()) meta[field] = at(from, field);
  }
  return {{"apiVersion", "v1"}, {"kind", "Pod"}, {"metadata", std::move(meta)}, {"spec", at(podTemplate, "spec")}};
}

std::vector<Object> deletionOrder(std::vector<Object> pods) {
  std::map<std::string, int> onNode;
  for (const auto& pod : pods) ++onNode[textAt(at(*pod, "spec"), "nodeName")];
  std::vector<Ranked> ranked;
  for (auto& pod : pods) {
    const std::string node = textAt(at(*pod, "spec"), "nodeName");
    const auto ready = readySince(*pod);
    const auto created = timeAt(at(*pod, "metadata"), "creationTimestamp");
    ranked.push_back({pod, node, phaseRank(*pod), isReady(*pod), deletionCost(*pod), onNode[node],
                      ready ? ready->time_since_epoch().count() : 0, restarts(*pod),
                      created ? created->time_since_epoch().count() : 0});
  }
  std::sort(ranked.begin(), ranked.end(), before);
  std::vector<Object> out;
  for (auto& r : ranked) out.push_back(std::move(r.pod));
  return out;
}

bool selects(const Json& selector, const Json& object) {
  return selector.is_object() && labelSelectorMatches(selector, at(object, "metadata", "labels"));
}

bool selectsByMap(const Json& labels, const Json& object) {
  if (!labels.is_object() || labels.empty()) return false;
  const Json& have = at(object, "metadata", "labels");
  for (const auto& [key, value] : labels.items()) {
    if (at(have, key) != value) return false;
  }
  return true;
}

Claim claim(const Json& owner, const Json& selector, const std::vector<Object>& candidates) {
  Claim out;
  const std::string uid = textAt(at(owner, "metadata"), "uid");
  const bool leaving = at(owner, "metadata", "deletionTimestamp").is_string();
  for (const auto& object : candidates) {
    const std::string holder = textAt(kube::controllerOf(*object), "uid");
    const bool matches = selects(selector, *object);
    if (holder == uid) {
      if (matches)
        out.kept.push_back(object);
      else if (!leaving)
        out.release.push_back(object);
    } else if (holder.empty() && matches && !leaving && !at(*object, "metadata", "deletionTimestamp").is_string()) {
      out.adopt.push_back(object);
    }
  }
  return out;
}

}  // namespace slipway::workloads
