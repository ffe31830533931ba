// Registry: create, get, list, update, patch, delete and watch for every resource of the catalog, with the rules that all
// kinds share: metadata, validation, admission, subresources, optimistic locking, finalizers, graceful deletion, dry run.
//
// One code path for HTTP and for LocalClient. Errors carry a Status (api_status.h). Used from the control executor; the
// rules of a write run on the store's writer thread.
//
//   Registry registry(store, hub, Catalog::builtin(), {});
//   auto made = co_await registry.create({.resource = registry.resource("", "v1", "configmaps"), .ns = "default"}, object);
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apiserver/admission.h"
#include "apiserver/object_watch.h"
#include "apiserver/selectors.h"
#include "apiserver/store.h"
#include "apiserver/watch_hub.h"
#include "base/clock.h"
#include "kube/client.h"

namespace slipway::apiserver {

enum class FieldValidation { Ignore, Warn, Strict };

// Everything about a write but its body.
struct WriteContext {
  const Resource* resource = nullptr;
  std::string ns, name, subresource;  // name may be empty on create (generateName)
  UserInfo user = UserInfo::system();
  std::string fieldManager = "unknown";
  bool dryRun = false;
  bool force = false;  // apply patches
  FieldValidation validation = FieldValidation::Warn;
  std::vector<std::string> duplicateFields = {};  // found by the body's parser, reported with unknown fields
};

struct DeleteRequest {
  std::optional<std::int64_t> gracePeriodSeconds;
  std::string propagationPolicy;     // "", Background, Foreground, Orphan
  std::string uid, resourceVersion;  // preconditions
};

struct Written {
  EntryPtr entry;  // the object as stored (or as it would be, with dryRun)
  bool created = false;
  bool removed = false;  // a delete that took effect at once
  std::vector<std::string> warnings;
};

struct ListQuery {
  std::string ns, labelSelector, fieldSelector;
  std::size_t limit = 0;  // 0: all
  std::string continueToken;
  std::string resourceVersion, resourceVersionMatch;
};
struct ListPage {
  std::uint64_t revision = 0;
  std::vector<EntryPtr> entries;
  std::string continueToken;  // empty on the last page
  std::size_t remaining = 0;
};

struct RegistryOptions {
  std::vector<Admission> admissions;
  std::shared_ptr<Clock> clock;               // null: the system's
  std::size_t maxObjectBytes = 1536 << 10;    // of an object as JSON, as etcd's limit of a request; 413 beyond
  std::string serviceCidr = "127.96.0.0/16";  // where Services of type ClusterIP get their addresses; empty: none is given
};

class Registry {
 public:
  Registry(Store& store, WatchHub& hub, std::shared_ptr<const Catalog> catalog, RegistryOptions options = {});
  ~Registry();

  const Catalog& catalog() const { return *catalog_; }
  const Resource* resource(std::string_view group, std::string_view version, std::string_view plural) const;

  Result<EntryPtr> get(const Resource& resource, const std::string& ns, const std::string& name) const;
  // What exists now, whole.
  Result<ListPage> list(const Resource& resource, const ListQuery& query) const;
  // A page, or the state at a revision: every page of one list shows the same state. Errors: Gone in Kubernetes' words (with
  // a token that goes on in the present state), Timeout for a revision that is not there yet, Invalid options.
  Task<Result<ListPage>> page(const Resource& resource, ListQuery query) const;
  // Timeout when `resourceVersion` has not been reached.
  Status checkReached(const std::string& resourceVersion) const;
  // Gone when the revision is compacted.
  Result<WatchStart> watchStart(const Resource& resource, const WatchQuery& query) const;
  Result<std::unique_ptr<ObjectWatch>> watch(const Resource& resource, const WatchQuery& query);

  Task<Result<Written>> create(WriteContext context, Json object);
  Task<Result<Written>> update(WriteContext context, Json object);
  Task<Result<Written>> patch(WriteContext context, kube::PatchType type, Json patch);
  Task<Result<Written>> remove(WriteContext context, DeleteRequest request);

  // The Scale of a deployment, replica set or stateful set; apply one with update or patch and subresource "scale".
  Result<Json> scale(const Resource& resource, const std::string& ns, const std::string& name) const;

  // Answers a TokenRequest for a ServiceAccount (account_tokens.h); whoever has the keys sets it.
  using TokenRequests = std::function<Result<Json>(const std::string& ns, const std::string& name, const Json& request)>;
  void setTokenRequests(TokenRequests requests) { tokenRequests_ = std::move(requests); }
  Result<Json> requestToken(const std::string& ns, const std::string& name, const Json& request) const;

  // Whether an entry is stored in the version of `resource`, so that its text can be sent as it is.
  static bool storedAs(const Resource& resource, const Entry& entry);
  // The text of an entry in the version of `resource` (it is stored in the preferred one).
  static std::string textFor(const Resource& resource, const Entry& entry);

  // The version in which objects of this kind are stored, and the name of its shelf in the store.
  const Resource& storageVersion(const Resource& resource) const;
  std::string bucketOf(const Resource& resource) const { return storageVersion(resource).qualified(); }
  const std::vector<Admission>& admissions() const { return options_.admissions; }
  const std::string& serviceCidr() const { return options_.serviceCidr; }
  std::size_t maxObjectBytes() const { return options_.maxObjectBytes; }

  Store& store() { return store_; }
  WatchHub& hub() { return hub_; }
  const Clock& clock() const { return *clock_; }

 private:
  template <class Step>
  Task<Result<Written>> write(WriteContext context, Step step);

  Store& store_;
  WatchHub& hub_;
  std::shared_ptr<const Catalog> catalog_;
  RegistryOptions options_;
  std::shared_ptr<Clock> clock_;
  TokenRequests tokenRequests_;
};

}  // namespace slipway::apiserver
