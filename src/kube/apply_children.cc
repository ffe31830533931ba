#include "kube/apply_children.h"

#include "data/quantity.h"
#include "kube/controller.h"

namespace slipway::kube {
namespace {

std::string childName(const Kind& kind, const Key& key) {
  return fmt::format("{} {}{}{}", kind.kind, key.ns, key.ns.empty() ? "" : "/", key.name);
}

std::string uidOf(const Json& object) { return textAt(at(object, "metadata"), "uid"); }
std::string versionOf(const Json& object) { return textAt(at(object, "metadata"), "resourceVersion"); }

bool empty(const Json& value) {
  return value.is_null() || ((value.is_object() || value.is_array()) && value.empty()) ||
         (value.is_string() && value.get_ref<const std::string&>().empty());
}

// What is to be sent for a child: its namespace and owner filled in.
Json withOwner(Json child, const Kind& kind, const Json& owner) {
  Json& meta = child["metadata"];
  if (kind.namespaced && textAt(meta, "namespace").empty()) meta["namespace"] = textAt(at(owner, "metadata"), "namespace");
  meta["ownerReferences"] = Json::array({ownerReference(owner)});
  return child;
}

enum class Need { Nothing, Apply, Wait };

// Whether a child must be written. The cache may be behind our own last write: then its event will call us again.
Need need(Inventory& inventory, const Kind& kind, const Json& child, const Object& live) {
  auto& written = inventory.written();
  auto it = written.find({kind.apiVersion() + "/" + std::string(kind.kind), keyOf(child)});
  const bool same = it != written.end() && it->second.desired == child;
  const bool seen =
      it != written.end() && versionReached(inventory.informer(kind).resourceVersion(), it->second.resourceVersion);
  if (!live) return same && !seen ? Need::Wait : Need::Apply;
  if (at(*live, "metadata", "deletionTimestamp").is_string()) return Need::Wait;
  if (same && !seen) return Need::Nothing;
  Json wanted = child;
  wanted["metadata"].erase("ownerReferences");
  const bool owned = textAt(controllerOf(*live), "uid") == textAt(controllerOf(child), "uid");
  const bool known = same && it->second.uid == uidOf(*live);
  return known && owned && covers(*live, wanted) ? Need::Nothing : Need::Apply;
}

// Whether an element of a list still carries a field that `last` set and `desired` does not.
bool leftoversInList(const Json& live, const Json& desired, const Json& last) {
  if (!desired.is_array() || !live.is_array() || !last.is_array() || live.size() != desired.size() ||
      last.size() != desired.size())
    return false;
  for (std::size_t i = 0; i < desired.size(); ++i) {
    if (desired[i].is_object() && !corrections(live[i], desired[i], last[i]).empty()) return true;
  }
  return false;
}

Task<Result<Json>> applyOne(Inventory& inventory, Kind kind, Json child) {
  const Key key = keyOf(child);
  const WriteOptions options{.fieldManager = inventory.fieldManager(), .force = true};
  auto written = co_await inventory.client().patch(kind, key, PatchType::Apply, child, options);
  if (!written) co_return failIn(childName(kind, key), written.error());
  auto& entry = inventory.written()[{kind.apiVersion() + "/" + std::string(kind.kind), key}];
  // A server that tracks who owns which field has removed what we no longer set; any other has merged.
  const Json fix = corrections(*written, child, entry.desired);
  if (!fix.empty()) {
    auto fixed = co_await inventory.client().patch(kind, key, PatchType::Merge, fix, options);
    if (!fixed) co_return failIn(childName(kind, key), fixed.error());
    written = std::move(fixed);
  }
  inventory.written()[{kind.apiVersion() + "/" + std::string(kind.kind), key}] = {child, uidOf(*written),
                                                                                  versionOf(*written)};
  co_return std::move(*written);
}

// Children of `owner` that are in the cache and not in `wanted`.
std::vector<Object> unwanted(Inventory& inventory, const Kind& kind, const std::string& ownerUid,
                             const std::set<Key>& wanted) {
  std::vector<Object> out;
  for (auto& live : inventory.informer(kind).ownedBy(ownerUid)) {
    const bool ours = textAt(controllerOf(*live), "uid") == ownerUid;
    const bool going = at(*live, "metadata", "deletionTimestamp").is_string();
    if (ours && !going && !wanted.contains(keyOf(*live))) out.push_back(live);
  }
  return out;
}

Task<Result<int>> prune(Inventory& inventory, std::string ownerUid, std::map<std::string, std::set<Key>> wanted) {
  int removed = 0;
  for (const auto& kind : inventory.kinds()) {
    const std::string name = kind.apiVersion() + "/" + std::string(kind.kind);
    for (const auto& live : unwanted(inventory, kind, ownerUid, wanted[name])) {
      const Key key = keyOf(*live);
      auto gone = co_await inventory.client().remove(kind, key, {.uid = uidOf(*live)});
      if (!gone && gone.error().code != Code::NotFound) co_return failIn("removing " + childName(kind, key), gone.error());
      inventory.written().erase({name, key});
      removed += gone.has_value();
    }
  }
  co_return removed;
}

}  // namespace

Inventory::Inventory(Client& client, Cache& cache, std::string fieldManager, std::vector<Kind> kinds)
    : client_(client), cache_(cache), fieldManager_(std::move(fieldManager)), kinds_(std::move(kinds)) {
  for (const auto& kind : kinds_) {
    const std::string name = kind.apiVersion() + "/" + std::string(kind.kind);
    cache_.of(kind).onEvent([written = written_, name](const InformerEvent& e) {
      if (e.type == InformerEvent::Type::Deleted) written->erase({name, keyOf(*e.object)});
    });
  }
}

const Kind* Inventory::kindOf(const Json& object) const {
  const std::string apiVersion = textAt(object, "apiVersion");
  const std::string kind = textAt(object, "kind");
  for (const auto& k : kinds_) {
    if (k.kind == kind && k.apiVersion() == apiVersion) return &k;
  }
  return nullptr;
}

Json ownerReference(const Json& owner) {
  return {{"apiVersion", textAt(owner, "apiVersion")},
          {"kind", textAt(owner, "kind")},
          {"name", textAt(at(owner, "metadata"), "name")},
          {"uid", uidOf(owner)},
          {"controller", true},
          {"blockOwnerDeletion", true}};
}

bool covers(const Json& live, const Json& desired) {
  if (empty(desired)) return desired.is_null() || empty(live);
  if (desired.is_object()) {
    if (!live.is_object()) return false;
    for (const auto& [key, value] : desired.items()) {
      if (!covers(at(live, key), value)) return false;
    }
    return true;
  }
  if (desired.is_array()) {
    if (!live.is_array() || live.size() != desired.size()) return false;
    for (std::size_t i = 0; i < desired.size(); ++i) {
      if (!covers(live[i], desired[i])) return false;
    }
    return true;
  }
  return live == desired || sameQuantity(live, desired);  // a server may write 1000m as 1
}

Json corrections(const Json& live, const Json& desired, const Json& last) {
  Json patch = Json::object();
  for (const auto& [key, value] : desired.items()) {
    const Json& now = at(live, key);
    if (value.is_object() && now.is_object()) {
      Json below = corrections(now, value, at(last, key));
      if (!below.empty()) patch[key] = std::move(below);
    } else if (!covers(now, value) || leftoversInList(now, value, at(last, key))) {
      patch[key] = value;
    }
  }
  if (!last.is_object()) return patch;
  for (const auto& [key, value] : last.items()) {
    if (!desired.contains(key) && !at(live, key).is_null()) patch[key] = nullptr;
  }
  return patch;
}

Task<Result<ApplyReport>> applyChildren(Inventory& inventory, Json owner, std::vector<Json> desired) {
  ApplyReport report;
  std::map<std::string, std::set<Key>> wanted;
  const std::string ownerUid = uidOf(owner);
  if (ownerUid.empty()) co_return fail(Code::Internal, "applyChildren: the owner has no uid");
  for (auto& raw : desired) {
    const Kind* kind = inventory.kindOf(raw);
    if (kind == nullptr) {
      co_return fail(Code::Internal, fmt::format("applyChildren: {} {} is not in the inventory", textAt(raw, "apiVersion"),
                                                 textAt(raw, "kind")));
    }
    Json child = withOwner(std::move(raw), *kind, owner);
    const Key key = keyOf(child);
    wanted[kind->apiVersion() + "/" + std::string(kind->kind)].insert(key);
    const Object live = inventory.informer(*kind).get(key);
    const std::string holder = live ? textAt(controllerOf(*live), "uid") : "";
    if (!holder.empty() && holder != ownerUid && !at(*live, "metadata", "deletionTimestamp").is_string()) {
      const Json& other = controllerOf(*live);
      co_return fail(Code::AlreadyExists,
                     fmt::format("{} already exists and belongs to {} \"{}\"; delete it or choose another name",
                                 childName(*kind, key), textAt(other, "kind"), textAt(other, "name")));
    }
    const Need what = need(inventory, *kind, child, live);
    if (what != Need::Apply) {
      report.children.push_back(live && what == Need::Nothing ? *live : Json());
      continue;
    }
    auto written = co_await applyOne(inventory, *kind, std::move(child));
    if (!written) co_return fail(written.error());
    ++report.applied;
    report.children.push_back(std::move(*written));
  }
  auto removed = co_await prune(inventory, ownerUid, std::move(wanted));
  if (!removed) co_return fail(removed.error());
  report.removed = *removed;
  co_return report;
}

}  // namespace slipway::kube
