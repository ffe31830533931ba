#include "controllers/workloads/pod_cleanup.h"

namespace slipway::workloads {

PodCleanupReconciler::PodCleanupReconciler(kube::Client& client, kube::Cache& cache, Clock& clock, PodCleanupOptions options)
    : client_(client), pods_(cache.of(kinds::kPod)), nodes_(cache.of(kinds::kNode)), clock_(clock), options_(options) {
  pods_.onEvent([finished = finished_](const kube::InformerEvent& e) {
    const bool counts = e.type != kube::InformerEvent::Type::Deleted && isTerminal(*e.object);
    if (counts)
      finished->insert(kube::keyOf(*e.object));
    else
      finished->erase(kube::keyOf(*e.object));
  });
}

Task<Result<kube::Outcome>> PodCleanupReconciler::reconcile(kube::Key key) {
  const Object pod = pods_.get(key);
  if (!pod) co_return kube::Outcome{};
  if (isTerminal(*pod) && finished_->size() > options_.keepFinished) {
    auto trimmed = co_await trimFinished();
    if (!trimmed) co_return fail(trimmed.error());
  }
  const std::string node = textAt(at(*pod, "spec"), "nodeName");
  if (node.empty() || nodes_.get({"", node})) {
    missingSince_.erase(node);
    co_return kube::Outcome{};
  }
  const auto now = clock_.now();
  const auto since = missingSince_.try_emplace(node, now).first->second;
  if (now - since < options_.nodeGoneFor) co_return kube::Outcome{.requeueAfter = options_.nodeGoneFor - (now - since)};
  auto gone = co_await removeNow(pod);
  if (!gone) co_return fail(gone.error());
  co_return kube::Outcome{};
}

Task<Status> PodCleanupReconciler::removeNow(Object pod) {
  kube::DeleteOptions options{.gracePeriodSeconds = 0, .uid = textAt(at(*pod, "metadata"), "uid")};
  auto gone = co_await client_.remove(kinds::kPod, kube::keyOf(*pod), std::move(options));
  if (!gone && gone.error().code != Code::NotFound) co_return fail(gone.error());
  co_return Status{};
}

Task<Status> PodCleanupReconciler::trimFinished() {
  std::vector<Object> finished;
  for (const auto& key : *finished_) {
    if (Object pod = pods_.get(key)) finished.push_back(std::move(pod));
  }
  if (finished.size() <= options_.keepFinished) co_return Status{};
  std::sort(finished.begin(), finished.end(), [](const Object& a, const Object& b) {
    return textAt(at(*a, "metadata"), "creationTimestamp") < textAt(at(*b, "metadata"), "creationTimestamp");
  });
  finished.resize(finished.size() - options_.keepFinished);
  for (const auto& pod : finished) {
    auto gone = co_await removeNow(pod);
    if (!gone) co_return fail(gone.error());
  }
  co_return Status{};
}

}  // namespace slipway::workloads
