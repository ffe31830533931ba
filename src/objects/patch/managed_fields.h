// Field ownership: server-side apply, and the bookkeeping of every other write. Pure functions on JSON, thread-safe.
//
//   auto out = applyServerSide(catalog, resource, live, applied, {"kubectl", "", "v1", false, now});
//   if (!out->conflicts.empty()) return conflictError(out->conflicts);
//
// An object's metadata.managedFields says which manager set which field. Apply makes a manager's set equal to what it sent:
// fields of others with another value conflict, fields it no longer sends are removed unless someone else owns them. Any
// other write takes over what it changes. At most 10 Update entries are kept; the oldest merge into "ancient-changes". An
// object that has no entries is not tracked until the first apply, which gives what is there to "before-first-apply".
#pragma once
#include <string>
#include <vector>

#include "base/result.h"
#include "data/json.h"
#include "objects/schema/catalog.h"

namespace slipway {

struct FieldManager {
  std::string name;         // fieldManager of the request
  std::string subresource;  // "" or "status", "scale"
  std::string apiVersion;   // of the objects
  bool force = false;       // take conflicting fields over
  std::string time;         // RFC 3339, for the entry
};

struct FieldConflict {
  std::string manager;  // as in messages: "kubectl" using v1, quotes included
  std::string field;    // .spec.replicas
};

struct ApplyOutcome {
  Json object;                           // with managedFields; equal to `live` when nothing changed
  std::vector<FieldConflict> conflicts;  // not empty: nothing was applied
};

// `live`: the stored object, null when it does not exist yet. `applied`: the body, pruned.
// The manager "kubectl" may change what the last-applied annotation of client-side apply lists, and keeps that annotation up
// to date. Error BadRequest when the body carries managedFields or a list with two items of one key, Invalid when the
// manager has no name.
Result<ApplyOutcome> applyServerSide(const Catalog& catalog, const Resource& resource, const Json& live, const Json& applied,
                                     const FieldManager& manager);

// `next` with its managedFields brought up to date for a create, PUT or patch by `manager`. `live` is null on create.
// Entries that `next` brings count instead of the stored ones (kubectl rewrites them when it moves an object from
// client-side to server-side apply); [] clears them and stops the tracking.
Json trackUpdate(const Catalog& catalog, const Resource& resource, const Json& live, Json next, const FieldManager& manager);

// 409 with kube-apiserver's message; detail holds the Status with its causes.
Error conflictError(const std::vector<FieldConflict>& conflicts);

}  // namespace slipway
