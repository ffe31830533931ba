#include "controllers/workloads/replica_set.h"

#include "controllers/workloads/adoption.h"
#include "kube/errors.h"
#include "kube/status_update.h"

namespace slipway::workloads {
namespace {

constexpr int kMostPerRun = 500;  // pods created or deleted in one reconciliation (BurstReplicas)

std::vector<Object> activeOf(const std::vector<Object>& pods, const std::set<std::string>& gone) {
  std::vector<Object> out;
  for (const auto& pod : pods) {
    if (isActive(*pod) && !gone.contains(textAt(at(*pod, "metadata"), "uid"))) out.push_back(pod);
  }
  return out;
}

void setOrDrop(Json& status, const char* field, int value) {
  if (value != 0) status[field] = value;
}

}  // namespace

ReplicaSetPlan replicaSetPlan(const Json& set, const std::vector<Object>& pods, const std::set<std::string>& gone) {
  ReplicaSetPlan plan;
  if (at(set, "metadata", "deletionTimestamp").is_string()) return plan;
  auto active = activeOf(pods, gone);
  const int wanted = static_cast<int>(intAt(at(set, "spec"), "replicas", 1));
  const int have = static_cast<int>(active.size());
  if (have < wanted) {
    plan.create = std::min(wanted - have, kMostPerRun);
  } else if (have > wanted) {
    plan.remove = deletionOrder(std::move(active));
    plan.remove.resize(static_cast<std::size_t>(std::min(have - wanted, kMostPerRun)));
  }
  return plan;
}

ReplicaSetStatus replicaSetStatus(const Json& set, const std::vector<Object>& pods,
                                  const std::optional<ReplicaFailure>& failure, WallTime now) {
  ReplicaSetStatus out;
  const Json& labels = at(set, "spec", "template", "metadata", "labels");
  const std::chrono::seconds minReady(intAt(at(set, "spec"), "minReadySeconds"));
  int total = 0, labelled = 0, ready = 0, available = 0;
  for (const auto& pod : activeOf(pods, {})) {
    ++total;
    bool all = true;
    for (const auto& [key, value] : labels.items()) all = all && at(*pod, "metadata", "labels", key) == value;
    labelled += all;
    if (!isReady(*pod)) continue;
    ++ready;
    Duration wait{};
    if (isAvailable(*pod, minReady, now, &wait))
      ++available;
    else if (wait > Duration::zero())
      out.checkAgain = std::min(out.checkAgain.value_or(wait), wait);
  }
  out.status["replicas"] = total;
  setOrDrop(out.status, "fullyLabeledReplicas", labelled);
  setOrDrop(out.status, "readyReplicas", ready);
  setOrDrop(out.status, "availableReplicas", available);
  out.status["observedGeneration"] = intAt(at(set, "metadata"), "generation");
  Json conditions = at(set, "status", "conditions");
  if (failure) {
    const Json& old = kube::findCondition(conditions, "ReplicaFailure");
    if (textAt(old, "reason") != failure->reason) {
      kube::setCondition(
          conditions,
          {{"type", "ReplicaFailure"}, {"status", "True"}, {"reason", failure->reason}, {"message", failure->message}},
          formatRfc3339(now));
    }
  } else if (conditions.is_array()) {
    std::erase_if(conditions.get_ref<Json::array_t&>(), [](const Json& c) { return textAt(c, "type") == "ReplicaFailure"; });
  }
  if (!conditions.empty()) out.status["conditions"] = std::move(conditions);
  return out;
}

ReplicaSetReconciler::ReplicaSetReconciler(kube::Client& client, kube::Cache& cache, Clock& clock,
                                           kube::EventRecorder& events)
    : client_(client), sets_(cache.of(kinds::kReplicaSet)), pods_(cache.of(kinds::kPod)), clock_(clock), events_(events) {
  pods_.onEvent([deleted = deleted_](const kube::InformerEvent& e) {
    const bool seen =
        e.type == kube::InformerEvent::Type::Deleted || at(*e.object, "metadata", "deletionTimestamp").is_string();
    if (seen) deleted->erase(textAt(at(*e.object, "metadata"), "uid"));
  });
}

Task<Result<kube::Outcome>> ReplicaSetReconciler::reconcile(kube::Key key) {
  const Object set = sets_.get(key);
  if (!set) co_return kube::Outcome{};
  auto held =
      co_await settleClaim(client_, kinds::kPod, *set, claim(*set, at(*set, "spec", "selector"), pods_.inNamespace(key.ns)));
  if (!held) co_return fail(held.error());
  auto plan = replicaSetPlan(*set, *held, *deleted_);
  std::optional<ReplicaFailure> failure;
  if (plan.create > 0) {
    failure = co_await createPods(*set, plan.create);
    held = claim(*set, at(*set, "spec", "selector"), pods_.inNamespace(key.ns)).kept;  // createPods() waited for the cache
  }
  if (!plan.remove.empty()) {
    failure = co_await deletePods(*set, std::move(plan.remove));
  }

  auto next = replicaSetStatus(*set, *held, failure, clock_.wall());
  auto written = co_await kube::updateStatus(client_, kinds::kReplicaSet, *set, std::move(next.status));
  if (!written && written.error().code != Code::NotFound) co_return fail(written.error());
  if (failure) co_return fail(Code::Unavailable, failure->message);
  co_return kube::Outcome{.requeueAfter = next.checkAgain};
}

// In batches of 1, 2, 4 …: when the first pods are refused (a quota, a bad template), the rest are not even tried.
Task<std::optional<ReplicaFailure>> ReplicaSetReconciler::createPods(Json set, int count) {
  const Json pod = podFromTemplate(set, at(set, "spec", "template"));
  std::optional<ReplicaFailure> failure;
  std::string lastVersion;
  for (int batch = 1, left = count; left > 0 && !failure; batch *= 2) {
    const int now = std::min(batch, left);
    for (int i = 0; i < now; ++i) {
      auto created = co_await client_.create(kinds::kPod, pod);
      if (created) {
        lastVersion = textAt(at(*created, "metadata"), "resourceVersion");
        events_.record(
            set, {.reason = "SuccessfulCreate", .message = "Created pod: " + textAt(at(*created, "metadata"), "name")});
      } else if (kube::isNamespaceTerminating(created.error())) {
        co_return std::nullopt;  // nothing is made there any more, and this set is about to go
      } else {
        failure = ReplicaFailure{"FailedCreate", created.error().message};
        events_.warning(set, "FailedCreate", "Error creating: " + created.error().message);
      }
    }
    left -= now;
  }
  // The next run must count what was just created.
  if (!lastVersion.empty()) {
    co_await pods_.waitFor(lastVersion);
  }
  co_return failure;
}

Task<std::optional<ReplicaFailure>> ReplicaSetReconciler::deletePods(Json set, std::vector<Object> pods) {
  std::optional<ReplicaFailure> failure;
  for (const auto& pod : pods) {
    const kube::Key key = kube::keyOf(*pod);
    const std::string uid = textAt(at(*pod, "metadata"), "uid");
    deleted_->insert(uid);
    auto gone = co_await client_.remove(kinds::kPod, key, {.uid = uid});
    if (gone || gone.error().code == Code::NotFound) {
      events_.record(set, {.reason = "SuccessfulDelete", .message = "Deleted pod: " + key.name});
      continue;
    }
    deleted_->erase(uid);
    failure = ReplicaFailure{"FailedDelete", gone.error().message};
    events_.warning(set, "FailedDelete", "Error deleting: " + gone.error().message);
  }
  co_return failure;
}

}  // namespace slipway::workloads
