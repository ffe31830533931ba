#include "objects/patch/managed_fields.h"

#include "objects/patch/field_set.h"
#include "objects/patch/typed_merge.h"

namespace slipway {
namespace {

using patch::FieldSet;
using schema::Node;
using schema::NodeTable;

constexpr std::size_t kMaxUpdateEntries = 10;
constexpr const char* kAncient = "ancient-changes";

struct Entry {
  std::string manager, operation, apiVersion, subresource, time;
  FieldSet fields;
  bool applies() const { return operation == "Apply"; }
};

std::vector<Entry> readEntries(const Json& object) {
  std::vector<Entry> out;
  const Json& list = at(object, "metadata", "managedFields");
  if (!list.is_array()) return out;
  for (const Json& e : list) {
    out.push_back({textAt(e, "manager"), textAt(e, "operation"), textAt(e, "apiVersion"), textAt(e, "subresource"),
                   textAt(e, "time"), FieldSet::fromFieldsV1(at(e, "fieldsV1"))});
  }
  return out;
}

Json writeEntries(std::vector<Entry> entries) {
  std::erase_if(entries, [](const Entry& e) { return e.fields.empty(); });
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.operation, a.time, a.manager, a.apiVersion, a.subresource) <
           std::tie(b.operation, b.time, b.manager, b.apiVersion, b.subresource);
  });
  Json out = Json::array();
  for (const Entry& e : entries) {
    Json entry = {{"manager", e.manager}, {"operation", e.operation}, {"apiVersion", e.apiVersion},
                  {"time", e.time},       {"fieldsType", "FieldsV1"}, {"fieldsV1", e.fields.toFieldsV1()}};
    if (!e.subresource.empty()) entry["subresource"] = e.subresource;
    if (e.time.empty()) entry.erase("time");
    out.push_back(std::move(entry));
  }
  return out;
}

void setEntries(Json& object, std::vector<Entry> entries) {
  Json list = writeEntries(std::move(entries));
  if (list.empty()) {
    if (at(object, "metadata").is_object()) object["metadata"].erase("managedFields");
  } else {
    object["metadata"]["managedFields"] = std::move(list);
  }
}

// What no manager owns: identity, and what the server sets.
Json ownable(Json object) {
  if (!object.is_object()) return Json::object();
  object.erase("apiVersion");
  object.erase("kind");
  auto metadata = object.find("metadata");
  if (metadata == object.end() || !metadata->is_object()) return object;
  for (const char* name :
       {"name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation", "managedFields",
        "resourceVersion", "generateName", "deletionTimestamp", "deletionGracePeriodSeconds"}) {
    metadata->erase(name);
  }
  if (metadata->empty()) object.erase("metadata");
  return object;
}

Entry& entryOf(std::vector<Entry>& entries, const FieldManager& m, const char* operation) {
  const bool apply = std::string_view(operation) == "Apply";
  for (Entry& e : entries) {
    if (e.manager == m.name && e.operation == operation && e.subresource == m.subresource &&
        (apply || e.apiVersion == m.apiVersion))
      return e;
  }
  entries.push_back({m.name, operation, m.apiVersion, m.subresource, m.time, {}});
  return entries.back();
}

std::string printed(const Entry& e) {
  std::string out = "\"" + e.manager + "\"";
  if (!e.subresource.empty()) out += " with subresource \"" + e.subresource + "\"";
  return e.applies() ? out : out + " using " + e.apiVersion;
}

void boundUpdates(std::vector<Entry>& entries) {
  std::vector<Entry*> updates;
  for (Entry& e : entries) {
    if (!e.applies() && e.subresource.empty() && !e.fields.empty()) updates.push_back(&e);
  }
  if (updates.size() <= kMaxUpdateEntries) return;
  std::stable_sort(updates.begin(), updates.end(), [](const Entry* a, const Entry* b) { return a->time < b->time; });
  Entry ancient{kAncient, "Update", updates[0]->apiVersion, "", updates[0]->time, {}};
  for (std::size_t i = 0; i + kMaxUpdateEntries <= updates.size(); ++i) {
    ancient.fields = ancient.fields.unite(updates[i]->fields);
    ancient.time = updates[i]->time;
    updates[i]->fields = {};
  }
  entries.push_back(std::move(ancient));
}

struct Schema {
  const NodeTable& table;
  const Node* root;
};

Schema schemaOf(const Catalog& catalog, const Resource& resource) {
  return {catalog.nodes(), &catalog.nodes().node(resource.schema)};
}

// Takes what changed away from the others; returns what they had of it with other values.
std::vector<FieldConflict> takeOver(std::vector<Entry>& entries, const Entry* mine, const patch::FieldChanges& changes) {
  std::vector<FieldConflict> conflicts;
  const FieldSet touched = changes.added.unite(changes.modified);
  for (Entry& e : entries) {
    if (&e == mine) continue;
    const FieldSet common = e.fields.intersect(touched);
    for (std::string& path : common.paths()) conflicts.push_back({printed(e), std::move(path)});
    e.fields = e.fields.subtract(common);
    e.fields.removeAll(changes.removed);
  }
  return conflicts;
}

}  // namespace

Result<ApplyOutcome> applyServerSide(const Catalog& catalog, const Resource& resource, const Json& live, const Json& applied,
                                     const FieldManager& manager) {
  if (manager.name.empty())
    return fail(Code::Invalid,
                "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch");
  if (!at(applied, "metadata", "managedFields").empty()) return fail(Code::BadRequest, "metadata.managedFields must be nil");
  const Schema schema = schemaOf(catalog, resource);
  const Json config = ownable(applied);
  const Json before = ownable(live);
  std::vector<Entry> entries = readEntries(live);
  Entry& mine = entryOf(entries, manager, "Apply");
  const FieldSet last = mine.fields;
  const FieldSet now = patch::fieldsOf(schema.table, schema.root, config);
  mine.fields = now;

  FieldSet others;
  for (const Entry& e : entries) {
    if (&e != &mine) others = others.unite(e.fields);
  }
  Json object = live.is_object() ? live : Json{{"apiVersion", at(applied, "apiVersion")}, {"kind", at(applied, "kind")}};
  Json merged = patch::overlay(schema.table, schema.root, before, config);
  patch::removeDropped(schema.table, schema.root, merged, last, now, others);

  ApplyOutcome out;
  const auto changes = patch::compareFields(schema.table, schema.root, before, merged);
  out.conflicts = takeOver(entries, &mine, changes);
  if (live.is_object() && !out.conflicts.empty() && !manager.force) {
    out.object = live;
    return out;
  }
  out.conflicts.clear();
  if (live.is_object() && merged == before && last == now) {
    out.object = live;
    return out;
  }
  mine.time = manager.time;
  mine.apiVersion = manager.apiVersion;
  // Identity and server fields stay as they were; on create they come from the body.
  const Json& identity = live.is_object() ? at(live, "metadata") : at(applied, "metadata");
  Json metadata = at(merged, "metadata").is_object() ? merged["metadata"] : Json::object();
  for (const auto& [key, value] : identity.items()) {
    if (ownable({{"metadata", {{key, 1}}}}).empty()) metadata[key] = value;
  }
  for (const char* key : {"apiVersion", "kind"}) merged[key] = at(object, key);
  merged["metadata"] = std::move(metadata);
  setEntries(merged, std::move(entries));
  out.object = std::move(merged);
  return out;
}

Json trackUpdate(const Catalog& catalog, const Resource& resource, const Json& live, Json next,
                 const FieldManager& manager) {
  const Json& given = at(next, "metadata", "managedFields");
  const Json& stored = at(live, "metadata", "managedFields");
  const bool reset = given.is_array() && (given.empty() || given == Json::array({Json::object()}));
  const Json before = ownable(live);
  const Json after = ownable(next);
  if (live.is_object() && before == after) {
    if (reset)
      next["metadata"].erase("managedFields");
    else if (given.is_null() && !stored.is_null())
      next["metadata"]["managedFields"] = stored;
    return next;
  }
  // A replace that leaves managedFields out keeps the stored ones.
  std::vector<Entry> entries = reset ? std::vector<Entry>{} : given.is_null() ? readEntries(live) : readEntries(next);
  const Schema schema = schemaOf(catalog, resource);
  const auto changes = patch::compareFields(schema.table, schema.root, before, after);
  Entry& mine = entryOf(entries, manager, "Update");
  takeOver(entries, &mine, changes);
  mine.fields.removeAll(changes.removed);
  const FieldSet fields = mine.fields.unite(changes.added).unite(changes.modified);
  if (!(fields == mine.fields)) mine.time = manager.time;
  mine.fields = fields;
  boundUpdates(entries);
  setEntries(next, std::move(entries));
  return next;
}

Error conflictError(const std::vector<FieldConflict>& conflicts) {
  Json causes = Json::array();
  std::map<std::string, std::vector<std::string>> byManager;
  for (const FieldConflict& c : conflicts) {
    causes.push_back({{"reason", "FieldManagerConflict"}, {"message", "conflict with " + c.manager}, {"field", c.field}});
    byManager[c.manager].push_back(c.field);
  }
  std::string message;
  if (conflicts.size() == 1) {
    message = fmt::format("Apply failed with 1 conflict: conflict with {}: {}", conflicts[0].manager, conflicts[0].field);
  } else {
    message = fmt::format("Apply failed with {} conflicts: ", conflicts.size());
    std::string separator;
    for (const auto& [manager, fields] : byManager) {
      message += separator + "conflicts with " + manager + ":";
      for (const std::string& field : fields) message += "\n- " + field;
      separator = "\n";
    }
  }
  const Json status = {{"kind", "Status"},
                       {"apiVersion", "v1"},
                       {"metadata", Json::object()},
                       {"status", "Failure"},
                       {"message", message},
                       {"reason", "Conflict"},
                       {"details", {{"causes", std::move(causes)}}},
                       {"code", 409}};
  return {Code::Conflict, message, dumpJson(status)};
}

}  // namespace slipway
