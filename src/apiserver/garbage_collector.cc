#include "apiserver/garbage_collector.h"

#include "base/log.h"

namespace slipway::apiserver {
namespace {

constexpr const char* kForeground = "foregroundDeletion";
constexpr const char* kOrphan = "orphan";

bool hasFinalizer(const Json& object, const char* name) {
  for (const Json& f : at(object, "metadata", "finalizers")) {
    if (f == name) return true;
  }
  return false;
}

bool isDeleting(const Json& object) { return at(object, "metadata", "deletionTimestamp").is_string(); }

bool blocksOwner(const Entry& dependent, const std::string& ownerUid) {
  const Json object = dependent.json();
  for (const Json& o : at(object, "metadata", "ownerReferences")) {
    if (textAt(o, "uid") == ownerUid && boolAt(o, "blockOwnerDeletion")) return true;
  }
  return false;
}

}  // namespace

GarbageCollector::GarbageCollector(Registry& registry, Executor executor, std::chrono::milliseconds retry)
    : registry_(registry), work_(executor), retry_(retry) {
  for (const Resource& r : registry.catalog().resources()) {
    if (r.storedAs.empty()) resources_.emplace(r.qualified(), &r);
  }
  registry.hub().observe([this](const Store::Batch& batch) { onBatch(batch); });
  loadAll();
}

void GarbageCollector::loadAll() {
  for (const std::string& resource : registry_.store().resourcesInUse()) {
    for (const EntryPtr& entry : registry_.store().list(resource).entries) {
      index(resource, nullptr, entry);
      if (!entry->ownerUids.empty() || entry->deleting) work_.add({resource, entry->ns, entry->name});
    }
  }
}

void GarbageCollector::index(const std::string& resource, const EntryPtr& before, const EntryPtr& after) {
  if (before) {
    for (const std::string& uid : before->ownerUids) {
      auto it = dependents_.find(uid);
      if (it == dependents_.end()) continue;
      it->second.erase({resource, before->ns, before->name});
      if (it->second.empty()) dependents_.erase(it);
    }
  }
  if (after) {
    for (const std::string& uid : after->ownerUids) dependents_[uid].insert({resource, after->ns, after->name});
  }
}

void GarbageCollector::onBatch(const Store::Batch& batch) {
  for (const auto& [resource, change] : batch) {
    index(resource, change.before, change.deleted ? nullptr : change.after);
    if (change.deleted) {
      enqueueDependents(change.after->uid);
      enqueueOwners(*change.after);
    } else if (!change.after->ownerUids.empty() || change.after->deleting) {
      work_.add({resource, change.after->ns, change.after->name});
    }
    // An owner that was let go may have waited for this dependent (foreground deletion).
    if (!change.deleted && change.before && change.before->ownerUids != change.after->ownerUids)
      enqueueOwners(*change.before);
  }
}

void GarbageCollector::enqueueDependents(const std::string& uid) {
  auto it = dependents_.find(uid);
  if (it == dependents_.end()) return;
  for (const ObjectRef& ref : it->second) work_.add(ref);
}

// An owner in foreground deletion may have waited for this one.
void GarbageCollector::enqueueOwners(const Entry& entry) {
  if (entry.ownerUids.empty()) return;
  const Json object = entry.json();
  for (const Json& reference : at(object, "metadata", "ownerReferences")) {
    auto owner = ownerRef(reference, entry.ns);
    if (owner) work_.add(*owner);
  }
}

const Resource* GarbageCollector::resourceOf(const std::string& bucket) const {
  auto it = resources_.find(bucket);
  return it == resources_.end() ? nullptr : it->second;
}

std::optional<ObjectRef> GarbageCollector::ownerRef(const Json& reference, const std::string& ns) const {
  const std::string apiVersion = textAt(reference, "apiVersion");
  const Resource* r = registry_.catalog().findKind(apiVersion, textAt(reference, "kind"));
  if (!r) return std::nullopt;
  if (r->namespaced && ns.empty()) return std::nullopt;  // a cluster-scoped object cannot have a namespaced owner
  return ObjectRef{registry_.bucketOf(*r), r->namespaced ? ns : "", textAt(reference, "name")};
}

Task<void> GarbageCollector::run() {
  for (;;) {
    ObjectRef ref = co_await work_.take();
    co_await process(ref);
  }
}

Task<void> GarbageCollector::process(ObjectRef ref) {
  const EntryPtr entry = registry_.store().get(ref.resource, ref.ns, ref.name);
  if (!entry || !resourceOf(ref.resource)) co_return;
  Json object = entry->json();
  if (isDeleting(object)) {
    if (hasFinalizer(object, kOrphan)) {
      co_await orphanDependents(ref, std::move(object));
    } else if (hasFinalizer(object, kForeground)) {
      co_await deleteDependents(ref, std::move(object));
    }
    co_return;
  }
  if (!entry->ownerUids.empty()) {
    co_await checkOwners(ref, std::move(object));
  }
}

Task<void> GarbageCollector::orphanDependents(ObjectRef ref, Json owner) {
  const std::string uid = textAt(owner["metadata"], "uid");
  std::set<ObjectRef> dependents;
  if (auto it = dependents_.find(uid); it != dependents_.end()) dependents = it->second;
  bool failed = false;
  for (const ObjectRef& d : dependents) {
    const EntryPtr entry = registry_.store().get(d.resource, d.ns, d.name);
    if (!entry) continue;
    Json object = entry->json();
    Json kept = Json::array();
    for (const Json& o : at(object, "metadata", "ownerReferences")) {
      if (textAt(o, "uid") != uid) kept.push_back(o);
    }
    const bool let = co_await setOwners(d, std::move(object), std::move(kept));
    failed = failed || !let;
  }
  if (dependents_.count(uid)) {
    // A dependent that cannot be let go waits for its next attempt, and so does its owner; a conflict or a newcomer: look
    // again.
    if (failed)
      work_.addAfter(ref, retry_);
    else
      work_.add(ref);
    co_return;
  }
  co_await removeFinalizer(ref, std::move(owner), kOrphan);
}

Task<void> GarbageCollector::deleteDependents(ObjectRef ref, Json owner) {
  const std::string uid = textAt(owner["metadata"], "uid");
  std::set<ObjectRef> dependents;
  if (auto it = dependents_.find(uid); it != dependents_.end()) dependents = it->second;
  bool blocked = false;
  for (const ObjectRef& d : dependents) {
    const EntryPtr entry = registry_.store().get(d.resource, d.ns, d.name);
    if (!entry) continue;
    blocked = blocked || blocksOwner(*entry, uid);
    if (!entry->deleting) work_.add(d);
  }
  if (!blocked) {
    co_await removeFinalizer(ref, std::move(owner), kForeground);
  }
}

Task<void> GarbageCollector::checkOwners(ObjectRef ref, Json object) {
  Json solid = Json::array();
  std::size_t absent = 0;
  bool waiting = false;
  for (const Json& reference : at(object, "metadata", "ownerReferences")) {
    const auto owner = ownerRef(reference, ref.ns);
    const EntryPtr entry = owner ? registry_.store().get(owner->resource, owner->ns, owner->name) : nullptr;
    if (owner && (!entry || entry->uid != textAt(reference, "uid"))) {
      ++absent;
    } else if (entry && entry->deleting && hasFinalizer(entry->json(), kForeground)) {
      waiting = true;
    } else {
      solid.push_back(reference);
    }
  }
  if (absent == 0 && !waiting) co_return;
  if (!solid.empty()) {
    co_await setOwners(ref, std::move(object), std::move(solid));
    co_return;
  }
  const std::string uid = textAt(object["metadata"], "uid");
  const bool ownDependents = dependents_.count(uid) > 0;
  co_await remove(ref, uid, waiting && ownDependents ? "Foreground" : "Background");
}

Task<bool> GarbageCollector::removeFinalizer(ObjectRef ref, Json object, std::string finalizer) {
  Json kept = Json::array();
  for (const Json& f : at(object, "metadata", "finalizers")) {
    if (f != finalizer) kept.push_back(f);
  }
  const bool done = co_await patchMetadata(ref, std::move(object), Json{{"finalizers", kept}});
  co_return done;
}

Task<bool> GarbageCollector::setOwners(ObjectRef ref, Json object, Json owners) {
  const bool done =
      co_await patchMetadata(ref, std::move(object), Json{{"ownerReferences", owners.empty() ? Json(nullptr) : owners}});
  co_return done;
}

// An object that is gone needs nothing; one that somebody else wrote is looked at again at once; with any other error (the
// disk is full, an admission hook refuses) there is another attempt after a pause.
bool GarbageCollector::retryLater(const ObjectRef& ref, const Error& error) {
  if (error.code == Code::NotFound) return true;
  if (error.code == Code::Conflict) {
    work_.add(ref);
    return true;
  }
  logWarn("garbage collection of {} {}/{}: {}; trying again", ref.resource, ref.ns, ref.name, error.message);
  work_.addAfter(ref, retry_);
  return false;
}

// With the resourceVersion read, so that a change in between makes it a conflict and we look again.
Task<bool> GarbageCollector::patchMetadata(ObjectRef ref, Json object, Json change) {
  change["resourceVersion"] = at(object, "metadata", "resourceVersion");
  WriteContext context;
  context.resource = resourceOf(ref.resource);
  context.ns = ref.ns;
  context.name = ref.name;
  context.fieldManager = "garbage-collector";
  context.validation = FieldValidation::Ignore;
  auto written = co_await registry_.patch(std::move(context), kube::PatchType::Merge, Json{{"metadata", change}});
  co_return written || retryLater(ref, written.error());
}

Task<void> GarbageCollector::remove(ObjectRef ref, std::string uid, std::string policy) {
  WriteContext context;
  context.resource = resourceOf(ref.resource);
  context.ns = ref.ns;
  context.name = ref.name;
  DeleteRequest request;
  request.propagationPolicy = policy;
  request.uid = uid;
  auto written = co_await registry_.remove(std::move(context), std::move(request));
  // A conflict: another object of that name took its place; its own change brings us here.
  if (written || written.error().code == Code::Conflict) co_return;
  retryLater(ref, written.error());
}

}  // namespace slipway::apiserver
