#include "apiserver/api_status.h"
#include "apiserver/write_rules.h"
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
  if (scale.is_null()) return noScale();
  Result<Json> patched = applyPatch(type == PatchType::Strategic ? PatchType::Merge : type, scale, patch);
  if (!patched) return rejectedPatch(patched.error().message);
  return updateScale(entry, old, *patched);
}

// What an apply may touch: the status endpoint its status, the object's own endpoint everything else.
Json WriteRules::applicable(Json applied) const {
  if (context_.subresource != "status") {
    if (resource_.hasStatus) applied.erase("status");
    return applied;
  }
  Json out{{"apiVersion", at(applied, "apiVersion")}, {"kind", at(applied, "kind")}, {"metadata", Json::object()}};
  for (const char* field : {"name", "namespace", "uid", "resourceVersion"}) {
    if (applied["metadata"].contains(field)) out["metadata"][field] = applied["metadata"][field];
  }
  if (applied.contains("status")) out["status"] = applied["status"];
  return out;
}

Result<Written> WriteRules::serverSideApply(const Json& patch) {
  if (!patch.is_object()) return badRequest("the body of an apply must be an object");
  if (!at(patch, "metadata", "managedFields").empty()) return badRequest("metadata.managedFields must be nil");
  if (context_.subresource == "scale") return applyScale(patch);
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
  const std::string uid = textAt(applied["metadata"], "uid");
  if (!entry && !uid.empty()) {
    return conflict(
        asked_, name,
        fmt::format("uid mismatch: the provided object specified uid {}, and no existing object was found", uid));
  }
  const Json old = entry ? entry->json() : Json(nullptr);
  if (entry) SLIP_CHECK(checkVersion(entry, old, applied));
  return finishApply(entry, old, applicable(std::move(applied)));
}

Result<Written> WriteRules::finishApply(const EntryPtr& entry, const Json& old, const Json& applied) {
  Result<ApplyOutcome> outcome = applyServerSide(registry_.catalog(), resource_, old, applied, fieldManager());
  if (!outcome) return badRequest(outcome.error().message);
  if (!outcome->conflicts.empty()) return fail(conflictError(outcome->conflicts));
  ownershipDone_ = true;
  if (entry) return finishUpdate(entry, old, std::move(outcome->object));
  // A create begins in the version of the request.
  if (&asked_ != &resource_) outcome->object = convertObject(std::move(outcome->object), asked_.apiVersion());
  return create(std::move(outcome->object));
}

// An apply of a Scale is an apply of the one field that it stands for.
Result<Written> WriteRules::applyScale(const Json& patch) {
  SLIP_TRY(const EntryPtr entry, current());
  const Json old = entry->json();
  SLIP_CHECK(checkScale(patch));
  if (textAt(patch, "apiVersion", "autoscaling/v1") != "autoscaling/v1" || textAt(patch, "kind", "Scale") != "Scale")
    return badRequest("the body of an apply to /scale must be a Scale of autoscaling/v1");
  SLIP_CHECK(checkVersion(entry, old, patch));
  Json applied{{"apiVersion", resource_.apiVersion()}, {"kind", resource_.kind}, {"metadata", {{"name", context_.name}}}};
  if (!context_.ns.empty()) applied["metadata"]["namespace"] = context_.ns;
  if (!at(patch, "spec", "replicas").is_null()) applied["spec"]["replicas"] = at(patch, "spec", "replicas");
  SLIP_TRY(Written written, finishApply(entry, old, applied));
  written.entry = makeEntry("scales", scaleOf(resource_, written.entry->json()), 0);
  return written;
}

}  // namespace slipway::apiserver
