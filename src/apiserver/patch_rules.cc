#include "apiserver/api_status.h"
#include "apiserver/write_rules.h"
#include "objects/patch/field_set.h"
#include "objects/patch/patch.h"
#include "objects/schema/convert.h"

namespace slipway::apiserver {

using kube::PatchType;

Result<Json> WriteRules::applyPatch(PatchType type, const Json& target, const Json& patch) const {
  switch (type) {
    case PatchType::Json: return jsonPatch(target, patch);
    case PatchType::Merge: return mergePatch(target, patch);
    case PatchType::Strategic: return strategicMergePatch(registry_.catalog(), asked_, target, patch);
    case PatchType::Apply: break;
  }
  return fail(Code::Internal, "not a patch of an existing object");
}

Result<Written> WriteRules::patch(PatchType type, const Json& patch) {
  if (type == PatchType::Apply) return serverSideApply(patch);
  if (type != PatchType::Json && !patch.is_object()) return badRequest("the patch must be a JSON object");
  if (type == PatchType::Strategic && asked_.custom) {
    return unsupportedMediaType(
        {"application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"});
  }
  SLIP_TRY(const EntryPtr entry, current());
  const Json old = entry->json();
  if (context_.subresource == "scale") return patchScale(type, entry, old, patch);
  Json target = &asked_ == &resource_ ? old : convertObject(old, asked_.apiVersion());
  Result<Json> patched = applyPatch(type, target, patch);
  if (!patched && patched.error().code == Code::Invalid) return rejectedPatch(patched.error().message);
  if (!patched) return badRequest(patched.error().message);
  SLIP_CHECK(checkIdentity(*patched));
  const std::string name = textAt((*patched)["metadata"], "name");
  if (name != context_.name) {
    return badRequest(
        fmt::format("the name of the object ({}) does not match the name on the URL ({})", name, context_.name));
  }
  if (Status unknown = reportUnknown(*patched); !unknown) {
    return invalidPatch(dumpJson(*patched), unknown.error().message);
  }
  SLIP_CHECK(checkVersion(entry, old, *patched));
  return finishUpdate(entry, old, std::move(*patched));
}

Result<Written> WriteRules::patchScale(PatchType type, const EntryPtr& entry, const Json& old, const Json& patch) {
  const Json scale = scaleOf(asked_, old);
  if (scale.is_null()) return noSuchPath();
  Result<Json> patched = applyPatch(type == PatchType::Strategic ? PatchType::Merge : type, scale, patch);
  if (!patched) return rejectedPatch(patched.error().message);
  return updateScale(entry, old, *patched);
}

// kubectl moving an object from client-side to server-side apply may change what its last-applied annotation lists: those
// fields are its own, under the name of an Update manager.
bool WriteRules::wereAppliedBefore(const Json& live, const std::vector<FieldConflict>& conflicts) const {
  if (context_.fieldManager != "kubectl") return false;
  const std::string text = textAt(at(live, "metadata", "annotations"), "kubectl.kubernetes.io/last-applied-configuration");
  const Json last = Json::parse(text, nullptr, false);
  if (!last.is_object()) return false;
  const schema::NodeTable& nodes = registry_.catalog().nodes();
  const std::vector<std::string> mine = patch::fieldsOf(nodes, &nodes.node(resource_.schema), last).paths();
  return std::all_of(conflicts.begin(), conflicts.end(),
                     [&](const FieldConflict& c) { return std::find(mine.begin(), mine.end(), c.field) != mine.end(); });
}

Result<Written> WriteRules::serverSideApply(const Json& patch) {
  if (!patch.is_object()) return badRequest("the body of an apply must be an object");
  if (!at(patch, "metadata", "managedFields").empty()) return badRequest("metadata.managedFields must be nil");
  Json applied = patch;
  SLIP_CHECK(checkIdentity(applied));
  const std::string name = textAt(applied["metadata"], "name", context_.name);
  if (name != context_.name) {
    return badRequest(
        fmt::format("the name of the object ({}) does not match the name on the URL ({})", name, context_.name));
  }
  applied["metadata"]["name"] = name;
  if (Status unknown = reportUnknown(applied); !unknown) return badRequest(unknown.error().message);
  const EntryPtr entry = txn_.get(bucket_, context_.ns, context_.name);
  if (!entry && !context_.subresource.empty()) return notFound(asked_, context_.name);
  const Json old = entry ? entry->json() : Json(nullptr);
  if (entry) SLIP_CHECK(checkVersion(entry, old, applied));
  SLIP_TRY(ApplyOutcome outcome, applyServerSide(registry_.catalog(), resource_, old, applied, fieldManager()));
  if (!outcome.conflicts.empty() && wereAppliedBefore(old, outcome.conflicts)) {
    FieldManager forced = fieldManager();
    forced.force = true;
    SLIP_TRY(outcome, applyServerSide(registry_.catalog(), resource_, old, applied, forced));
  }
  if (!outcome.conflicts.empty()) return fail(conflictError(outcome.conflicts));
  ownershipDone_ = true;
  if (!entry) return create(std::move(outcome.object));
  return finishUpdate(entry, old, std::move(outcome.object));
}

}  // namespace slipway::apiserver
