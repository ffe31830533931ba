// A catalog with the usual resources and no schemas: everything is accepted, nothing is defaulted. For tests of the server itself;
// tests of behaviour that depends on schemas use Catalog::builtin().
#pragma once
#include "objects/schema/catalog.h"

namespace slipway::apiserver {

std::shared_ptr<const Catalog> fakeCatalog();

}  // namespace slipway::apiserver
