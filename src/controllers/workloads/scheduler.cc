#include "controllers/workloads/scheduler.h"

#include "kube/status_update.h"

namespace slipway::workloads {

SchedulerReconciler::SchedulerReconciler(kube::Client& client, kube::Cache& cache, Clock& clock, kube::EventRecorder& events)
    : client_(client),
      pods_(cache.of(kinds::kPod)),
      nodes_(cache.of(kinds::kNode)),
      claims_(cache.of(kinds::kPersistentVolumeClaim)),
      clock_(clock),
      events_(events) {}

Task<Result<kube::Outcome>> SchedulerReconciler::reconcile(kube::Key key) {
  const Object pod = pods_.get(key);
  if (!pod || !awaitsScheduling(*pod)) {
    waiting_.erase(key);
    co_return kube::Outcome{};
  }
  Placement placement;
  const std::string problem = claimProblem(*pod);
  if (problem.empty())
    placement = place(*pod, nodes_.list(), pods_.list());
  else
    placement.message = fmt::format("0/{} nodes are available: {}. not found", nodes_.size(), problem);
  Status done;
  if (placement.node.empty()) {
    waiting_.insert(key);
    done = co_await refuse(*pod, std::move(placement.message));
  } else {
    waiting_.erase(key);
    done = co_await bind(*pod, std::move(placement.node));
  }
  if (!done && done.error().code != Code::NotFound) co_return fail(done.error());
  co_return kube::Outcome{};
}

std::string SchedulerReconciler::claimProblem(const Json& pod) const {
  const std::string ns = textAt(at(pod, "metadata"), "namespace");
  for (const auto& volume : at(pod, "spec", "volumes")) {
    const std::string name = textAt(at(volume, "persistentVolumeClaim"), "claimName");
    if (name.empty()) continue;
    const Object claim = claims_.get({ns, name});
    if (!claim) return fmt::format("persistentvolumeclaim \"{}\" not found", name);
    if (textAt(at(*claim, "status"), "phase") != "Bound") return "pod has unbound immediate PersistentVolumeClaims";
  }
  return "";
}

Task<Status> SchedulerReconciler::bind(Json pod, std::string node) {
  const Json& meta = at(pod, "metadata");
  const Json patch{{"metadata", {{"uid", textAt(meta, "uid")}, {"resourceVersion", textAt(meta, "resourceVersion")}}},
                   {"spec", {{"nodeName", node}}}};
  auto bound = co_await client_.patch(kinds::kPod, kube::keyOf(pod), kube::PatchType::Merge, patch);
  if (!bound) co_return fail(bound.error());
  events_.record(pod, {.reason = "Scheduled",
                       .message = fmt::format("Successfully assigned {}/{} to {}", textAt(meta, "namespace"),
                                              textAt(meta, "name"), node),
                       .action = "Binding"});
  // The next pod must count this one.
  co_await pods_.waitFor(textAt(at(*bound, "metadata"), "resourceVersion"));
  co_return Status{};
}

Task<Status> SchedulerReconciler::refuse(Json pod, std::string why) {
  Json status = at(pod, "status").is_object() ? at(pod, "status") : Json::object();
  Json conditions = at(status, "conditions");
  const Json& old = kube::findCondition(conditions, "PodScheduled");
  // Told once: a pod that is tried again and again for the same reason would only repeat itself.
  if (textAt(old, "status") == "False" && textAt(old, "message") == why) co_return Status{};
  events_.record(pod, {.type = "Warning", .reason = "FailedScheduling", .message = why, .action = "Scheduling"});
  kube::setCondition(conditions,
                     {{"type", "PodScheduled"},
                      {"status", "False"},
                      {"reason", "Unschedulable"},
                      {"message", why},
                      {"lastProbeTime", nullptr}},
                     formatRfc3339(clock_.wall()));
  status["conditions"] = std::move(conditions);
  if (textAt(status, "phase").empty()) status["phase"] = "Pending";
  auto written = co_await kube::updateStatus(client_, kinds::kPod, std::move(pod), std::move(status));
  if (!written) co_return fail(written.error());
  co_return Status{};
}

}  // namespace slipway::workloads
