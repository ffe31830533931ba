// The kinds that are not Kubernetes' own, shown as CustomResourceDefinitions: clients look there to learn whether KServe is
// installed. They describe what the catalog serves; nobody can add, change or delete one.
#pragma once
#include "apiserver/admission.h"
#include "apiserver/registry.h"

namespace slipway::apiserver {

// One object per kind of the catalog that is custom, in catalog order.
std::vector<Json> customDefinitions(const Catalog& catalog);

// Creates those that are missing, brings the others up to date, removes those of kinds that are gone.
Task<Status> publishDefinitions(Registry& registry);

Admission definitionsAreFixed();

}  // namespace slipway::apiserver
