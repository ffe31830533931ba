#include "objects/patch/field_set.h"

namespace slipway::patch {
namespace {

using schema::ListType;
using schema::Node;
using schema::NodeTable;
using schema::Type;

void insertAll(const NodeTable& table, const Node* node, const Json& value, FieldSet& into);

bool isAtomicMap(const Node* node) { return node != nullptr && (node->flags & schema::kAtomicMap) != 0; }

std::string readable(const std::string& step) {
  const std::string rest = step.substr(2);
  if (step[0] == 'f') return "." + rest;
  if (step[0] == 'i') return "[" + rest + "]";
  if (step[0] == 'v') return "[=" + rest + "]";
  auto keys = parseJson(rest);
  if (!keys || !keys->is_object()) return "[" + rest + "]";
  std::string out;
  for (const auto& [name, value] : keys->items()) out += (out.empty() ? "" : ",") + name + "=" + dumpJson(value);
  return "[" + out + "]";
}

void collect(const FieldSet& set, const std::string& path, std::vector<std::string>& out) {
  if (set.member) out.push_back(path);
  for (const auto& [step, child] : set.children) collect(child, path + readable(step), out);
}

std::map<std::string, const Json*> itemsByStep(const NodeTable& table, const Node& list, const Json& value) {
  std::map<std::string, const Json*> out;
  for (const Json& item : value) out.emplace(listStep(table, list, item), &item);
  return out;
}

void insertMember(const NodeTable& table, const Node* node, const std::string& key, const Json& value, FieldSet& into) {
  const bool field = node != nullptr && table.property(*node, key) != nullptr;
  const Node* child = node == nullptr ? nullptr : table.member(*node, key);
  FieldSet& at = into.children["f:" + key];
  insertAll(table, child, value, at);
  if (value.is_null() || (value.is_object() && value.empty()) || !field) at.member = true;
}

void insertAll(const NodeTable& table, const Node* node, const Json& value, FieldSet& into) {
  if (value.is_object() && isGranularObject(node, value)) {
    for (const auto& [key, member] : value.items()) insertMember(table, node, key, member, into);
  } else if (value.is_array() && isGranularList(node)) {
    for (const auto& [step, item] : itemsByStep(table, *node, value)) {
      FieldSet& at = into.children[step];
      insertAll(table, table.items(*node), *item, at);
      at.member = true;
    }
  } else {
    into.member = true;
  }
}

// An object that was not there before: its own path counts where it is a map entry, a list item, or a map.
FieldSet appeared(const NodeTable& table, const Node* node, const Json& value) {
  FieldSet out;
  insertAll(table, node, value, out);
  const bool map = value.is_object() && (node == nullptr || (table.properties(*node).empty() && node->type == Type::Object));
  if (map || (value.is_object() && value.empty())) out.member = true;
  for (auto& [step, child] : out.children) {
    // Maps inside get the same mark.
    if (step[0] != 'f' || !value.is_object()) continue;
    const std::string key = step.substr(2);
    if (value.contains(key) && !child.children.empty())
      child = appeared(table, node == nullptr ? nullptr : table.member(*node, key), value[key]);
  }
  if (value.is_array() && isGranularList(node)) {
    for (const auto& [step, item] : itemsByStep(table, *node, value)) {
      out.children[step] = appeared(table, table.items(*node), *item);
      out.children[step].member = true;
    }
  }
  return out;
}

void compare(const NodeTable& table, const Node* node, const Json* before, const Json* after, FieldChanges& out);

template <class Step>
void descend(const std::string& step, FieldChanges& out, Step&& visit) {
  FieldChanges inner;
  visit(inner);
  if (!inner.added.empty()) out.added.children[step] = std::move(inner.added);
  if (!inner.modified.empty()) out.modified.children[step] = std::move(inner.modified);
  if (!inner.removed.empty()) out.removed.children[step] = std::move(inner.removed);
}

void compareObjects(const NodeTable& table, const Node* node, const Json& before, const Json& after, FieldChanges& out) {
  std::set<std::string> keys;
  for (const auto& [key, value] : before.items()) keys.insert(key);
  for (const auto& [key, value] : after.items()) keys.insert(key);
  for (const std::string& key : keys) {
    const auto find = [&](const Json& object) { return object.contains(key) ? &object[key] : nullptr; };
    const Node* child = node == nullptr ? nullptr : table.member(*node, key);
    descend("f:" + key, out, [&](FieldChanges& inner) { compare(table, child, find(before), find(after), inner); });
  }
}

void compare(const NodeTable& table, const Node* node, const Json* before, const Json* after, FieldChanges& out) {
  if (before == nullptr && after == nullptr) return;
  if (before == nullptr) {
    out.added = appeared(table, node, *after);
  } else if (after == nullptr) {
    out.removed = appeared(table, node, *before);
    out.removed.member = true;
  } else if (*before == *after) {
    return;
  } else if (before->is_object() && after->is_object() && !isAtomicMap(node)) {
    compareObjects(table, node, *before, *after, out);
  } else if (before->is_array() && after->is_array() && isGranularList(node)) {
    const auto old = itemsByStep(table, *node, *before);
    const auto now = itemsByStep(table, *node, *after);
    for (const auto& [step, item] : old) {
      auto it = now.find(step);
      descend(step, out, [&](FieldChanges& inner) {
        compare(table, table.items(*node), item, it == now.end() ? nullptr : it->second, inner);
      });
      if (it == now.end()) out.removed.children[step].member = true;
    }
    for (const auto& [step, item] : now) {
      if (old.contains(step)) continue;
      descend(step, out, [&](FieldChanges& inner) { compare(table, table.items(*node), nullptr, item, inner); });
      out.added.children[step].member = true;
    }
  } else {
    out.modified.member = true;
  }
}

}  // namespace

const FieldSet* FieldSet::child(const std::string& step) const {
  auto it = children.find(step);
  return it == children.end() ? nullptr : &it->second;
}

FieldSet FieldSet::fromFieldsV1(const Json& fields) {
  FieldSet out;
  if (!fields.is_object()) return out;
  for (const auto& [step, value] : fields.items()) {
    if (step == ".") {
      out.member = true;
    } else if (step.size() >= 2 && step[1] == ':') {
      FieldSet inner = fromFieldsV1(value);
      if (value.empty()) inner.member = true;
      out.children.emplace(step, std::move(inner));
    }
  }
  return out;
}

Json FieldSet::toFieldsV1() const {
  Json out = Json::object();
  if (member && !children.empty()) out["."] = Json::object();
  for (const auto& [step, child] : children) out[step] = child.toFieldsV1();
  return out;
}

FieldSet FieldSet::unite(const FieldSet& other) const {
  FieldSet out = *this;
  out.member = member || other.member;
  for (const auto& [step, inner] : other.children) {
    auto [it, fresh] = out.children.try_emplace(step, inner);
    if (!fresh) it->second = it->second.unite(inner);
  }
  return out;
}

FieldSet FieldSet::intersect(const FieldSet& other) const {
  FieldSet out;
  out.member = member && other.member;
  for (const auto& [step, inner] : children) {
    const FieldSet* twin = other.child(step);
    if (twin == nullptr) continue;
    FieldSet both = inner.intersect(*twin);
    if (!both.empty()) out.children.emplace(step, std::move(both));
  }
  return out;
}

FieldSet FieldSet::subtract(const FieldSet& other) const {
  FieldSet out;
  out.member = member && !other.member;
  for (const auto& [step, inner] : children) {
    const FieldSet* twin = other.child(step);
    FieldSet rest = twin == nullptr ? inner : inner.subtract(*twin);
    if (!rest.empty()) out.children.emplace(step, std::move(rest));
  }
  return out;
}

void FieldSet::removeAll(const FieldSet& paths) {
  for (const auto& [step, inner] : paths.children) {
    auto it = children.find(step);
    if (it == children.end()) continue;
    if (inner.member) {
      children.erase(it);
      continue;
    }
    it->second.removeAll(inner);
    if (it->second.empty()) children.erase(it);
  }
}

std::vector<std::string> FieldSet::paths() const {
  std::vector<std::string> out;
  collect(*this, "", out);
  return out;
}

std::string listStep(const NodeTable& table, const Node& list, const Json& item) {
  if (list.listType == ListType::Set) return "v:" + dumpJson(item);
  Json keys = Json::object();
  const Node* items = table.items(list);
  for (const auto key : table.keys(list)) {
    const std::string name(key);
    keys[name] = at(item, name);
    const schema::Property* p = items == nullptr ? nullptr : table.property(*items, name);
    if (keys[name].is_null() && p != nullptr && p->defaultText != schema::kNone) keys[name] = table.defaultOf(*p);
  }
  return "k:" + dumpJson(keys);
}

bool isGranularList(const Node* node) {
  return node != nullptr && node->type == Type::Array &&
         (node->listType == ListType::Map || node->listType == ListType::Set);
}

bool isGranularObject(const Node* node, const Json& value) { return !value.empty() && !isAtomicMap(node); }

FieldSet fieldsOf(const NodeTable& table, const Node* node, const Json& value) {
  FieldSet out;
  insertAll(table, node, value, out);
  return out;
}

FieldChanges compareFields(const NodeTable& table, const Node* node, const Json& before, const Json& after) {
  FieldChanges out;
  compare(table, node, &before, &after, out);
  return out;
}

}  // namespace slipway::patch
