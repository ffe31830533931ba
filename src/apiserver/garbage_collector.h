// GarbageCollector: deletes what its owners left behind, by metadata.ownerReferences: background (the owner is gone),
// foreground (the owner waits for its dependents) and orphan (the dependents lose the reference).
//
// Event driven: it looks only at objects that a committed change touched, never in a loop. Lives on the control executor.
#pragma once
#include "apiserver/registry.h"
#include "apiserver/work_set.h"
#include "base/scope.h"

namespace slipway::apiserver {

class GarbageCollector {
 public:
  // Observes the hub; run() must be spawned for it to act.
  // retry: the pause before another attempt at what failed for another reason than a conflict.
  GarbageCollector(Registry& registry, Executor executor, std::chrono::milliseconds retry = std::chrono::seconds(1));
  Task<void> run();
  bool idle() const { return work_.idle(); }

 private:
  void onBatch(const Store::Batch& batch);
  void index(const std::string& resource, const EntryPtr& before, const EntryPtr& after);
  void enqueueDependents(const std::string& uid);
  void enqueueOwners(const Entry& entry);
  void loadAll();
  const Resource* resourceOf(const std::string& bucket) const;
  // Where an owner reference of an object in `ns` points; nullopt when the API does not know the kind.
  std::optional<ObjectRef> ownerRef(const Json& reference, const std::string& ns) const;

  Task<void> process(ObjectRef ref);
  Task<void> orphanDependents(ObjectRef ref, Json owner);
  Task<void> deleteDependents(ObjectRef ref, Json owner);
  Task<void> checkOwners(ObjectRef ref, Json object);
  // False: it failed and this object waits for its next attempt.
  Task<bool> removeFinalizer(ObjectRef ref, Json object, std::string finalizer);
  Task<bool> setOwners(ObjectRef ref, Json object, Json owners);
  Task<bool> patchMetadata(ObjectRef ref, Json object, Json change);
  Task<void> remove(ObjectRef ref, std::string uid, std::string policy);

  bool retryLater(const ObjectRef& ref, const Error& error);

  Registry& registry_;
  WorkSet<ObjectRef> work_;
  std::chrono::milliseconds retry_;
  std::map<std::string, std::set<ObjectRef>> dependents_;  // by owner uid
  std::map<std::string, const Resource*> resources_;       // by bucket name
};

}  // namespace slipway::apiserver
