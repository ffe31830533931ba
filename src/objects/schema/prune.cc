#include "objects/schema/prune.h"

#include "data/quantity.h"

namespace slipway::schema {
namespace {

struct Pruner {
  const NodeTable& table;
  bool kubernetes;
  std::vector<std::string> removed;

  // A Go struct does not write an empty list or map that may be left out, so neither is there an object that has one.
  bool omitted(const Node& parent, const std::string& name, const Node& child, const Json& value) const {
    if (!kubernetes || !value.empty()) return false;
    const bool list = value.is_array() && child.type == Type::Array;
    const bool map =
        value.is_object() && child.type == Type::Object && child.propertiesCount == 0 && child.additional != kNone;
    if (!list && !map) return false;
    const Property* p = table.property(parent, name);
    if (p == nullptr || (p->origin & kValueStruct) != 0) return false;
    const auto required = table.required(parent);
    return std::find(required.begin(), required.end(), name) == required.end();
  }

  void visit(const Node& node, Json& value, const std::string& path) {
    if (value.is_object() && node.type == Type::Object) {
      members(node, value, path);
    } else if (value.is_array() && node.type == Type::Array) {
      const Node* items = table.items(node);
      if (items == nullptr) return;
      for (std::size_t i = 0; i < value.size(); ++i) visit(*items, value[i], fmt::format("{}[{}]", path, i));
    }
  }

  void members(const Node& node, Json& value, const std::string& path) {
    for (auto it = value.begin(); it != value.end();) {
      const std::string here = path.empty() ? it.key() : path + "." + it.key();
      const Node* child = table.member(node, it.key());
      if (child == nullptr && !node.preservesUnknown()) {
        removed.push_back(here);
        it = value.erase(it);
        continue;
      }
      if (child != nullptr && it->is_null() && child->type != Type::Any && (child->flags & kNullable) == 0) {
        it = value.erase(it);
        continue;
      }
      if (child != nullptr) visit(*child, *it, here);
      if (child != nullptr && omitted(node, it.key(), *child, *it))
        it = value.erase(it);
      else
        ++it;
    }
  }
};

struct Filler {
  const NodeTable& table;
  bool kubernetes;

  void visit(const Node& node, Json& value) {
    if (value.is_object() && node.type == Type::Object) {
      fill(node, value);
      for (auto& [key, member] : value.items()) {
        if (const Node* child = table.member(node, key)) visit(*child, member);
      }
    } else if (value.is_array() && node.type == Type::Array) {
      if (const Node* items = table.items(node)) {
        for (Json& item : value) visit(*items, item);
      }
    } else if (kubernetes && node.type == Type::Quantity) {
      if (auto q = quantityOf(value)) value = q->canonical();
    }
  }

  void fill(const Node& node, Json& value) {
    for (const Property& p : table.properties(node)) {
      if (p.defaultText == kNone || ((p.origin & kKubernetesDefault) != 0 && !kubernetes)) continue;
      const std::string name(table.text(p.name));
      auto it = value.find(name);
      if (it == value.end() || (it->is_null() && (table.node(p.node).flags & kNullable) == 0))
        value[name] = table.defaultOf(p);
    }
    if (kubernetes && node.name != 0) kubernetesDefaults(table.text(node.name), value);
  }
};

}  // namespace

std::vector<std::string> prune(const NodeTable& table, const Node& root, Json& value, bool kubernetes) {
  Pruner pruner{table, kubernetes, {}};
  pruner.visit(root, value, "");
  return std::move(pruner.removed);
}

void applyDefaults(const NodeTable& table, const Node& root, Json& value, bool kubernetes) {
  Filler{table, kubernetes}.visit(root, value);
}

}  // namespace slipway::schema
