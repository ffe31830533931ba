#include "controllers/workloads/workloads.h"

#include "controllers/workloads/deployment.h"
#include "controllers/workloads/endpoints.h"
#include "controllers/workloads/pod_cleanup.h"
#include "controllers/workloads/replica_set.h"
#include "controllers/workloads/scheduler.h"
#include "controllers/workloads/stateful_set.h"
#include "controllers/workloads/taint_eviction.h"
#include "controllers/workloads/volume_claims.h"
#include "kube/event_recorder.h"

namespace slipway::workloads {
namespace {

using kube::InformerEvent;
using kube::Key;
using Keys = std::vector<Key>;

// Keys of the objects in a namespace whose selector (a field of the spec) matches; for children that nobody controls.
Keys selecting(kube::Informer& owners, const Json& child) {
  Keys keys;
  if (!kube::controllerOf(child).is_null()) return keys;
  for (const auto& owner : owners.inNamespace(kube::keyOf(child).ns)) {
    if (selects(at(*owner, "spec", "selector"), child)) keys.push_back(kube::keyOf(*owner));
  }
  return keys;
}

// Services that select the pod now or did before the change.
Keys servicesOf(kube::Informer& services, const InformerEvent& e) {
  Keys keys;
  for (const auto& service : services.inNamespace(kube::keyOf(*e.object).ns)) {
    const Json& selector = at(*service, "spec", "selector");
    if (selectsByMap(selector, *e.object) || (e.old && selectsByMap(selector, *e.old)))
      keys.push_back(kube::keyOf(*service));
  }
  return keys;
}

// The Deployment behind a pod of one of its ReplicaSets: only Recreate waits for pods, so only finished or deleted ones
// matter.
Keys deploymentOf(kube::Informer& sets, const InformerEvent& e) {
  if (e.type != InformerEvent::Type::Deleted && !isTerminal(*e.object)) return {};
  const Json& owner = kube::controllerOf(*e.object);
  if (textAt(owner, "kind") != "ReplicaSet") return {};
  const Key key = kube::keyOf(*e.object);
  const Object set = sets.get({key.ns, textAt(owner, "name")});
  if (!set || textAt(kube::controllerOf(*set), "kind") != "Deployment") return {};
  return {{key.ns, textAt(kube::controllerOf(*set), "name")}};
}

// A pod event that can make room: one went, or finished.
bool makesRoom(const InformerEvent& e) {
  if (e.type == InformerEvent::Type::Deleted) return true;
  return e.old && isTerminal(*e.object) && !isTerminal(*e.old);
}

std::string pressureOf(const Json& node) {
  for (const Json& c : at(node, "status", "conditions"))
    if (textAt(c, "type") == "MemoryPressure") return textAt(c, "status");
  return "";
}

// Node heartbeats only move timestamps: no reason to look at waiting pods.
bool nodeChanged(const InformerEvent& e) {
  if (e.type != InformerEvent::Type::Modified) return true;
  return at(*e.object, "spec") != at(*e.old, "spec") ||
         at(*e.object, "metadata", "labels") != at(*e.old, "metadata", "labels") ||
         at(*e.object, "status", "allocatable") != at(*e.old, "status", "allocatable") ||
         pressureOf(*e.object) != pressureOf(*e.old);
}

struct Builder {
  WorkloadDeps deps;
  WorkloadOptions options;
  Workloads out;

  std::shared_ptr<kube::Controller> make(const std::string& name, std::size_t concurrency) {
    auto c = std::make_shared<kube::Controller>(name, deps.cache, deps.clock, deps.scope,
                                                kube::ControllerOptions{.concurrency = concurrency});
    out.controllers.push_back(c);
    return c;
  }
  // The recorder lives as long as the reconciler that it is handed to.
  template <class R, class... A>
  static std::shared_ptr<kube::Reconciler> with(std::shared_ptr<kube::EventRecorder> events, A&&... args) {
    struct Holder {
      std::shared_ptr<kube::EventRecorder> events;
      R reconciler;
    };
    auto holder = std::shared_ptr<Holder>(new Holder{events, R(std::forward<A>(args)...)});
    return std::shared_ptr<kube::Reconciler>(holder, &holder->reconciler);
  }
  std::shared_ptr<kube::EventRecorder> recorder(const char* component) {
    return std::make_shared<kube::EventRecorder>(deps.client, deps.clock, deps.scope, component);
  }

  void deployments();
  void replicaSets();
  void statefulSets();
  void endpoints();
  void volumes();
  void scheduler();
  void podCleanup();
  void taintEviction();
};

void Builder::deployments() {
  auto events = recorder("deployment-controller");
  auto& sets = deps.cache.of(kinds::kReplicaSet);
  auto& all = deps.cache.of(kinds::kDeployment);
  auto c = make("deployment", options.concurrency);
  c->watches(kinds::kDeployment).owns(kinds::kReplicaSet, kinds::kDeployment);
  c->maps(kinds::kReplicaSet, [&all](const InformerEvent& e) { return selecting(all, *e.object); });
  c->maps(kinds::kPod, [&sets](const InformerEvent& e) { return deploymentOf(sets, e); });
  c->start(with<DeploymentReconciler>(events, deps.client, deps.cache, deps.clock, *events));
}

void Builder::replicaSets() {
  auto events = recorder("replicaset-controller");
  auto& all = deps.cache.of(kinds::kReplicaSet);
  auto c = make("replicaset", options.concurrency);
  c->watches(kinds::kReplicaSet).owns(kinds::kPod, kinds::kReplicaSet);
  c->maps(kinds::kPod, [&all](const InformerEvent& e) { return selecting(all, *e.object); });
  c->start(with<ReplicaSetReconciler>(events, deps.client, deps.cache, deps.clock, *events));
}

void Builder::statefulSets() {
  auto events = recorder("statefulset-controller");
  auto& all = deps.cache.of(kinds::kStatefulSet);
  auto c = make("statefulset", options.concurrency);
  c->watches(kinds::kStatefulSet).owns(kinds::kPod, kinds::kStatefulSet);
  c->maps(kinds::kPod, [&all](const InformerEvent& e) { return selecting(all, *e.object); });
  c->maps(kinds::kPersistentVolumeClaim, [](const InformerEvent&) { return Keys{}; });  // only to have the cache
  c->owns(kControllerRevision, kinds::kStatefulSet);
  c->start(with<StatefulSetReconciler>(events, deps.client, deps.cache, deps.clock, *events));
}

void Builder::endpoints() {
  auto& services = deps.cache.of(kinds::kService);
  auto c = make("endpoints", options.concurrency);
  c->watches(kinds::kService).owns(kinds::kEndpoints, kinds::kService).owns(kinds::kEndpointSlice, kinds::kService);
  c->maps(kinds::kPod, [&services](const InformerEvent& e) { return servicesOf(services, e); });
  c->start(std::make_shared<EndpointsReconciler>(deps.client, deps.cache));
}

void Builder::volumes() {
  auto events = recorder("persistentvolume-controller");
  auto& claims = deps.cache.of(kinds::kPersistentVolumeClaim);
  auto& all = deps.cache.of(kinds::kPersistentVolume);
  auto binder = make("persistentvolumeclaim", 1);  // one at a time: two claims must not choose one volume
  binder->watches(kinds::kPersistentVolumeClaim);
  binder->maps(kinds::kPersistentVolume, [&claims](const InformerEvent& e) {
    Keys keys;
    for (const auto& claim : claims.list()) {
      const std::string phase = textAt(at(*claim, "status"), "phase");
      const bool named = textAt(at(*claim, "spec"), "volumeName") == kube::keyOf(*e.object).name;
      if (phase != "Bound" || (named && e.type == InformerEvent::Type::Deleted)) keys.push_back(kube::keyOf(*claim));
    }
    return keys;
  });
  binder->start(with<ClaimReconciler>(events, deps.client, deps.cache, *events, deps.pool, deps.volumes));

  auto keeper = make("persistentvolume", 1);
  keeper->watches(kinds::kPersistentVolume);
  keeper->maps(kinds::kPersistentVolumeClaim, [&all](const InformerEvent& e) {
    Keys keys;
    const Key claim = kube::keyOf(*e.object);
    for (const auto& volume : all.list()) {
      const Json& ref = at(*volume, "spec", "claimRef");
      if (textAt(ref, "name") == claim.name && textAt(ref, "namespace") == claim.ns) keys.push_back(kube::keyOf(*volume));
    }
    return keys;
  });
  keeper->maps(kinds::kPod, [&all](const InformerEvent& e) {
    Keys keys;
    if (!makesRoom(e)) return keys;
    for (const auto& volume : all.list()) {
      if (!at(*volume, "spec", "claimRef").is_null()) keys.push_back(kube::keyOf(*volume));
    }
    return keys;
  });
  keeper->start(with<VolumeReconciler>(events, deps.client, deps.cache, *events, deps.pool, deps.volumes));
}

void Builder::scheduler() {
  auto events = recorder("default-scheduler");
  auto reconciler = std::shared_ptr<SchedulerReconciler>();
  {
    auto made = with<SchedulerReconciler>(events, deps.client, deps.cache, deps.clock, *events);
    reconciler = std::static_pointer_cast<SchedulerReconciler>(made);
  }
  auto c = make("scheduler", 1);  // one at a time: each placement counts the one before
  c->watches(kinds::kPod,
             [](const InformerEvent& e) { return e.type == InformerEvent::Type::Deleted || awaitsScheduling(*e.object); });
  std::weak_ptr<SchedulerReconciler> weak = reconciler;
  auto retry = [weak] {
    auto self = weak.lock();
    return self ? self->waiting() : Keys{};
  };
  c->maps(kinds::kPod, [retry](const InformerEvent& e) { return makesRoom(e) ? retry() : Keys{}; });
  auto& pods = deps.cache.of(kinds::kPod);
  c->maps(kinds::kPod, [retry, &pods](const InformerEvent& e) {
    // Who wants to be beside other pods may go where one has just been placed.
    const bool placed =
        e.old && textAt(at(*e.old, "spec"), "nodeName").empty() && !textAt(at(*e.object, "spec"), "nodeName").empty();
    Keys keys = placed ? retry() : Keys{};
    std::erase_if(keys, [&pods](const Key& key) {
      const Object pod = pods.get(key);
      return !pod || at(*pod, "spec", "affinity", "podAffinity").empty();
    });
    return keys;
  });
  c->maps(kinds::kNode, [retry](const InformerEvent& e) { return nodeChanged(e) ? retry() : Keys{}; });
  c->maps(kinds::kPersistentVolumeClaim, [retry](const InformerEvent&) { return retry(); });
  c->start(reconciler);
}

void Builder::podCleanup() {
  auto& pods = deps.cache.of(kinds::kPod);
  auto c = make("podgc", 1);
  c->watches(kinds::kPod, [](const InformerEvent& e) {
    // Only what can matter: a pod that finished, was bound, or was there before we were.
    return e.type == InformerEvent::Type::Added ||
           (e.old && (isTerminal(*e.object) || textAt(at(*e.old, "spec"), "nodeName").empty()));
  });
  c->maps(kinds::kNode, [&pods](const InformerEvent& e) {
    Keys keys;
    if (e.type == InformerEvent::Type::Modified) return keys;
    for (const auto& pod : pods.list()) {
      if (textAt(at(*pod, "spec"), "nodeName") == kube::keyOf(*e.object).name) keys.push_back(kube::keyOf(*pod));
    }
    return keys;
  });
  c->start(std::make_shared<PodCleanupReconciler>(deps.client, deps.cache, deps.clock,
                                                  PodCleanupOptions{.keepFinished = options.keepFinishedPods}));
}

void Builder::taintEviction() {
  auto events = recorder("taint-eviction-controller");
  auto& pods = deps.cache.of(kinds::kPod);
  auto& nodes = deps.cache.of(kinds::kNode);
  const auto evicts = [](const Json& node) {
    const Json& taints = at(node, "spec", "taints");
    return std::any_of(taints.begin(), taints.end(), [](const Json& t) { return textAt(t, "effect") == "NoExecute"; });
  };
  auto c = make("tainteviction", 1);
  c->watches(kinds::kPod, [&nodes, evicts](const InformerEvent& e) {
    const Object node = nodes.get({"", textAt(at(*e.object, "spec"), "nodeName")});
    return node && evicts(*node);
  });
  c->maps(kinds::kNode, [&pods, evicts](const InformerEvent& e) {
    Keys keys;
    const bool was = e.old && evicts(*e.old);
    if (!was && !evicts(*e.object)) return keys;
    if (e.old && at(*e.old, "spec", "taints") == at(*e.object, "spec", "taints")) return keys;
    for (const auto& pod : pods.list()) {
      if (textAt(at(*pod, "spec"), "nodeName") == kube::keyOf(*e.object).name) keys.push_back(kube::keyOf(*pod));
    }
    return keys;
  });
  c->start(with<TaintEvictionReconciler>(events, deps.client, deps.cache, deps.clock, *events));
}

}  // namespace

bool Workloads::idle() const {
  return std::all_of(controllers.begin(), controllers.end(), [](const auto& c) { return c->idle(); });
}

Workloads startWorkloads(WorkloadDeps deps, WorkloadOptions options) {
  Builder builder{std::move(deps), options, {}};
  builder.deployments();
  builder.replicaSets();
  builder.statefulSets();
  builder.endpoints();
  builder.volumes();
  builder.scheduler();
  builder.taintEviction();
  builder.podCleanup();
  return std::move(builder.out);
}

}  // namespace slipway::workloads
