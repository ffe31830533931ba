#include "objects/patch/typed_merge.h"

#include <optional>
#include <set>

namespace slipway::patch {
namespace {

using schema::Node;

using Merged = std::optional<Json>;  // nothing: the field is not there

bool noMembers(const Json* value) { return value == nullptr || value->is_null() || value->empty(); }

struct Merger {
  const Shape& shape;

  Merged merge(const Node* node, const Json* live, const Json* applied) const {
    const Json* form = applied == nullptr ? live : applied;
    if (form == nullptr) return std::nullopt;
    const bool mixed = live != nullptr && applied != nullptr &&
                       (live->is_object() != applied->is_object() || live->is_array() != applied->is_array());
    const bool object = form->is_object() && !isAtomicMap(node);
    const bool list = form->is_array() && isGranularList(node);
    if (mixed || (!object && !list) || (noMembers(live) && noMembers(applied))) return *form;
    Json out = object ? members(node, live, applied) : ListMerge{*this, *node}.run(live, applied);
    return out.empty() ? Merged() : Merged(std::move(out));
  }

  Json members(const Node* node, const Json* live, const Json* applied) const {
    std::set<std::string> keys;
    for (const Json* o : {live, applied}) {
      if (o == nullptr) continue;
      for (const auto& [key, value] : o->items()) keys.insert(key);
    }
    const auto find = [](const Json* object, const std::string& key) -> const Json* {
      if (object == nullptr) return nullptr;
      auto it = object->find(key);
      return it == object->end() || it->is_null() ? nullptr : &*it;
    };
    Json out = Json::object();
    for (const std::string& key : keys) {
      const Node* child = node == nullptr ? nullptr : shape.table.member(*node, key);
      if (Merged value = merge(child, find(live, key), find(applied, key))) out[key] = std::move(*value);
    }
    return out;
  }

  // Items that both sides have come in the applied order; items of one side stay where they were relative to their own
  // neighbours.
  struct ListMerge {
    const Merger& merger;
    const Node& node;
    std::vector<std::string> left = {}, right = {};
    std::map<std::string, const Json*> old = {}, fresh = {};  // null in `old`: several items have that key
    std::set<std::string> done = {};
    std::vector<std::string> shared = {};  // of both sides, in the applied order
    std::size_t next = 0;
    Json out = Json::array();

    void index(const Json* live, const Json* applied) {
      if (live != nullptr) {
        for (const Json& item : *live) {
          left.push_back(listStep(merger.shape, node, item));
          auto [it, first] = old.emplace(left.back(), &item);
          if (!first) it->second = nullptr;
        }
      }
      if (applied == nullptr) return;
      for (const Json& item : *applied) {
        std::string step = listStep(merger.shape, node, item);
        if (!fresh.emplace(step, &item).second) continue;
        if (old.contains(step)) shared.push_back(step);
        right.push_back(std::move(step));
      }
    }

    void put(const Json* live, const Json* applied) {
      if (Merged value = merger.merge(merger.shape.table.items(node), live, applied)) out.push_back(std::move(*value));
    }

    void takeRight(const std::string& step) {
      done.insert(step);
      auto it = old.find(step);
      put(it == old.end() ? nullptr : it->second, fresh[step]);
      if (next < shared.size() && shared[next] == step) ++next;
    }

    Json run(const Json* live, const Json* applied) {
      index(live, applied);
      std::size_t l = 0;
      std::size_t r = 0;
      while (l < left.size() || r < right.size()) {
        const bool both = l < left.size() && r < right.size();
        if (both && left[l] == right[r]) {
          takeRight(right[r]);
          ++l;
          ++r;
        } else if (both && fresh.contains(left[l]) && next < shared.size() && shared[next] != left[l]) {
          ++l;  // shared, but not its turn yet
        } else if (l < left.size() && !fresh.contains(left[l])) {
          put(&(*live)[l++], nullptr);
        } else {
          if (l < left.size() && done.contains(left[l])) ++l;
          if (r < right.size()) takeRight(right[r++]);
        }
      }
      return std::move(out);
    }
  };
};

}  // namespace

Json overlay(const Shape& shape, const Node* node, const Json& live, const Json& applied) {
  Merged out = Merger{shape}.merge(node, &live, &applied);
  return out ? std::move(*out) : Json::object();
}

// Three steps: take out what was applied last time; put back what someone owns; of what is gone then, only that goes which
// was applied last time.
FieldSet droppedFields(const Shape& shape, const Node* node, const Json& merged, const FieldSet& last,
                       const FieldSet& owned) {
  if (last.empty()) return {};
  const FieldSet all = withNamedFields(shape, node, fieldsOf(shape, node, merged));
  const FieldSet claimed = withNamedFields(shape, node, last);
  const auto left = [&](const Json& value) { return withNamedFields(shape, node, fieldsOf(shape, node, value)); };
  Json pruned = withoutFields(shape, node, merged, claimed);
  const FieldSet unowned = all.subtract(left(pruned).unite(withNamedFields(shape, node, owned)));
  pruned = withoutFields(shape, node, merged, unowned);
  return all.subtract(left(pruned)).intersect(claimed);
}

}  // namespace slipway::patch
