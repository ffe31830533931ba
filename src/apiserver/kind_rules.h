// What the server adds to single built-in kinds beyond their schemas: a first status, finalizers of namespaces, and values
// that a client which replaces an object from its manifest does not know. Pure functions; they run on the writer thread.
#pragma once
#include "data/json.h"
#include "objects/schema/catalog.h"

namespace slipway::apiserver {

// Before the schema's defaults. The status that a client sent is already gone.
void prepareCreate(const Resource& resource, Json& object);
void prepareUpdate(const Resource& resource, const Json& old, Json& object);
// Whether the server counts metadata.generation for this kind.
bool hasGeneration(const Resource& resource);

}  // namespace slipway::apiserver
