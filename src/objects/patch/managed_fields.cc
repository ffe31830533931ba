#include "objects/patch/managed_fields.h"

#include <algorithm>
#include <map>
#include <set>

#include "objects/patch/ownership.h"
#include "objects/patch/typed_merge.h"

namespace slipway {
namespace {

using patch::Entries;
using patch::Entry;
using patch::FieldSet;
using patch::Shape;
using schema::Node;

constexpr const char* kLastApplied = "kubectl.kubernetes.io/last-applied-configuration";
constexpr const char* kBeforeFirstApply = "before-first-apply";

Json withoutManagedFields(Json object) {
  if (object.is_object() && at(object, "metadata").is_object()) object["metadata"].erase("managedFields");
  return object;
}

const Json& annotation(const Json& object, const char* name) { return at(object, "metadata", "annotations", name); }

// As Go's encoder writes it: keys sorted, HTML's special characters escaped, a newline at the end.
std::string goText(const Json& value) {
  std::string out;
  for (const char c : dumpJson(value)) {
    if (c == '<' || c == '>' || c == '&')
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    else
      out += c;
  }
  return out + "\n";
}

// One apply: the schema, the objects without managedFields, and the entries as they were.
struct Apply {
  Shape shape;
  const Node* root;
  const Json& live;  // {} when there is none yet
  const Json& applied;
  const FieldManager& manager;
  bool exists;

  struct Outcome {
    Json merged;
    Entries entries;
    std::vector<FieldConflict> conflicts;
  };

  Outcome run(Entries entries, bool force) const {
    Entry& mine = patch::entryOf(entries, manager, "Apply");
    const FieldSet last = mine.fields;
    const FieldSet now = patch::fieldsOf(shape, root, applied);
    mine.fields = now;
    mine.apiVersion = manager.apiVersion;
    FieldSet owned;
    for (const Entry& e : entries) owned = owned.unite(e.fields);
    Outcome out;
    const Json laid = patch::overlay(shape, root, live, applied);
    const FieldSet dropped = patch::droppedFields(shape, root, laid, last, owned);
    // For the comparison a map that lost its last member is still there: who owns the map itself keeps it.
    const Json compared = patch::withoutFields(shape, root, laid, dropped);
    out.merged = patch::withoutFields(shape, root, laid, dropped, owned, applied);
    out.conflicts = patch::takeOver(entries, &mine, patch::compareFields(shape, root, live, compared));
    if (force || !exists) out.conflicts.clear();
    mine.fields = patch::withoutServerFields(now);
    if (out.merged != live) mine.time = manager.time;
    out.entries = std::move(entries);
    return out;
  }

  // What kubectl applied from the client and is still as it was: its own, though an Update manager holds it.
  std::set<std::string> ownByLastApplied() const {
    const Json& text = annotation(live, kLastApplied);
    if (manager.name != "kubectl" || !text.is_string()) return {};
    const Json last = Json::parse(text.get_ref<const std::string&>(), nullptr, false);
    if (!last.is_object() || textAt(last, "apiVersion") != textAt(live, "apiVersion")) return {};
    const patch::FieldChanges changes = patch::compareFields(shape, root, last, live);
    const FieldSet same =
        patch::fieldsOf(shape, root, last).subtract(changes.modified).subtract(changes.added).subtract(changes.removed);
    const std::vector<std::string> paths = same.paths();
    return {paths.begin(), paths.end()};
  }

  Outcome settle(const Entries& entries) const {
    Outcome out = run(entries, manager.force);
    if (out.conflicts.empty()) return out;
    const std::set<std::string> own = ownByLastApplied();
    std::erase_if(out.conflicts, [&](const FieldConflict& c) { return own.contains(c.field); });
    return out.conflicts.empty() ? run(entries, true) : out;
  }
};

// kubectl's own record of what it applied stays true when it applies on the server.
void renewLastApplied(const FieldManager& manager, const Json& applied, Json& object) {
  if (manager.name != "kubectl" || !annotation(object, kLastApplied).is_string()) return;
  Json record = applied;
  if (at(record, "metadata", "annotations").is_object()) record["metadata"]["annotations"].erase(kLastApplied);
  object["metadata"]["annotations"][kLastApplied] = goText(record);
}

Entries entriesBefore(const Shape& shape, const Node* root, const Json& live, const FieldManager& manager) {
  Entries entries = patch::readEntries(at(live, "metadata", "managedFields"));
  if (!entries.empty() || !live.is_object()) return entries;
  FieldManager before = manager;
  before.name = kBeforeFirstApply;
  patch::recordUpdate(entries, patch::compareFields(shape, root, Json::object(), withoutManagedFields(live)), before);
  return entries;
}

}  // namespace

Result<ApplyOutcome> applyServerSide(const Catalog& catalog, const Resource& resource, const Json& live, const Json& applied,
                                     const FieldManager& manager) {
  if (manager.name.empty())
    return fail(Code::Invalid,
                "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch");
  if (!at(applied, "metadata", "managedFields").empty()) return fail(Code::BadRequest, "metadata.managedFields must be nil");
  const Shape shape{catalog.nodes(), !resource.custom};
  const Node* root = &catalog.nodes().node(resource.schema);
  if (const auto why = patch::whyNotApplicable(shape, root, applied)) {
    return fail(Code::BadRequest,
                fmt::format("failed to create typed patch object ({}/{}; {}, Kind={}): {}",
                            textAt(at(applied, "metadata"), "namespace"), textAt(at(applied, "metadata"), "name"),
                            resource.apiVersion(), resource.kind, *why));
  }
  const Json before = live.is_object() ? withoutManagedFields(live) : Json::object();
  const Json config = withoutManagedFields(applied);
  const Apply apply{shape, root, before, config, manager, live.is_object()};
  Apply::Outcome done = apply.settle(entriesBefore(shape, root, live, manager));
  ApplyOutcome out;
  out.conflicts = std::move(done.conflicts);
  if (!out.conflicts.empty()) {
    out.object = live;
    return out;
  }
  out.object = std::move(done.merged);
  renewLastApplied(manager, config, out.object);
  patch::setEntries(out.object, std::move(done.entries));
  return out;
}

Json trackUpdate(const Catalog& catalog, const Resource& resource, const Json& live, Json next,
                 const FieldManager& manager) {
  const Json given = at(next, "metadata", "managedFields");
  const bool reset = given.is_array() && (given.empty() || given == Json::array({Json::object()}));
  Entries entries;
  if (!reset && manager.subresource.empty()) entries = patch::readEntries(given);
  if (!reset && entries.empty()) entries = patch::readEntries(at(live, "metadata", "managedFields"));
  next = withoutManagedFields(std::move(next));
  if (entries.empty() && live.is_object()) return next;
  const Shape shape{catalog.nodes(), !resource.custom};
  const Node* root = &catalog.nodes().node(resource.schema);
  const Json before = live.is_object() ? withoutManagedFields(live) : Json::object();
  patch::recordUpdate(entries, patch::compareFields(shape, root, before, next), manager);
  patch::setEntries(next, std::move(entries));
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
