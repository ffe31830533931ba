// Pruning and structural defaults over one schema: the generic half of what Catalog does. Pure, thread-safe.
#pragma once
#include <string>
#include <vector>

#include "data/json.h"
#include "objects/schema/node_table.h"

namespace slipway::schema {

// Removes unknown fields from `value`; returns their paths. `kubernetes`: also empty lists and maps that a Go struct leaves
// out.
std::vector<std::string> prune(const NodeTable& table, const Node& root, Json& value, bool kubernetes);

// Fills missing fields whose schema has a default. `kubernetes`: also those that kube-apiserver fills in code, plain and
// conditional (kubernetes_defaults.cc), and quantities in canonical form (1000m becomes 1).
void applyDefaults(const NodeTable& table, const Node& root, Json& value, bool kubernetes);

// The conditional defaults of one object of a Kubernetes definition ("io.k8s.api.core.v1.Container"). Called before its
// children are visited.
void kubernetesDefaults(std::string_view definition, Json& object);

}  // namespace slipway::schema
