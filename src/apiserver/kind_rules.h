// What single built-in kinds add to the common rules of the registry: values that the server fills on create (a Secret's data, a
// Pod's phase, a Namespace's finalizer) and fields that may not change. Pure functions; they run on the writer thread.
#pragma once
#include <vector>

#include "data/json.h"
#include "objects/schema/catalog.h"

namespace slipway::apiserver {

// After the schema's defaults, before validation. The status that a client sent is already gone.
void prepareCreate(const Resource& resource, Json& object);
void prepareUpdate(const Resource& resource, const Json& old, Json& object);
// Causes of a 422 for changes of fields that are fixed once set.
std::vector<FieldError> checkChange(const Resource& resource, const Json& old, const Json& object);
// Whether the server counts metadata.generation for this kind.
bool hasGeneration(const Resource& resource);

}  // namespace slipway::apiserver
