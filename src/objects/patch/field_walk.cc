#include "objects/patch/field_walk.h"

#include <algorithm>
#include <set>

namespace slipway::patch {
namespace {

using schema::ListType;
using schema::Node;
using schema::NodeTable;
using schema::Property;
using schema::Type;

using Group = std::vector<const Json*>;  // items of a list with the same step; more than one is a mistake that is kept

std::map<std::string, Group> itemsByStep(const Shape& shape, const Node& list, const Json* value) {
  std::map<std::string, Group> out;
  if (value == nullptr || !value->is_array()) return out;
  for (const Json& item : *value) out[listStep(shape, list, item)].push_back(&item);
  return out;
}

const Node* memberNode(const Shape& shape, const Node* node, const std::string& key) {
  return node == nullptr ? nullptr : shape.table.member(*node, key);
}

bool noMembers(const Json* value) { return value == nullptr || value->is_null() || value->empty(); }

void insertAll(const Shape& shape, const Node* node, const Json& value, FieldSet& into);

void insertMember(const Shape& shape, const Node* node, const std::string& key, const Json& value, FieldSet& into) {
  const bool declared = node != nullptr && shape.table.property(*node, key) != nullptr;
  FieldSet inner;
  insertAll(shape, memberNode(shape, node, key), value, inner);
  if (value.is_null() || (value.is_object() && value.empty()) || !declared) inner.member = true;
  if (!inner.empty()) into.children["f:" + key] = std::move(inner);
}

void insertAll(const Shape& shape, const Node* node, const Json& value, FieldSet& into) {
  if (value.is_object() && !isAtomicMap(node)) {
    for (const auto& [key, member] : value.items()) insertMember(shape, node, key, member, into);
  } else if (value.is_array() && isGranularList(node)) {
    for (const auto& [step, items] : itemsByStep(shape, *node, &value)) {
      FieldSet& at = into.children[step];
      if (items.size() == 1) insertAll(shape, shape.table.items(*node), *items[0], at);
      at.member = true;
    }
  } else {
    into.member = true;
  }
}

struct Comparer {
  const Shape& shape;

  void leaf(const Json* before, const Json* after, FieldChanges& out) const {
    if (before == nullptr)
      out.added.member = true;
    else if (after == nullptr)
      out.removed.member = true;
    else if (*before != *after)
      out.modified.member = true;
  }

  template <class Visit>
  void descend(const std::string& step, FieldChanges& out, Visit&& visit) const {
    FieldChanges inner;
    visit(inner);
    if (!inner.added.empty()) out.added.children[step] = std::move(inner.added);
    if (!inner.modified.empty()) out.modified.children[step] = std::move(inner.modified);
    if (!inner.removed.empty()) out.removed.children[step] = std::move(inner.removed);
  }

  // The member, or what stands for it in memory where the text does not show it.
  const Json* member(const Node* node, const Json* object, const std::string& key) const {
    static const Json kEmptyStruct = Json::object();
    static const Json kNullList = nullptr;
    if (object == nullptr) return nullptr;
    if (object->is_object()) {
      auto it = object->find(key);
      if (it != object->end()) return &*it;
    }
    if (!shape.kubernetes || node == nullptr) return nullptr;
    const Property* p = shape.table.property(*node, key);
    if (p == nullptr) return nullptr;
    const bool list = shape.table.node(p->node).type == Type::Array;
    if ((p->origin & schema::kValueStruct) != 0) return list ? &kNullList : &kEmptyStruct;
    if (!list) return nullptr;
    const auto required = shape.table.required(*node);
    return std::find(required.begin(), required.end(), key) == required.end() ? nullptr : &kNullList;
  }

  void members(const Node* node, const Json* before, const Json* after, FieldChanges& out) const {
    std::set<std::string> keys;
    for (const Json* object : {before, after}) {
      if (object == nullptr || !object->is_object()) continue;
      for (const auto& [key, value] : object->items()) keys.insert(key);
    }
    for (const std::string& key : keys) {
      descend("f:" + key, out, [&](FieldChanges& inner) {
        compare(memberNode(shape, node, key), member(node, before, key), member(node, after, key), inner);
      });
    }
  }

  void items(const Node& node, const Json* before, const Json* after, FieldChanges& out) const {
    const auto old = itemsByStep(shape, node, before);
    const auto now = itemsByStep(shape, node, after);
    std::set<std::string> steps;
    for (const auto& [step, group] : old) steps.insert(step);
    for (const auto& [step, group] : now) steps.insert(step);
    static const Group kNone;
    for (const std::string& step : steps) {
      const auto was = old.find(step);
      const auto is = now.find(step);
      descend(step, out, [&](FieldChanges& inner) {
        group(shape.table.items(node), was == old.end() ? kNone : was->second, is == now.end() ? kNone : is->second, inner);
      });
    }
  }

  void group(const Node* node, const Group& before, const Group& after, FieldChanges& out) const {
    if (before.size() <= 1 && after.size() <= 1) {
      compare(node, before.empty() ? nullptr : before[0], after.empty() ? nullptr : after[0], out);
    } else if (before.size() > 1 && after.size() > 1) {
      const auto same = [](const Json* a, const Json* b) { return *a == *b; };
      out.modified.member = !std::equal(before.begin(), before.end(), after.begin(), after.end(), same);
    } else if (before.size() > 1) {
      if (!after.empty()) compare(node, nullptr, after[0], out);
      out.removed.member = true;
    } else {
      if (!before.empty()) compare(node, before[0], nullptr, out);
      out.added.member = true;
    }
  }

  void compare(const Node* node, const Json* before, const Json* after, FieldChanges& out) const {
    if (before == nullptr && after == nullptr) return;
    if (before != nullptr && after != nullptr && *before == *after) return;
    const Json& form = after == nullptr || after->is_null() ? (before == nullptr ? *after : *before) : *after;
    const bool mixed = before != nullptr && after != nullptr && !before->is_null() && !after->is_null() &&
                       (before->is_object() != after->is_object() || before->is_array() != after->is_array());
    const bool object = form.is_object() && !isAtomicMap(node);
    const bool list = form.is_array() && isGranularList(node);
    if (mixed || (!object && !list) || (noMembers(before) && noMembers(after))) return leaf(before, after, out);
    if (object)
      members(node, before, after, out);
    else
      items(*node, before, after, out);
    if (before == nullptr) out.added.member = true;
    if (after == nullptr) out.removed.member = true;
  }
};

struct Checker {
  const Shape& shape;

  std::optional<std::string> visit(const Node* node, const Json& value, const std::string& path) const {
    if (value.is_object() && !isAtomicMap(node)) return members(node, value, path);
    if (value.is_array() && isGranularList(node)) return items(*node, value, path);
    return std::nullopt;
  }

  std::optional<std::string> members(const Node* node, const Json& value, const std::string& path) const {
    for (const auto& [key, member] : value.items()) {
      if (auto why = visit(memberNode(shape, node, key), member, path + "." + key)) return why;
    }
    return std::nullopt;
  }

  std::optional<std::string> items(const Node& node, const Json& value, const std::string& path) const {
    std::set<std::string> seen;
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (auto why = keyProblem(node, value[i])) return fmt::format("{}: element {}: {}", path, i, *why);
      const std::string step = listStep(shape, node, value[i]);
      if (!seen.insert(step).second) return path + ": duplicate entries for key " + readableStep(step);
      if (auto why = visit(shape.table.items(node), value[i], path + readableStep(step))) return why;
    }
    return std::nullopt;
  }

  std::optional<std::string> keyProblem(const Node& list, const Json& item) const {
    if (list.listType != ListType::Map) return std::nullopt;
    if (!item.is_object()) return "associative list may not have non-map elements";
    const Node* node = shape.table.items(list);
    for (const auto key : shape.table.keys(list)) {
      const std::string name(key);
      const Property* p = node == nullptr ? nullptr : shape.table.property(*node, name);
      if (!at(item, name).is_null() || (p != nullptr && p->defaultText != schema::kNone)) continue;
      return "associative list with keys has an element that omits key field \"" + name +
             "\" (and doesn't have default value)";
    }
    return std::nullopt;
  }
};

const FieldSet* below(const FieldSet* set, const std::string& step) { return set == nullptr ? nullptr : set->child(step); }

const Json* memberOf(const Json* object, const std::string& key) {
  if (object == nullptr || !object->is_object()) return nullptr;
  auto it = object->find(key);
  return it == object->end() || it->is_null() ? nullptr : &*it;
}

const Json* itemOf(const Shape& shape, const Node& list, const Json* items, const std::string& step) {
  if (items == nullptr || !items->is_array()) return nullptr;
  for (const Json& item : *items) {
    if (listStep(shape, list, item) == step) return &item;
  }
  return nullptr;
}

struct Remover {
  const Shape& shape;
  bool nulls;  // what is emptied becomes null

  // What speaks for a member that is emptied, on the way down.
  struct Keep {
    const FieldSet* owned = nullptr;
    const Json* asked = nullptr;
    bool holds() const { return asked != nullptr || (owned != nullptr && owned->member); }
  };

  Json visit(const Node* node, const Json& value, const FieldSet& gone, Keep keep) const {
    if (gone.children.empty() || (!value.is_object() && !value.is_array())) return value;
    Json out;
    if (value.is_object() && !isAtomicMap(node))
      out = members(node, value, gone, keep);
    else if (value.is_array() && isGranularList(node))
      out = items(*node, value, gone, keep);
    return out.empty() ? Json(nullptr) : out;
  }

  bool alwaysThere(const Node* node, const std::string& key) const {
    const Property* p = shape.kubernetes && node != nullptr ? shape.table.property(*node, key) : nullptr;
    return p != nullptr && (p->origin & schema::kValueStruct) != 0;
  }

  Json members(const Node* node, const Json& value, const FieldSet& gone, Keep keep) const {
    Json out = Json::object();
    for (const auto& [key, member] : value.items()) {
      const std::string step = "f:" + key;
      const FieldSet* inner = gone.child(step);
      const Keep inside{below(keep.owned, step), memberOf(keep.asked, key)};
      if (inner != nullptr && inner->member) {
        if (!nulls && inside.asked != nullptr) out[key] = *inside.asked;  // asked for, and empty: or it would be owned
        continue;
      }
      Json rest = inner == nullptr ? member : visit(memberNode(shape, node, key), member, *inner, inside);
      if (!rest.is_null() || member.is_null() || nulls)
        out[key] = std::move(rest);
      else if (inside.holds() || alwaysThere(node, key))
        out[key] = Json(member.type());
    }
    return out;
  }

  Json items(const Node& node, const Json& value, const FieldSet& gone, Keep keep) const {
    Json out = Json::array();
    for (const Json& item : value) {
      const std::string step = listStep(shape, node, item);
      const FieldSet* inner = gone.child(step);
      if (inner != nullptr && inner->member) continue;
      const Keep inside{below(keep.owned, step), itemOf(shape, node, keep.asked, step)};
      Json rest = inner == nullptr ? item : visit(shape.table.items(node), item, *inner, inside);
      if (!rest.is_null() || nulls) out.push_back(std::move(rest));
    }
    return out;
  }
};

}  // namespace

std::string listStep(const Shape& shape, const Node& list, const Json& item) {
  if (list.listType == ListType::Set) return "v:" + dumpJson(item);
  Json keys = Json::object();
  const Node* items = shape.table.items(list);
  for (const auto key : shape.table.keys(list)) {
    const std::string name(key);
    keys[name] = at(item, name);
    const Property* p = items == nullptr ? nullptr : shape.table.property(*items, name);
    if (keys[name].is_null() && p != nullptr && p->defaultText != schema::kNone) keys[name] = shape.table.defaultOf(*p);
  }
  return "k:" + dumpJson(keys);
}

bool isGranularList(const Node* node) {
  return node != nullptr && node->type == Type::Array &&
         (node->listType == ListType::Map || node->listType == ListType::Set);
}

bool isAtomicMap(const Node* node) { return node != nullptr && (node->flags & schema::kAtomicMap) != 0; }

FieldSet fieldsOf(const Shape& shape, const Node* node, const Json& value) {
  FieldSet out;
  insertAll(shape, node, value, out);
  return out;
}

FieldChanges compareFields(const Shape& shape, const Node* node, const Json& before, const Json& after) {
  FieldChanges out;
  Comparer{shape}.compare(node, &before, &after, out);
  return out;
}

Json withoutFields(const Shape& shape, const Node* node, const Json& value, const FieldSet& gone) {
  return Remover{shape, true}.visit(node, value, gone, {});
}

Json withoutFields(const Shape& shape, const Node* node, const Json& value, const FieldSet& gone, const FieldSet& kept,
                   const Json& asked) {
  return Remover{shape, false}.visit(node, value, gone, {&kept, &asked});
}

FieldSet withNamedFields(const Shape& shape, const Node* node, const FieldSet& set) {
  FieldSet out;
  out.member = set.member;
  const bool list = node != nullptr && node->type == Type::Array;
  for (const auto& [step, inner] : set.children) {
    const bool field = step[0] == 'f';
    const std::string key = field ? step.substr(2) : "";
    const Node* child = field ? memberNode(shape, node, key) : (list ? shape.table.items(*node) : nullptr);
    FieldSet named = withNamedFields(shape, child, inner);
    if (field && node != nullptr && !inner.children.empty() && shape.table.property(*node, key) != nullptr)
      named.member = true;
    out.children.emplace(step, std::move(named));
  }
  return out;
}

std::optional<std::string> whyNotApplicable(const Shape& shape, const Node* node, const Json& value) {
  return Checker{shape}.visit(node, value, "");
}

}  // namespace slipway::patch
