#include "controllers/serving/serving.h"

#include "base/log.h"
#include "controllers/serving/config_source.h"
#include "controllers/serving/status.h"
#include "kube/apply_children.h"
#include "kube/event_recorder.h"
#include "kube/status_update.h"
#include "objects/serving/keys.h"

namespace slipway::isvc {

namespace {

using kube::Key;
using kube::Outcome;

std::vector<Json> copies(const std::vector<kube::Object>& objects) {
  std::vector<Json> out;
  out.reserve(objects.size());
  for (const kube::Object& object : objects) out.push_back(*object);
  return out;
}

// A fault of the object itself: trying again before something changes is of no use.
bool isPermanent(Code code) {
  return code == Code::Invalid || code == Code::Forbidden || code == Code::BadRequest || code == Code::AlreadyExists;
}

// applyChildren names the child in front of the server's message, which names it too.
std::string withoutPlace(const std::string& message, const Plan& plan) {
  for (const Json& child : plan.children) {
    std::string place = textAt(child, "kind") + " " + namespaceOf(child) + "/" + nameOf(child) + ": ";
    if (message.starts_with(place)) return message.substr(place.size());
  }
  return message;
}

class ServingReconciler final : public kube::Reconciler {
 public:
  ServingReconciler(ServingDeps deps, ServingOptions options)
      : deps_(deps),
        options_(std::move(options)),
        config_(deps.cache, options_.systemNamespace),
        inventory_(
            deps.client, deps.cache, "slipway-serving",
            {kinds::kDeployment, kinds::kService, kinds::kHorizontalPodAutoscaler, kinds::kConfigMap, kinds::kIngress}),
        events_(deps.client, deps.clock, deps.scope, "v1beta1Controllers") {}

  Task<Result<Outcome>> reconcile(Key key) override {
    kube::Object isvc = deps_.cache.of(kinds::kInferenceService).get(key);
    if (!isvc) co_return Outcome{};
    if (at(*isvc, "metadata", "deletionTimestamp").is_string()) {
      Result<Outcome> released = co_await release(*isvc);
      co_return released;
    }
    if (isStopped(*isvc)) {
      Result<Outcome> stopped = co_await stop(*isvc);
      co_return stopped;
    }
    auto plan = planService(inputFor(*isvc));
    if (!plan) {
      SpecFault fault = plan.error();
      Json status = invalidSpecStatus(*isvc, fault, standing(*isvc), now());
      Result<Outcome> refused = co_await finish(*isvc, status, {{"Warning", "InternalError", fault.event}});
      co_return refused;
    }
    Result<Outcome> done = co_await carryOut(*isvc, std::move(*plan));
    co_return done;
  }

 private:
  std::string now() const { return formatRfc3339(deps_.clock.wall()); }

  PlanInput inputFor(const Json& isvc) {
    std::string ns = namespaceOf(isvc);
    PlanInput input;
    input.isvc = isvc;
    input.catalog.namespaced = copies(deps_.cache.of(kinds::kServingRuntime).inNamespace(ns));
    input.catalog.cluster = copies(deps_.cache.of(kinds::kClusterServingRuntime).list());
    input.config = config_.current();
    input.gateway = options_.gateway;
    input.options = options_.build;
    kube::Object models = deps_.cache.of(kinds::kConfigMap).get({ns, "modelconfig-" + nameOf(isvc) + "-0"});
    if (models) input.modelConfig = *models;
    return input;
  }

  // Objects that KServe made may carry its finalizer; there is nothing of ours to wait for.
  Task<Result<Outcome>> release(Json isvc) {
    Json kept = Json::array();
    const Json& finalizers = at(isvc, "metadata", "finalizers");
    for (const Json& finalizer : finalizers.is_array() ? finalizers : Json::array()) {
      if (finalizer != Json(kFinalizer)) kept.push_back(finalizer);
    }
    if (!finalizers.is_array() || kept.size() == finalizers.size()) co_return Outcome{};
    Json patch = Json::object();
    patch["metadata"] = {{"finalizers", kept}, {"resourceVersion", at(isvc, "metadata", "resourceVersion")}};
    Result<Json> patched =
        co_await deps_.client.patch(kinds::kInferenceService, kube::keyOf(isvc), kube::PatchType::Merge, patch);
    if (!patched && patched.error().code != Code::NotFound) co_return fail(patched.error());
    co_return Outcome{};
  }

  Task<Result<Outcome>> stop(Json isvc) {
    auto report = co_await kube::applyChildren(inventory_, isvc, {});
    if (!report) co_return fail(report.error());
    Result<Outcome> done = co_await finish(isvc, stoppedStatus(isvc, now()), {});
    co_return done;
  }

  Task<Result<Outcome>> carryOut(Json isvc, Plan plan) {
    holdBack(isvc, plan);
    addIngress(isvc, plan);
    auto report = co_await kube::applyChildren(inventory_, isvc, plan.children);
    if (!report) {
      Error error = report.error();
      if (error.code == Code::Conflict) co_return fail(error);
      std::string message = "fails to reconcile predictor: " + withoutPlace(error.message, plan);
      Result<Outcome> told =
          co_await finish(isvc, reconcileFailedStatus(isvc, plan, message, now()), {{"Warning", "InternalError", message}});
      if (!told) co_return told;
      if (!isPermanent(error.code)) co_return fail(error);
      co_return Outcome{.requeueAfter = std::nullopt, .terminal = error};
    }
    Json status = servingStatus(isvc, plan, observe(isvc, plan, *report), now());
    Result<Outcome> done = co_await finish(isvc, status, noticesDue(isvc, status, plan));
    co_return done;
  }

  // Made when all that it points at is up; once made it stays, so that a rollout does not cut connections.
  void addIngress(const Json& isvc, Plan& plan) {
    if (!plan.ingress) return;
    bool made = deps_.cache.of(kinds::kIngress).get(kube::keyOf(*plan.ingress)) != nullptr;
    Observation seen;
    for (const PlannedComponent& part : plan.components) {
      kube::Object live = deps_.cache.of(kinds::kDeployment).get({namespaceOf(isvc), part.name});
      if (live) seen.deployments[part.name] = *live;
    }
    if (made || componentsReady(plan, seen)) plan.children.push_back(*plan.ingress);
  }

  // With disable-auto-update, a service that is up keeps the pods it has until its own spec changes.
  void holdBack(const Json& isvc, Plan& plan) {
    const Json& status = at(isvc, "status");
    bool settled = isReady(status) && intAt(status, "observedGeneration") == intAt(at(isvc, "metadata"), "generation");
    if (annotation(isvc, kDisableAutoUpdate) != "true" || !settled) return;
    for (Json& child : plan.children) {
      if (textAt(child, "kind") != kinds::kDeployment.kind) continue;
      kube::Object live = deps_.cache.of(kinds::kDeployment).get({namespaceOf(isvc), nameOf(child)});
      if (live) child["spec"]["template"] = at(*live, "spec", "template");
    }
  }

  Observation observe(const Json& isvc, const Plan& plan, const kube::ApplyReport& report) {
    Observation seen;
    for (const Json& child : report.children) {
      if (textAt(child, "kind") == kinds::kDeployment.kind) seen.deployments[nameOf(child)] = child;
    }
    seen.predictorPods = podsOf(isvc, plan.components.front().name);
    return seen;
  }

  // What is left of an earlier spec.
  Observation standing(const Json& isvc) {
    Observation seen;
    for (Component which : kComponents) {
      kube::Object live = deps_.cache.of(kinds::kDeployment).get({namespaceOf(isvc), childName(isvc, which)});
      if (live) seen.deployments[nameOf(*live)] = *live;
    }
    seen.predictorPods = podsOf(isvc, childName(isvc, Component::Predictor));
    return seen;
  }

  std::vector<Json> podsOf(const Json& isvc, const std::string& workload) {
    std::vector<Json> pods;
    for (const kube::Object& pod : deps_.cache.of(kinds::kPod).inNamespace(namespaceOf(isvc))) {
      if (textAt(at(*pod, "metadata", "labels"), kAppLabel) == "isvc." + workload) pods.push_back(*pod);
    }
    return pods;
  }

  // Told once for each generation, when the controller has first dealt with it.
  std::vector<EventText> noticesDue(const Json& isvc, const Json& status, const Plan& plan) {
    std::vector<EventText> out;
    std::int64_t generation = intAt(at(isvc, "metadata"), "generation");
    if (intAt(at(isvc, "status"), "observedGeneration") == generation || intAt(status, "observedGeneration") != generation)
      return out;
    for (const Notice& notice : plan.notices) out.push_back({"Warning", notice.reason, notice.message});
    return out;
  }

  // Writes the status if it differs, and tells what changed. `notes` are told only with a change.
  Task<Result<Outcome>> finish(Json isvc, Json status, std::vector<EventText> notes) {
    Json before = at(isvc, "status");
    if (before == status) co_return Outcome{};
    Result<Json> written =
        co_await kube::updateStatus(deps_.client, kinds::kInferenceService, isvc, status, "slipway-serving");
    if (!written) {
      if (written.error().code == Code::NotFound) co_return Outcome{};
      co_return fail(written.error());
    }
    for (EventText& note : readinessEvents(isvc, before, status)) notes.push_back(std::move(note));
    for (EventText& note : notes) {
      events_.record(isvc,
                     {.type = note.type, .reason = note.reason, .message = note.message, .fieldPath = {}, .action = {}});
    }
    co_return Outcome{};
  }

  ServingDeps deps_;
  ServingOptions options_;
  ConfigSource config_;
  kube::Inventory inventory_;
  kube::EventRecorder events_;
};

// Our own status writes need no second look; anything else about the object may.
bool isUserChange(const kube::InformerEvent& event) {
  if (!event.old) return true;
  const Json &was = at(*event.old, "metadata"), &is = at(*event.object, "metadata");
  for (const char* key : {"generation", "annotations", "labels", "deletionTimestamp"}) {
    if (at(was, key) != at(is, key)) return true;
  }
  return false;
}

std::vector<Key> keysOf(const std::vector<kube::Object>& services) {
  std::vector<Key> keys;
  for (const kube::Object& service : services) keys.push_back(kube::keyOf(*service));
  return keys;
}

std::vector<Key> serviceOfPod(const kube::InformerEvent& event) {
  std::string name = textAt(at(*event.object, "metadata", "labels"), kServiceLabel);
  if (name.empty()) return {};
  return {{namespaceOf(*event.object), name}};
}

}  // namespace

std::shared_ptr<kube::Controller> startServing(ServingDeps deps, ServingOptions options) {
  kube::ControllerOptions tuning;
  tuning.concurrency = options.concurrency;
  auto controller = std::make_shared<kube::Controller>("inferenceservice", deps.cache, deps.clock, deps.scope, tuning);
  kube::Informer& services = deps.cache.of(kinds::kInferenceService);
  std::string system = options.systemNamespace;
  controller->watches(kinds::kInferenceService, isUserChange)
      .owns(kinds::kDeployment, kinds::kInferenceService)
      .owns(kinds::kService, kinds::kInferenceService)
      .owns(kinds::kHorizontalPodAutoscaler, kinds::kInferenceService)
      .owns(kinds::kIngress, kinds::kInferenceService)
      .maps(kinds::kPod, serviceOfPod)
      .maps(
          kinds::kServingRuntime,
          [&services](const kube::InformerEvent& event) { return keysOf(services.inNamespace(namespaceOf(*event.object))); })
      .maps(kinds::kClusterServingRuntime, [&services](const kube::InformerEvent&) { return keysOf(services.list()); })
      .maps(kinds::kConfigMap, [&services, system](const kube::InformerEvent& event) -> std::vector<Key> {
        if (nameOf(*event.object) == kConfigMapName && namespaceOf(*event.object) == system) return keysOf(services.list());
        const Json& owner = kube::controllerOf(*event.object);
        if (textAt(owner, "kind") != kinds::kInferenceService.kind) return {};
        return {{namespaceOf(*event.object), textAt(owner, "name")}};
      });
  controller->start(std::make_shared<ServingReconciler>(deps, std::move(options)));
  return controller;
}

}  // namespace slipway::isvc
