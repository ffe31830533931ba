// WriteRules: one write of one object, as it runs inside the store's transaction. Split over write_rules.cc (create,
// update), patch_rules.cc and delete_rules.cc. Made and used by Registry only; lives on the writer thread for one closure.
#pragma once
#include "apiserver/api_status.h"
#include "apiserver/registry.h"
#include "objects/patch/managed_fields.h"

namespace slipway::apiserver {

class WriteRules {
 public:
  // Both must outlive this object.
  WriteRules(const Registry& registry, const WriteContext& context, Txn& txn);

  Result<Written> create(Json object);
  Result<Written> update(Json object);
  Result<Written> patch(kube::PatchType type, const Json& patch);
  Result<Written> remove(const DeleteRequest& request);

 private:
  // Shared steps.
  Result<EntryPtr> put(Json object);         // TooLarge beyond the bound of an object
  Result<EntryPtr> current() const;          // NotFound
  Status checkIdentity(Json& object) const;  // kind, apiVersion, namespace, name
  Status checkNamespace() const;
  Status reportUnknown(Json& object);  // prune; Strict refuses, Warn warns
  Status admit(Operation operation, const Json* old, Json& object);
  Status validate(const Json* old, const Json& object) const;
  AdmissionRequest admissionRequest(Operation operation, const Json* old);
  Json find(const std::string& apiVersion, const std::string& kind, const std::string& ns, const std::string& name) const;
  void allocateClusterIp(Json& service) const;

  // Create.
  Result<std::string> chooseName(const Json& meta) const;
  void setServerFields(Json& meta) const;

  // Update.
  Status checkVersion(const EntryPtr& current, const Json& old, const Json& object) const;
  void keepServerFields(const Json& old, Json& object) const;
  Result<Written> finishUpdate(const EntryPtr& current, const Json& old, Json object);
  Result<Written> updateStatus(const EntryPtr& current, const Json& old, const Json& object);
  Result<Written> updateScale(const EntryPtr& current, const Json& old, const Json& scale);
  Result<Written> store(const EntryPtr& current, const Json& old, Json object);
  Status checkFinalizers(const Json& old, const Json& object) const;
  Status checkScale(const Json& scale) const;  // the kind has one, replicas are a count
  Failure noScale() const;

  // Patch.
  Result<Json> applyPatch(kube::PatchType type, const Json& target, const Json& patch) const;
  Result<Written> patchScale(kube::PatchType type, const EntryPtr& current, const Json& old, const Json& patch);
  Result<Written> serverSideApply(const Json& patch);
  Json applicable(Json applied) const;
  Result<Written> finishApply(const EntryPtr& current, const Json& old, const Json& applied);
  Result<Written> applyScale(const Json& patch);

  // Delete.
  Status checkPreconditions(const EntryPtr& current, const DeleteRequest& request) const;
  std::int64_t graceSeconds(const Json& object, const DeleteRequest& request) const;
  Written removeNow(Json object);

  Written done(EntryPtr entry);
  FieldManager fieldManager() const;
  Json tracked(const Json& old, Json object) const;

  const Registry& registry_;
  const WriteContext& context_;
  Txn& txn_;
  const Resource& asked_;     // the version that the client speaks
  const Resource& resource_;  // the version that is stored
  std::string bucket_;
  std::vector<std::string> warnings_;
  bool ownershipDone_ = false;  // managedFields are already those of this write: it is an apply
};

// The autoscaling/v1 Scale of an object; null Json when the kind has none.
Json scaleOf(const Resource& resource, const Json& object);
// Same object but for resourceVersion, managedFields: writing it again would change nothing.
bool sameObject(const Json& a, const Json& b);

}  // namespace slipway::apiserver
