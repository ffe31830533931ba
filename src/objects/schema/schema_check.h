// Checks a value against its schema: types, required fields, enums, patterns, bounds, duplicate list keys. What
// kube-apiserver checks in code comes on top: rules.h. Pure, thread-safe.
#pragma once
#include "objects/schema/findings.h"
#include "objects/schema/node_table.h"

namespace slipway::schema {

// Wrong JSON types only. For Kubernetes' own kinds (custom = false) in the words of its decoder.
std::vector<FieldError> checkTypes(const NodeTable& table, const Node& root, const Json& value, bool custom);
// Everything else; call it when checkTypes found nothing. For Kubernetes' own kinds `status` is not checked for required
// fields: its controllers write it piece by piece.
void checkValues(const NodeTable& table, const Node& root, const Json& value, bool custom, Findings& findings);

}  // namespace slipway::schema
