// applyChildren: brings the objects that an owner should have into being: creates or server-side-applies each of them with
// the owner reference set, removes the owner's children of the listed kinds that are no longer wanted, and writes nothing
// when nothing changes. One Inventory per controller, used from its executor.
//
//   Inventory inventory(client, cache, "slipway-isvc", {kinds::kDeployment, kinds::kService});
//   auto report = co_await applyChildren(inventory, isvc, desired(isvc, facts));
#pragma once
#include "kube/informer.h"

namespace slipway::kube {

// The kinds of children that a controller writes, and what it last wrote of each (so that a field which is no longer wanted
// is noticed). Bounded by the number of living children.
class Inventory {
 public:
  Inventory(Client& client, Cache& cache, std::string fieldManager, std::vector<Kind> kinds);

  struct Written {
    Json desired;
    std::string uid;
    std::string resourceVersion;
  };
  using ChildKey = std::pair<std::string, Key>;  // "apps/v1/Deployment" and which

  const Kind* kindOf(const Json& object) const;  // null when the kind is not one of ours
  Informer& informer(const Kind& kind) { return cache_.of(kind); }
  Client& client() { return client_; }
  const std::string& fieldManager() const { return fieldManager_; }
  const std::vector<Kind>& kinds() const { return kinds_; }
  std::map<ChildKey, Written>& written() { return *written_; }

 private:
  Client& client_;
  Cache& cache_;
  std::string fieldManager_;
  std::vector<Kind> kinds_;
  std::shared_ptr<std::map<ChildKey, Written>> written_ =
      std::make_shared<std::map<ChildKey, Written>>();  // shared with handlers
};

struct ApplyReport {
  std::vector<Json> children;  // in the order of `desired`, as the server has them; null for one that is still being deleted
  int applied = 0;             // requests sent to create or change
  int removed = 0;
};

// `owner` must carry apiVersion, kind, metadata.name and metadata.uid. Each desired object gets the owner's namespace if it
// has none. Errors: what the server answers, with the child's kind and name in front; AlreadyExists when another controller
// owns an object of that name. Children before the one that failed stay written.
Task<Result<ApplyReport>> applyChildren(Inventory& inventory, Json owner, std::vector<Json> desired);

// True when every field of `desired` has the same value in `live`; live may have more (defaults, fields of others). Lists
// must have equal length. Empty objects and lists count as absent ones.
bool covers(const Json& live, const Json& desired);

// The merge patch that gives `live` every field of `desired` and takes away what only `last` (an earlier desired) had set;
// an empty object when there is nothing to do. Lists that differ are replaced whole.
Json corrections(const Json& live, const Json& desired, const Json& last);

// {"apiVersion","kind","name","uid","controller":true,"blockOwnerDeletion":true}
Json ownerReference(const Json& owner);

}  // namespace slipway::kube
