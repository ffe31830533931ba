#include "controllers/workloads/deployment_status.h"

#include <limits>

#include "kube/status_update.h"

namespace slipway::workloads {
namespace {

using kube::findCondition;

int count(const Object& set, const char* field) { return set ? static_cast<int>(intAt(at(*set, "status"), field)) : 0; }

int sum(const std::vector<Object>& sets, const char* field) {
  int n = 0;
  for (const auto& s : sets) n += count(s, field);
  return n;
}

// deploymentutil.SetDeploymentCondition: an entry with the same status and reason stays as it is; otherwise the new one goes
// to the end, with the old transition time while the status is the same.
void set(Json& conditions, const char* type, const char* status, const std::string& reason, const std::string& message,
         const std::string& now) {
  if (!conditions.is_array()) conditions = Json::array();
  const Json old = findCondition(conditions, type);
  if (textAt(old, "status") == status && textAt(old, "reason") == reason) return;
  const std::string since = textAt(old, "status") == status ? textAt(old, "lastTransitionTime", now) : now;
  std::erase_if(conditions.get_ref<Json::array_t&>(), [&](const Json& c) { return textAt(c, "type") == type; });
  conditions.push_back({{"type", type},
                        {"status", status},
                        {"reason", reason},
                        {"message", message},
                        {"lastUpdateTime", now},
                        {"lastTransitionTime", since}});
}

void drop(Json& conditions, const char* type) {
  if (!conditions.is_array()) return;
  std::erase_if(conditions.get_ref<Json::array_t&>(), [&](const Json& c) { return textAt(c, "type") == type; });
}

std::optional<std::chrono::seconds> deadlineOf(const Json& d) {
  const auto seconds = intAt(at(d, "spec"), "progressDeadlineSeconds", 600);
  if (seconds >= std::numeric_limits<std::int32_t>::max()) return std::nullopt;
  return std::chrono::seconds(seconds);
}

bool completed(const Json& d, const Json& status) {
  const auto wanted = wantedReplicas(d);
  return intAt(status, "updatedReplicas") == wanted && intAt(status, "replicas") == wanted &&
         intAt(status, "availableReplicas") == wanted;
}

bool progressed(const Json& old, const Json& now) {
  auto outdated = [](const Json& s) { return intAt(s, "replicas") - intAt(s, "updatedReplicas"); };
  return intAt(now, "updatedReplicas") > intAt(old, "updatedReplicas") || outdated(now) < outdated(old) ||
         intAt(now, "readyReplicas") > intAt(old, "readyReplicas") ||
         intAt(now, "availableReplicas") > intAt(old, "availableReplicas");
}

bool timedOut(const Json& condition, std::chrono::seconds deadline, WallTime now) {
  if (condition.is_null()) return false;
  const std::string reason = textAt(condition, "reason");
  if (reason == "NewReplicaSetAvailable") return false;
  if (reason == "ProgressDeadlineExceeded") return true;
  const auto from = timeAt(condition, "lastUpdateTime");
  return from && *from + deadline < now;
}

// What upstream does outside of a rollout: report a pause or the end of it.
void notePause(const Json& d, Json& conditions, const std::string& now) {
  if (!deadlineOf(d)) return;
  const Json progressing = findCondition(conditions, "Progressing");
  const std::string reason = textAt(progressing, "reason");
  if (reason == "ProgressDeadlineExceeded") return;
  const bool paused = boolAt(at(d, "spec"), "paused");
  if (paused && reason != "DeploymentPaused")
    set(conditions, "Progressing", "Unknown", "DeploymentPaused", "Deployment is paused", now);
  if (!paused && reason == "DeploymentPaused")
    set(conditions, "Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed", now);
}

void noteProgress(const RolloutFacts& facts, const Object& current, const Json& status, Json& conditions) {
  const Json& d = facts.deployment;
  const std::string now = formatRfc3339(facts.now);
  const auto deadline = deadlineOf(d);
  if (!deadline) return drop(conditions, "Progressing");
  const Json condition = findCondition(conditions, "Progressing");
  const bool settled = intAt(status, "replicas") == intAt(status, "updatedReplicas") &&
                       textAt(condition, "reason") == "NewReplicaSetAvailable";
  if (settled) return;
  const std::string name = current ? fmt::format("ReplicaSet \"{}\"", textAt(at(*current, "metadata"), "name"))
                                   : fmt::format("Deployment \"{}\"", textAt(at(d, "metadata"), "name"));
  if (completed(d, status)) {
    set(conditions, "Progressing", "True", "NewReplicaSetAvailable", name + " has successfully progressed.", now);
  } else if (progressed(at(d, "status"), status)) {
    // Taken out and put back, so that lastUpdateTime moves: the deadline counts from the last progress.
    const bool keep = textAt(condition, "status") == "True";
    drop(conditions, "Progressing");
    set(conditions, "Progressing", "True", "ReplicaSetUpdated", name + " is progressing.", now);
    if (keep) conditions.back()["lastTransitionTime"] = textAt(condition, "lastTransitionTime", now);
  } else if (timedOut(condition, *deadline, facts.now)) {
    set(conditions, "Progressing", "False", "ProgressDeadlineExceeded", name + " has timed out progressing.", now);
  }
}

void noteCreation(const ProgressNote& note, const Json& d, Json& conditions, const std::string& now) {
  if (!deadlineOf(d)) return;
  using K = ProgressNote::Kind;
  if (note.kind == K::Created)
    set(conditions, "Progressing", "True", "NewReplicaSetCreated", fmt::format("Created new replica set \"{}\"", note.name),
        now);
  if (note.kind == K::CreateFailed)
    set(conditions, "Progressing", "False", "ReplicaSetCreateError",
        fmt::format("Failed to create new replica set \"{}\": {}", note.name, note.message), now);
  if (note.kind == K::Found && findCondition(conditions, "Progressing").is_null()) {
    set(conditions, "Progressing", "True", "FoundNewReplicaSet", fmt::format("Found new replica set \"{}\"", note.name),
        now);
  }
}

void noteAvailability(const Json& d, int available, Json& conditions, const std::string& now) {
  if (available >= wantedReplicas(d) - rolloutBounds(d).maxUnavailable) {
    set(conditions, "Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.", now);
  } else {
    set(conditions, "Available", "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.",
        now);
  }
}

void noteFailure(const std::vector<Object>& sets, const Object& current, Json& conditions, const std::string& now) {
  Json failure;
  if (current) failure = findCondition(at(*current, "status", "conditions"), "ReplicaFailure");
  for (const auto& s : sets) {
    if (failure.is_null()) failure = findCondition(at(*s, "status", "conditions"), "ReplicaFailure");
  }
  if (failure.is_null()) return drop(conditions, "ReplicaFailure");
  set(conditions, "ReplicaFailure", "True", textAt(failure, "reason"), textAt(failure, "message"), now);
}

std::optional<Duration> deadlineLeft(const Json& d, const Json& conditions, WallTime now) {
  const auto deadline = deadlineOf(d);
  const Json& condition = findCondition(conditions, "Progressing");
  const std::string reason = textAt(condition, "reason");
  const auto from = timeAt(condition, "lastUpdateTime");
  if (!deadline || !from || boolAt(at(d, "spec"), "paused")) return std::nullopt;
  if (reason == "NewReplicaSetAvailable" || reason == "ProgressDeadlineExceeded") return std::nullopt;
  // One second more: times in objects are whole seconds.
  return std::chrono::duration_cast<Duration>(std::max(*from + *deadline - now, WallTime::duration::zero())) +
         std::chrono::seconds(1);
}

}  // namespace

DeploymentStatus deploymentStatus(const RolloutFacts& facts, const Object& current, const ProgressNote& note) {
  const Json& d = facts.deployment;
  const std::string now = formatRfc3339(facts.now);
  const int available = sum(facts.sets, "availableReplicas");
  int asked = 0;
  for (const auto& s : facts.sets) asked += wantedReplicas(*s);
  Json status = Json::object();
  status["observedGeneration"] = intAt(at(d, "metadata"), "generation");
  auto put = [&](const char* field, int value) {
    if (value > 0) status[field] = value;
  };
  put("replicas", sum(facts.sets, "replicas"));
  put("updatedReplicas", count(current, "replicas"));
  put("readyReplicas", sum(facts.sets, "readyReplicas"));
  put("availableReplicas", available);
  put("unavailableReplicas", asked - available);
  if (const auto collisions = intAt(at(d, "status"), "collisionCount"); collisions > 0)
    status["collisionCount"] = collisions;

  Json conditions = at(d, "status", "conditions");
  notePause(d, conditions, now);
  noteCreation(note, d, conditions, now);
  noteAvailability(d, available, conditions, now);
  if (!boolAt(at(d, "spec"), "paused")) noteProgress(facts, current, status, conditions);
  noteFailure(facts.sets, current, conditions, now);
  DeploymentStatus out;
  out.checkAgain = deadlineLeft(d, conditions, facts.now);
  status["conditions"] = std::move(conditions);
  out.status = std::move(status);
  return out;
}

}  // namespace slipway::workloads
