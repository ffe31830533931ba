// FieldSet: a set of paths in an object, the FieldsV1 of managed fields as a tree. Steps are "f:name", "k:{…}" (a list item
// by its keys), "v:…" (an item of a set), "i:0". Value type. What an object's fields are: field_walk.h.
#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "data/json.h"

namespace slipway::patch {

class FieldSet {
 public:
  bool member = false;  // whether the path up to here is in the set
  std::map<std::string, FieldSet> children;

  bool empty() const { return !member && children.empty(); }
  const FieldSet* child(const std::string& step) const;

  static FieldSet fromFieldsV1(const Json& fields);
  Json toFieldsV1() const;

  // All three go by path: a member above or below another says nothing about it.
  FieldSet unite(const FieldSet& other) const;
  FieldSet intersect(const FieldSet& other) const;
  FieldSet subtract(const FieldSet& other) const;

  // Every path as kube-apiserver prints it: .spec.containers[name="c"].image
  std::vector<std::string> paths() const;

  bool operator==(const FieldSet&) const = default;
};

// One step as it stands in a printed path: .spec, [name="c"], [="a"].
std::string readableStep(const std::string& step);

}  // namespace slipway::patch
