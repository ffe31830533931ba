// The two halves of an apply on the object itself: laying the applied fields over it, and taking dropped ones out. Pure.
#pragma once
#include "data/json.h"
#include "objects/patch/field_walk.h"

namespace slipway::patch {

// `applied` wins; objects and lists with keys merge, everything else is replaced.
Json overlay(const Shape& shape, const schema::Node* node, const Json& live, const Json& applied);

// What of `merged` goes: what `last` has and nobody in `owned` (the applier's new set included) claims.
FieldSet droppedFields(const Shape& shape, const schema::Node* node, const Json& merged, const FieldSet& last,
                       const FieldSet& owned);

}  // namespace slipway::patch
