#include "objects/patch/ownership.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace slipway::patch {
namespace {

constexpr std::size_t kMaxUpdateEntries = 10;
constexpr const char* kAncient = "ancient-changes";

std::string printed(const Entry& e) {
  std::string out = "\"" + e.manager + "\"";
  if (!e.subresource.empty()) out += " with subresource \"" + e.subresource + "\"";
  return e.applies() ? out : out + " using " + e.apiVersion;
}

// An entry without fields is as good as none.
bool readable(const Json& e) {
  const std::string operation = textAt(e, "operation");
  return (operation == "Apply" || operation == "Update") && textAt(e, "fieldsType", "FieldsV1") == "FieldsV1" &&
         at(e, "fieldsV1").is_object();
}

// The oldest updates of each version go into one entry, until few enough are left.
void boundUpdates(Entries& entries) {
  std::vector<Entry*> updates;
  for (Entry& e : entries) {
    if (!e.applies() && !e.fields.empty()) updates.push_back(&e);
  }
  if (updates.size() <= kMaxUpdateEntries) return;
  std::sort(updates.begin(), updates.end(), [](const Entry* a, const Entry* b) {
    return std::tie(a->time, a->manager, a->apiVersion, a->subresource) <
           std::tie(b->time, b->manager, b->apiVersion, b->subresource);
  });
  std::map<std::string, Entry> buckets;
  std::map<std::string, Entry*> first;
  std::size_t left = updates.size();
  for (Entry* e : updates) {
    if (left <= kMaxUpdateEntries) break;
    auto [it, fresh] = first.emplace(e->apiVersion, e);
    if (fresh) continue;
    Entry& bucket = buckets[e->apiVersion];
    if (bucket.manager.empty()) {
      bucket = *it->second;
      bucket.manager = kAncient;
      bucket.subresource.clear();
      it->second->fields = {};
    }
    bucket.fields = bucket.fields.unite(e->fields);
    bucket.time = e->time;
    e->fields = {};
    --left;
  }
  for (auto& [version, bucket] : buckets) entries.push_back(std::move(bucket));
}

Json written(const Entry& e) {
  Json out = {{"manager", e.manager},
              {"operation", e.operation},
              {"apiVersion", e.apiVersion},
              {"fieldsType", "FieldsV1"},
              {"fieldsV1", e.fields.toFieldsV1()}};
  if (!e.time.empty()) out["time"] = e.time;
  if (!e.subresource.empty()) out["subresource"] = e.subresource;
  return out;
}

}  // namespace

Entries readEntries(const Json& managedFields) {
  Entries out;
  if (!managedFields.is_array()) return out;
  for (const Json& e : managedFields) {
    if (!readable(e)) return {};
    FieldManager who{textAt(e, "manager"), textAt(e, "subresource"), textAt(e, "apiVersion"), false, ""};
    Entry& entry = entryOf(out, who, textAt(e, "operation").c_str());
    entry.time = textAt(e, "time");
    entry.fields = entry.fields.unite(FieldSet::fromFieldsV1(at(e, "fieldsV1")));
  }
  return out;
}

void setEntries(Json& object, Entries entries) {
  std::erase_if(entries, [](const Entry& e) { return e.fields.empty(); });
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.operation, a.time, a.manager, a.apiVersion, a.subresource) <
           std::tie(b.operation, b.time, b.manager, b.apiVersion, b.subresource);
  });
  if (entries.empty()) {
    if (at(object, "metadata").is_object()) object["metadata"].erase("managedFields");
    return;
  }
  Json list = Json::array();
  for (const Entry& e : entries) list.push_back(written(e));
  object["metadata"]["managedFields"] = std::move(list);
}

Entry& entryOf(Entries& entries, const FieldManager& m, const char* operation) {
  const bool apply = std::string_view(operation) == "Apply";
  for (Entry& e : entries) {
    if (e.manager == m.name && e.operation == operation && e.subresource == m.subresource &&
        (apply || e.apiVersion == m.apiVersion))
      return e;
  }
  entries.push_back({m.name, operation, m.apiVersion, m.subresource, "", {}});
  return entries.back();
}

FieldSet withoutServerFields(const FieldSet& fields) {
  FieldSet server;
  for (const char* step : {"f:apiVersion", "f:kind", "f:metadata"}) server.children[step].member = true;
  FieldSet& metadata = server.children["f:metadata"];
  for (const char* step : {"f:name", "f:namespace", "f:creationTimestamp", "f:selfLink", "f:uid", "f:clusterName",
                           "f:generation", "f:managedFields", "f:resourceVersion"}) {
    metadata.children[step].member = true;
  }
  return fields.subtract(server);
}

std::vector<FieldConflict> takeOver(Entries& entries, const Entry* mine, const FieldChanges& changes) {
  std::vector<FieldConflict> conflicts;
  const FieldSet touched = changes.added.unite(changes.modified);
  for (Entry& e : entries) {
    if (&e == mine) continue;
    const FieldSet common = e.fields.intersect(touched);
    for (std::string& path : common.paths()) conflicts.push_back({printed(e), std::move(path)});
    e.fields = e.fields.subtract(common).subtract(changes.removed);
  }
  return conflicts;
}

void recordUpdate(Entries& entries, const FieldChanges& changes, const FieldManager& manager) {
  takeOver(entries, nullptr, changes);
  const FieldSet fresh = withoutServerFields(changes.added.unite(changes.modified));
  if (!fresh.empty()) {
    Entry& mine = entryOf(entries, manager, "Update");
    mine.fields = mine.fields.unite(fresh);
    mine.time = manager.time;
  }
  boundUpdates(entries);
}

}  // namespace slipway::patch
