// The two halves of an apply on the object itself: laying the applied fields over it, and taking dropped ones out. Pure.
#pragma once
#include "data/json.h"
#include "objects/patch/field_set.h"
#include "objects/schema/node_table.h"

namespace slipway::patch {

// `applied` wins; objects and lists with keys merge, everything else is replaced.
Json overlay(const schema::NodeTable& table, const schema::Node* node, const Json& live, const Json& applied);

// Takes out of `value` what `before` has and `now` has not, unless `others` own it or something inside.
void removeDropped(const schema::NodeTable& table, const schema::Node* node, Json& value, const FieldSet& before,
                   const FieldSet& now, const FieldSet& others);

}  // namespace slipway::patch
