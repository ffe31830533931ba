// Controller: turns changes of objects into calls of one Reconciler. Level-triggered: a reconciler gets a key, never an
// event, reads the cache, and writes through the client.
//
// The retry contract: Outcome{} is done; requeueAfter comes back then; an error backs off (5 ms * 2^n); a Conflict backs off
// without a line in the log, because the cache was merely behind; a terminal error is logged and counted, and waits for the
// next change. The same key is never worked on twice at a time. Lives on one executor; everything it starts is in the scope.
//
//   auto c = std::make_shared<Controller>("deployment", cache, clock, scope);
//   c->watches(kinds::kDeployment).owns(kinds::kReplicaSet, kinds::kDeployment).maps(kinds::kPod, deploymentOf);
//   c->start(std::make_shared<DeploymentReconciler>(…));
#pragma once
#include "kube/informer.h"
#include "kube/work_queue.h"

namespace slipway::kube {

struct Outcome {
  std::optional<Duration> requeueAfter;
  std::optional<Error> terminal;  // a fault that only a change of some object can cure
};

class Reconciler {
 public:
  virtual ~Reconciler() = default;
  virtual Task<Result<Outcome>> reconcile(Key key) = 0;
};

struct ControllerOptions {
  std::size_t concurrency = 1;  // keys worked on at once (MaxConcurrentReconciles)
  WorkQueueOptions queue;
};

// Under controller-runtime's metric names, see renderMetrics().
struct ControllerStats {
  std::uint64_t success = 0, error = 0, requeueAfter = 0, conflict = 0, terminal = 0;
  double reconcileSeconds = 0;
};

class Controller : public std::enable_shared_from_this<Controller> {
 public:
  using EventPredicate = std::function<bool(const InformerEvent&)>;
  using EventToKeys = std::function<std::vector<Key>(const InformerEvent&)>;

  Controller(std::string name, Cache& cache, Clock& clock, TaskScope& scope, ControllerOptions options = {});

  // The three verbs; call them before start(). A predicate that returns false drops the event.
  Controller& watches(const Kind& kind, EventPredicate predicate = {});
  Controller& owns(const Kind& child, const Kind& owner,
                   EventPredicate predicate = {});  // by the controller owner reference
  Controller& maps(const Kind& kind, EventToKeys toKeys);

  // Begins to work once every informer asked for above has synced.
  void start(std::shared_ptr<Reconciler> reconciler);
  void enqueue(const Key& key, WorkQueue::Priority priority = WorkQueue::Priority::High);
  void enqueueAfter(const Key& key, Duration delay);

  const std::string& name() const { return name_; }
  const ControllerStats& stats() const { return stats_; }
  const WorkQueue& queue() const { return queue_; }
  std::size_t maxConcurrent() const { return options_.concurrency; }
  // True when nothing is ready or in work (delayed keys do not count): tests wait for this.
  bool idle() const { return queue_.depth() == 0 && queue_.processing() == 0; }

 private:
  static Task<void> dispatch(std::shared_ptr<Controller> self);
  static Task<void> work(std::shared_ptr<Controller> self, Key key);
  void settle(const Key& key, const Result<Outcome>& result);
  void follow(const Kind& kind, EventToKeys toKeys);

  std::string name_;
  Cache& cache_;
  Clock& clock_;
  TaskScope& scope_;
  ControllerOptions options_;
  WorkQueue queue_;
  ControllerStats stats_;
  std::shared_ptr<Reconciler> reconciler_;
  std::vector<std::pair<Kind, EventToKeys>> sources_;
  Signal wake_;
};

// The owner reference with controller: true, or a null Json.
const Json& controllerOf(const Json& object);
// True for changes that matter to a spec-only controller: created, deleted, or a new metadata.generation.
bool generationChanged(const InformerEvent& event);
// Prometheus text (version 0.0.4) of these controllers: controller_runtime_* and workqueue_*.
std::string renderMetrics(const std::vector<std::shared_ptr<Controller>>& controllers);

}  // namespace slipway::kube
