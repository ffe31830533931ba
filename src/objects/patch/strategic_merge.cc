#include "objects/patch/list_order.h"
#include "objects/patch/patch.h"
#include "objects/schema/node_table.h"

namespace slipway {
namespace {

using patch::Keyed;
using schema::Node;
using schema::NodeTable;

constexpr std::string_view kDirective = "$patch";
constexpr std::string_view kRetain = "$retainKeys";
constexpr std::string_view kOrder = "$setElementOrder/";
constexpr std::string_view kDeletePrimitive = "$deleteFromPrimitiveList/";

bool isDirective(const std::string& key) {
  return key == kDirective || key == kRetain || key.starts_with(kOrder) || key.starts_with(kDeletePrimitive);
}

tl::unexpected<Error> bad(std::string message) { return fail(Code::BadRequest, std::move(message)); }

class StrategicMerge {
 public:
  explicit StrategicMerge(const NodeTable& table) : table_(table) {}

  Result<Json> object(const Node* node, Json live, const Json& patch) {
    const std::string directive = textAt(patch, kDirective);
    if (directive == "replace") return stripped(patch);
    if (directive == "delete") return Json::object();
    if (!directive.empty() && directive != "merge")
      return bad(fmt::format("unknown $patch directive '{}'; use replace, merge or delete", directive));
    SLIP_CHECK(retain(live, patch));
    for (const auto& [key, value] : patch.items()) {
      if (isDirective(key)) continue;
      if (value.is_null()) {
        live.erase(key);
        continue;
      }
      const Node* child = node == nullptr ? nullptr : table_.member(*node, key);
      SLIP_TRY(live[key], member(child, at(live, key), value, patch, key));
    }
    return lists(node, std::move(live), patch);
  }

 private:
  static Status retain(Json& live, const Json& patch) {
    const Json& keep = at(patch, kRetain);
    if (keep.is_null()) return {};
    if (!keep.is_array()) return bad("$retainKeys must be a list of field names");
    for (auto it = live.begin(); it != live.end();) {
      if (std::find(keep.begin(), keep.end(), Json(it.key())) == keep.end())
        it = live.erase(it);
      else
        ++it;
    }
    return {};
  }

  // A patch that stands in place of a missing value: without directives, nulls and entries to delete.
  Json stripped(const Json& patch) const {
    if (patch.is_array()) {
      Json out = Json::array();
      for (const Json& item : patch) {
        if (!at(item, kDirective).is_string() || item.size() > 1) {
          if (textAt(item, kDirective) != "delete") out.push_back(stripped(item));
        }
      }
      return out;
    }
    if (!patch.is_object()) return patch;
    Json out = Json::object();
    for (const auto& [key, value] : patch.items()) {
      if (!isDirective(key) && !value.is_null()) out[key] = stripped(value);
    }
    return out;
  }

  bool merges(const Node* node) const {
    return node != nullptr && table_.text(node->mergeStrategy).find("merge") != std::string_view::npos;
  }
  bool replaces(const Node* node) const {
    return node != nullptr && table_.text(node->mergeStrategy).find("replace") != std::string_view::npos;
  }

  Result<Json> member(const Node* node, const Json& live, const Json& patch, const Json& siblings, const std::string& key) {
    if (patch.is_object() && live.is_object() && !replaces(node)) return object(node, live, patch);
    if (patch.is_array() && merges(node)) {
      const Json base = live.is_array() ? live : Json::array();
      return node->mergeKey == 0 ? primitives(base, patch)
                                 : items(*node, base, patch, at(siblings, std::string(kOrder) + key));
    }
    return stripped(patch);
  }

  static Json primitives(const Json& live, const Json& patch) {
    Json out = live;
    for (const Json& value : patch) {
      if (std::find(out.begin(), out.end(), value) == out.end()) out.push_back(value);
    }
    return out;
  }

  Result<std::string> keyOf(const Node& list, const Json& item) const {
    const std::string_view mergeKey = table_.text(list.mergeKey);
    if (at(item, mergeKey).is_null()) {
      return bad(fmt::format("map: {} does not contain declared merge key: {}", dumpJson(item), mergeKey));
    }
    return dumpJson(at(item, mergeKey));
  }

  Result<Json> items(const Node& list, const Json& live, const Json& patch, const Json& order) {
    Json replacement = Json::array();
    for (const Json& item : patch) {
      if (textAt(item, kDirective) == "replace" && item.size() == 1) {
        for (const Json& other : patch) {
          if (textAt(other, kDirective) != "replace") replacement.push_back(stripped(other));
        }
        return replacement;
      }
    }
    std::vector<Keyed> merged;
    for (const Json& item : live) {
      SLIP_TRY(std::string key, keyOf(list, item));
      merged.push_back({std::move(key), item});
    }
    for (const Json& item : patch) {
      SLIP_CHECK(oneItem(list, merged, item));
    }
    return ordered(list, live, std::move(merged), order);
  }

  Status oneItem(const Node& list, std::vector<Keyed>& merged, const Json& item) {
    SLIP_TRY(const std::string key, keyOf(list, item));
    auto it = std::find_if(merged.begin(), merged.end(), [&](const Keyed& k) { return k.key == key; });
    if (textAt(item, kDirective) == "delete") {
      if (it != merged.end()) merged.erase(it);
      return {};
    }
    if (it == merged.end()) {
      merged.push_back({key, stripped(item)});
      return {};
    }
    SLIP_TRY(it->value, object(table_.items(list), it->value, item));
    return {};
  }

  Result<Json> ordered(const Node& list, const Json& live, std::vector<Keyed> merged, const Json& order) const {
    std::vector<std::string> wanted;
    for (const Json& item : order.is_array() ? order : Json::array()) {
      SLIP_TRY(std::string key, keyOf(list, item));
      wanted.push_back(std::move(key));
    }
    std::vector<std::string> before;
    for (const Json& item : live) before.push_back(dumpJson(at(item, table_.text(list.mergeKey))));
    std::vector<Keyed> named;
    std::vector<Keyed> others;
    for (Keyed& item : merged) {
      const bool listed = wanted.empty() || std::find(wanted.begin(), wanted.end(), item.key) != wanted.end();
      (listed ? named : others).push_back(std::move(item));
    }
    std::stable_sort(named.begin(), named.end(), [&](const Keyed& a, const Keyed& b) {
      return std::find(wanted.begin(), wanted.end(), a.key) < std::find(wanted.begin(), wanted.end(), b.key);
    });
    return patch::interleave(std::move(others), std::move(named), before);
  }

  // Directives that act on a list that the patch may not mention itself: removals and order.
  Result<Json> lists(const Node* node, Json live, const Json& patch) {
    for (const auto& [key, value] : patch.items()) {
      if (key.starts_with(kDeletePrimitive)) {
        removePrimitives(live, key.substr(kDeletePrimitive.size()), value);
        continue;
      }
      if (!key.starts_with(kOrder)) continue;
      const std::string name = key.substr(kOrder.size());
      const Node* child = node == nullptr ? nullptr : table_.member(*node, name);
      if (patch.contains(name) || !at(live, name).is_array() || !merges(child)) continue;
      if (child->mergeKey == 0) continue;
      SLIP_TRY(live[name], items(*child, live[name], Json::array(), value));
    }
    return live;
  }

  static void removePrimitives(Json& live, const std::string& name, const Json& values) {
    if (!at(live, name).is_array() || !values.is_array()) return;
    Json kept = Json::array();
    for (const Json& item : live[name]) {
      if (std::find(values.begin(), values.end(), item) == values.end()) kept.push_back(item);
    }
    live[name] = std::move(kept);
  }

  const NodeTable& table_;
};

}  // namespace

Result<Json> strategicMergePatch(const Catalog& catalog, const Resource& resource, const Json& object, const Json& patch) {
  if (!patch.is_object()) return bad("a strategic merge patch is an object");
  return StrategicMerge(catalog.nodes()).object(&catalog.nodes().node(resource.schema), object, patch);
}

}  // namespace slipway
