// What the fields of an object are, by its schema: which fields a value sets, how two values differ, and a value without
// some of its fields. The rules are those of structured merge: lists of type map go by their keys, sets by value, everything
// atomic is one field. Pure functions, thread-safe.
#pragma once
#include <optional>
#include <string>

#include "data/json.h"
#include "objects/patch/field_set.h"
#include "objects/schema/node_table.h"

namespace slipway::patch {

struct Shape {
  const schema::NodeTable& table;
  // Kubernetes' own kinds are Go structs in kube-apiserver: some fields are there even when the object does not show them,
  // so setting a field inside does not count as adding them.
  bool kubernetes = true;
};

// How a list item is named in its list; a missing key counts with its default (protocol: TCP).
std::string listStep(const Shape& shape, const schema::Node& list, const Json& item);
bool isGranularList(const schema::Node* node);
bool isAtomicMap(const schema::Node* node);

// All fields that `value` sets, as an applier would own them.
FieldSet fieldsOf(const Shape& shape, const schema::Node* node, const Json& value);

struct FieldChanges {
  FieldSet added, modified, removed;
};
FieldChanges compareFields(const Shape& shape, const schema::Node* node, const Json& before, const Json& after);

// `value` without the fields of `gone`. A member that loses all of its own becomes null.
Json withoutFields(const Shape& shape, const schema::Node* node, const Json& value, const FieldSet& gone);
// The same, but such a member goes too, unless it is in `kept` itself, in `asked`, or always there: then it is empty.
Json withoutFields(const Shape& shape, const schema::Node* node, const Json& value, const FieldSet& gone,
                   const FieldSet& kept, const Json& asked);

// `set` with the declared fields above each path as members, though an applier does not own them by themselves.
FieldSet withNamedFields(const Shape& shape, const schema::Node* node, const FieldSet& set);

// Why `value` cannot be applied: ".spec.containers: duplicate entries for key [name=\"c\"]"; nothing when it can.
std::optional<std::string> whyNotApplicable(const Shape& shape, const schema::Node* node, const Json& value);

}  // namespace slipway::patch
