#include "controllers/workloads/taint_eviction.h"

#include "controllers/workloads/scheduling.h"
#include "kube/status_update.h"

namespace slipway::workloads {

std::optional<std::chrono::seconds> staysFor(const Json& pod, const Json& node) {
  std::optional<std::chrono::seconds> shortest;
  for (const Json& taint : at(node, "spec", "taints")) {
    if (textAt(taint, "effect") != "NoExecute") continue;
    if (!tolerates(pod, taint)) return std::chrono::seconds(0);
    for (const Json& toleration : at(pod, "spec", "tolerations")) {
      const Json& seconds = at(toleration, "tolerationSeconds");
      const Json alone{{"spec", {{"tolerations", Json::array({toleration})}}}};
      if (!seconds.is_number_integer() || !tolerates(alone, taint)) continue;
      const std::chrono::seconds allowed(std::max<std::int64_t>(0, seconds.get<std::int64_t>()));
      shortest = std::min(shortest.value_or(allowed), allowed);
    }
  }
  return shortest;
}

TaintEvictionReconciler::TaintEvictionReconciler(kube::Client& client, kube::Cache& cache, Clock& clock,
                                                 kube::EventRecorder& events)
    : client_(client), pods_(cache.of(kinds::kPod)), nodes_(cache.of(kinds::kNode)), clock_(clock), events_(events) {
  pods_.onEvent([since = since_](const kube::InformerEvent& e) {
    if (e.type == kube::InformerEvent::Type::Deleted) since->erase(textAt(at(*e.object, "metadata"), "uid"));
  });
}

Task<Result<kube::Outcome>> TaintEvictionReconciler::reconcile(kube::Key key) {
  const Object pod = pods_.get(key);
  if (!pod) co_return kube::Outcome{};
  const std::string uid = textAt(at(*pod, "metadata"), "uid");
  const std::string nodeName = textAt(at(*pod, "spec"), "nodeName");
  const Object node = nodeName.empty() ? nullptr : nodes_.get({"", nodeName});
  const auto allowed = node && isActive(*pod) ? staysFor(*pod, *node) : std::nullopt;
  if (!allowed) {
    if (since_->erase(uid) != 0 && isActive(*pod)) {
      events_.record(*pod, {.reason = "TaintManagerEviction",
                            .message = fmt::format("Cancelling deletion of Pod {}/{}", key.ns, key.name)});
    }
    co_return kube::Outcome{};
  }
  const TimePoint begun = since_->try_emplace(uid, clock_.now()).first->second;
  const auto passed = clock_.now() - begun;
  if (passed < *allowed) co_return kube::Outcome{.requeueAfter = *allowed - passed};
  Status gone = co_await evict(pod);
  if (!gone && gone.error().code != Code::NotFound && gone.error().code != Code::Conflict) co_return fail(gone.error());
  co_return kube::Outcome{};
}

Task<Status> TaintEvictionReconciler::evict(Object pod) {
  const kube::Key key = kube::keyOf(*pod);
  events_.record(
      *pod, {.reason = "TaintManagerEviction", .message = fmt::format("Marking for deletion Pod {}/{}", key.ns, key.name)});
  Json status = at(*pod, "status").is_object() ? at(*pod, "status") : Json::object();
  Json conditions = at(status, "conditions");
  kube::setCondition(conditions,
                     {{"type", "DisruptionTarget"},
                      {"status", "True"},
                      {"reason", "DeletionByTaintManager"},
                      {"message", "Taint manager: deleting due to NoExecute taint"}},
                     formatRfc3339(clock_.wall()));
  status["conditions"] = std::move(conditions);
  auto written = co_await kube::updateStatus(client_, kinds::kPod, *pod, std::move(status));
  if (!written) co_return fail(written.error());
  kube::DeleteOptions options{.uid = textAt(at(*pod, "metadata"), "uid")};
  auto removed = co_await client_.remove(kinds::kPod, key, std::move(options));
  if (!removed) co_return fail(removed.error());
  since_->erase(textAt(at(*pod, "metadata"), "uid"));
  co_return Status{};
}

}  // namespace slipway::workloads
