#include "controllers/workloads/deployment.h"

#include "controllers/workloads/adoption.h"
#include "controllers/workloads/template_hash.h"
#include "kube/status_update.h"

namespace slipway::workloads {
namespace {

std::string nameOf(const Json& object) { return textAt(at(object, "metadata"), "name"); }
std::string versionOf(const Json& object) { return textAt(at(object, "metadata"), "resourceVersion"); }

}  // namespace

DeploymentReconciler::DeploymentReconciler(kube::Client& client, kube::Cache& cache, Clock& clock,
                                           kube::EventRecorder& events)
    : client_(client),
      deployments_(cache.of(kinds::kDeployment)),
      sets_(cache.of(kinds::kReplicaSet)),
      pods_(cache.of(kinds::kPod)),
      clock_(clock),
      events_(events) {}

Task<Result<kube::Outcome>> DeploymentReconciler::reconcile(kube::Key key) {
  const Object found = deployments_.get(key);
  if (!found) co_return kube::Outcome{};
  Json deployment = *found;
  if (at(deployment, "spec", "selector").empty()) {
    events_.warning(deployment, "SelectingAll", "This deployment is selecting all pods. A non-empty selector is required.");
    co_return kube::Outcome{};
  }
  auto held = co_await settleClaim(client_, kinds::kReplicaSet, deployment,
                                   claim(deployment, at(deployment, "spec", "selector"), sets_.inNamespace(key.ns)));
  if (!held) co_return fail(held.error());
  const std::vector<Object> pods = pods_.inNamespace(key.ns);
  RolloutPlan plan = planRollout({deployment, *held, pods, clock_.wall()});

  ProgressNote note;
  if (plan.create) {
    auto created = co_await createSet(deployment, std::move(*plan.create));
    if (!created) co_return fail(created.error());
    note = std::move(*created);
    held = claim(deployment, at(deployment, "spec", "selector"), sets_.inNamespace(key.ns)).kept;
  }
  const Object current = currentSet(deployment, *held);
  if (current && note.kind == ProgressNote::Kind::None) note = {ProgressNote::Kind::Found, nameOf(*current), ""};
  if (!plan.newSetPatch.is_null()) {
    auto patched =
        co_await client_.patch(kinds::kReplicaSet, kube::keyOf(*current), kube::PatchType::Merge, plan.newSetPatch);
    if (!patched) co_return fail(patched.error());
  }
  auto scaled = co_await scaleSets(deployment, std::move(plan.scale));
  if (!scaled) co_return fail(scaled.error());
  for (const auto& old : plan.forget) {
    auto gone = co_await client_.remove(kinds::kReplicaSet, kube::keyOf(*old), {.uid = textAt(at(*old, "metadata"), "uid")});
    if (!gone && gone.error().code != Code::NotFound) co_return fail(gone.error());
  }
  auto annotated = co_await annotate(deployment, plan.revision);
  if (!annotated) co_return fail(annotated.error());
  deployment = std::move(*annotated);

  auto next = deploymentStatus({deployment, *held, pods, clock_.wall()}, current, note);
  auto written = co_await kube::updateStatus(client_, kinds::kDeployment, deployment, std::move(next.status));
  if (!written && written.error().code != Code::NotFound) co_return fail(written.error());
  if (note.kind == ProgressNote::Kind::CreateFailed) co_return fail(Code::Unavailable, note.message);
  co_return kube::Outcome{.requeueAfter = next.checkAgain};
}

Task<Result<ProgressNote>> DeploymentReconciler::createSet(Json deployment, Json set) {
  const std::string name = nameOf(set);
  const int size = wantedReplicas(set);
  auto created = co_await client_.create(kinds::kReplicaSet, set);
  if (created) {
    if (size > 0)
      events_.record(deployment, {.reason = "ScalingReplicaSet",
                                  .message = fmt::format("Scaled up replica set {} from 0 to {}", name, size)});
    co_await sets_.waitFor(versionOf(*created));
    co_return ProgressNote{ProgressNote::Kind::Created, name, ""};
  }
  if (created.error().code == Code::AlreadyExists) {
    // Ours from a run that the cache has not seen yet, or another template with the same hash.
    auto other = co_await client_.get(kinds::kReplicaSet, kube::keyOf(set));
    if (!other) co_return fail(other.error());
    const bool ours = textAt(kube::controllerOf(*other), "uid") == textAt(at(deployment, "metadata"), "uid");
    if (ours && sameTemplate(at(*other, "spec", "template"), at(deployment, "spec", "template"))) {
      co_await sets_.waitFor(versionOf(*other));
      co_return ProgressNote{ProgressNote::Kind::Found, name, ""};
    }
    auto counted = co_await countCollision(deployment);
    if (!counted) co_return fail(counted.error());
    co_return fail(Code::Conflict, fmt::format("replica set {} exists with another template; choosing another hash", name));
  }
  if (created.error().code == Code::Conflict || created.error().code == Code::Unavailable) co_return fail(created.error());
  events_.warning(deployment, "ReplicaSetCreateError",
                  fmt::format("Failed to create new replica set \"{}\": {}", name, created.error().message));
  co_return ProgressNote{ProgressNote::Kind::CreateFailed, name, created.error().message};
}

Task<Status> DeploymentReconciler::countCollision(Json deployment) {
  Json status = at(deployment, "status").is_object() ? at(deployment, "status") : Json::object();
  status["collisionCount"] = intAt(status, "collisionCount") + 1;
  auto written = co_await kube::updateStatus(client_, kinds::kDeployment, deployment, std::move(status));
  if (!written) co_return fail(written.error());
  co_return Status{};
}

Task<Status> DeploymentReconciler::scaleSets(Json deployment, std::vector<ScaleStep> steps) {
  for (auto& step : steps) {
    auto scaled = co_await scaleOne(deployment, std::move(step));
    if (!scaled) co_return fail(scaled.error());
  }
  co_return Status{};
}

Task<Status> DeploymentReconciler::scaleOne(Json deployment, ScaleStep step) {
  Json patch{{"metadata", {{"annotations", step.annotations}}}};
  if (step.from != step.to) patch["spec"]["replicas"] = step.to;
  // On condition that the set is as planned for: two steps must not add up.
  patch["metadata"]["resourceVersion"] = versionOf(*step.set);
  auto written =
      co_await client_.patch(kinds::kReplicaSet, kube::keyOf(*step.set), kube::PatchType::Merge, std::move(patch));
  if (!written) co_return fail(written.error());
  if (step.from != step.to) {
    events_.record(deployment,
                   {.reason = "ScalingReplicaSet",
                    .message = fmt::format("Scaled {} replica set {} from {} to {}", step.to > step.from ? "up" : "down",
                                           nameOf(*step.set), step.from, step.to)});
  }
  co_await sets_.waitFor(versionOf(*written));
  co_return Status{};
}

// Writes the revision annotation when it differs; returns the Deployment as it is then.
Task<Result<Json>> DeploymentReconciler::annotate(Json deployment, std::string revision) {
  if (revision.empty() || textAt(at(deployment, "metadata", "annotations"), kRevision) == revision) co_return deployment;
  const Json patch{{"metadata", {{"resourceVersion", versionOf(deployment)}, {"annotations", {{kRevision, revision}}}}}};
  auto written = co_await client_.patch(kinds::kDeployment, kube::keyOf(deployment), kube::PatchType::Merge, patch);
  co_return written;
}

}  // namespace slipway::workloads
