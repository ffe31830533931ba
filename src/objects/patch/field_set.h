// FieldSet: a set of paths in an object, the FieldsV1 of managed fields as a tree. Steps are "f:name", "k:{…}" (a list item
// by its keys), "v:…" (an item of a set), "i:0". Value type.
#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "data/json.h"
#include "objects/schema/node_table.h"

namespace slipway::patch {

class FieldSet {
 public:
  bool member = false;  // whether the path up to here is in the set
  std::map<std::string, FieldSet> children;

  bool empty() const { return !member && children.empty(); }
  const FieldSet* child(const std::string& step) const;

  static FieldSet fromFieldsV1(const Json& fields);
  Json toFieldsV1() const;

  FieldSet unite(const FieldSet& other) const;
  FieldSet intersect(const FieldSet& other) const;
  FieldSet subtract(const FieldSet& other) const;
  // Takes out the path and everything below.
  void removeAll(const FieldSet& paths);

  // Every path as kube-apiserver prints it: .spec.containers[name="c"].image
  std::vector<std::string> paths() const;

  bool operator==(const FieldSet&) const = default;
};

// How a list item is named in its list; a missing key counts with its default (protocol: TCP).
std::string listStep(const schema::NodeTable& table, const schema::Node& list, const Json& item);
bool isGranularList(const schema::Node* node);
bool isGranularObject(const schema::Node* node, const Json& value);

// All fields that `value` sets, as an applier would own them.
FieldSet fieldsOf(const schema::NodeTable& table, const schema::Node* node, const Json& value);

struct FieldChanges {
  FieldSet added, modified, removed;
};
FieldChanges compareFields(const schema::NodeTable& table, const schema::Node* node, const Json& before, const Json& after);

}  // namespace slipway::patch
