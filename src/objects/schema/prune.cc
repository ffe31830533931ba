#include "objects/schema/prune.h"

#include "data/quantity.h"

namespace slipway::schema {
namespace {

struct Pruner {
  const NodeTable& table;
  std::vector<std::string> removed;

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
      if (p.defaultText == kNone || (p.origin != 0 && !kubernetes)) continue;
      const std::string name(table.text(p.name));
      auto it = value.find(name);
      if (it == value.end() || (it->is_null() && (table.node(p.node).flags & kNullable) == 0))
        value[name] = table.defaultOf(p);
    }
    if (kubernetes && node.name != 0) kubernetesDefaults(table.text(node.name), value);
  }
};

}  // namespace

std::vector<std::string> prune(const NodeTable& table, const Node& root, Json& value) {
  Pruner pruner{table, {}};
  pruner.visit(root, value, "");
  return std::move(pruner.removed);
}

void applyDefaults(const NodeTable& table, const Node& root, Json& value, bool kubernetes) {
  Filler{table, kubernetes}.visit(root, value);
}

}  // namespace slipway::schema
