#include "objects/patch/typed_merge.h"

#include "objects/patch/list_order.h"

namespace slipway::patch {
namespace {

using schema::Node;
using schema::NodeTable;

const FieldSet kEmpty;

const FieldSet& childOf(const FieldSet& set, const std::string& step) {
  const FieldSet* child = set.child(step);
  return child == nullptr ? kEmpty : *child;
}

Json overlayList(const NodeTable& table, const Node& node, const Json& live, const Json& applied) {
  std::vector<std::string> before;
  std::map<std::string, const Json*> old;
  for (const Json& item : live) {
    before.push_back(listStep(table, node, item));
    old.emplace(before.back(), &item);
  }
  std::vector<Keyed> named;
  std::set<std::string> seen;
  for (const Json& item : applied) {
    std::string step = listStep(table, node, item);
    if (!seen.insert(step).second) continue;
    auto it = old.find(step);
    named.push_back({step, it == old.end() ? item : overlay(table, table.items(node), *it->second, item)});
  }
  std::vector<Keyed> others;
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (!seen.contains(before[i])) others.push_back({before[i], live[i]});
  }
  return interleave(std::move(others), std::move(named), before);
}

struct Remover {
  const NodeTable& table;

  // True when nothing of `value` is left.
  bool clean(const Node* node, Json& value, const FieldSet& before, const FieldSet& now, const FieldSet& others) const {
    if (before.member && !now.member && now.children.empty() && others.empty()) return true;
    if (before.children.empty()) return false;
    const bool wasEmpty = value.empty();
    if (value.is_object())
      members(node, value, before, now, others);
    else if (value.is_array() && isGranularList(node))
      items(*node, value, before, now, others);
    return !wasEmpty && value.empty() && !others.member && !now.member;
  }

  void members(const Node* node, Json& value, const FieldSet& before, const FieldSet& now, const FieldSet& others) const {
    for (const auto& [step, inner] : before.children) {
      if (step[0] != 'f') continue;
      const std::string key = step.substr(2);
      auto it = value.find(key);
      if (it == value.end()) continue;
      const Node* child = node == nullptr ? nullptr : table.member(*node, key);
      if (clean(child, *it, inner, childOf(now, step), childOf(others, step))) value.erase(it);
    }
  }

  void items(const Node& node, Json& value, const FieldSet& before, const FieldSet& now, const FieldSet& others) const {
    Json kept = Json::array();
    for (Json& item : value) {
      const std::string step = listStep(table, node, item);
      const FieldSet* inner = before.child(step);
      if (inner == nullptr || !clean(table.items(node), item, *inner, childOf(now, step), childOf(others, step)))
        kept.push_back(std::move(item));
    }
    value = std::move(kept);
  }
};

}  // namespace

Json overlay(const NodeTable& table, const Node* node, const Json& live, const Json& applied) {
  if (applied.is_object() && live.is_object() && (node == nullptr || (node->flags & schema::kAtomicMap) == 0)) {
    Json out = live;
    for (const auto& [key, value] : applied.items()) {
      if (value.is_null()) continue;
      const Node* child = node == nullptr ? nullptr : table.member(*node, key);
      auto it = out.find(key);
      if (it == out.end())
        out[key] = value;
      else
        *it = overlay(table, child, *it, value);
    }
    return out;
  }
  if (applied.is_array() && live.is_array() && isGranularList(node)) return overlayList(table, *node, live, applied);
  return applied;
}

void removeDropped(const NodeTable& table, const Node* node, Json& value, const FieldSet& before, const FieldSet& now,
                   const FieldSet& others) {
  Remover{table}.clean(node, value, before, now, others);
}

}  // namespace slipway::patch
