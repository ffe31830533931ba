// The patches of the Kubernetes API as pure functions on JSON.
#pragma once
#include "base/result.h"
#include "data/json.h"
#include "objects/schema/catalog.h"

namespace slipway {

// RFC 6902. Error Invalid when a test fails or a path is missing, in kube-apiserver's words.
Result<Json> jsonPatch(const Json& object, const Json& patch);
// RFC 7386.
Json mergePatch(Json object, const Json& patch);
// Kubernetes strategic merge: lists merge by x-kubernetes-patch-merge-key; directives $patch, $setElementOrder,
// $deleteFromPrimitiveList, $retainKeys.
Result<Json> strategicMergePatch(const Catalog& catalog, const Resource& resource, const Json& object, const Json& patch);

}  // namespace slipway
