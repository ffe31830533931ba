#include "apiserver/custom_definitions.h"

#include "apiserver/api_status.h"

namespace slipway::apiserver {
namespace {

constexpr const char* kGroup = "apiextensions.k8s.io";
constexpr const char* kPlural = "customresourcedefinitions";
constexpr const char* kBucket = "customresourcedefinitions.apiextensions.k8s.io";

Json namesOf(const Resource& r) {
  Json names{{"kind", r.kind}, {"listKind", r.kind + "List"}, {"plural", r.plural}, {"singular", r.singular}};
  if (!r.shortNames.empty()) names["shortNames"] = r.shortNames;
  if (!r.categories.empty()) names["categories"] = r.categories;
  return names;
}

Json columnsOf(const Resource& r) {
  Json out = Json::array();
  for (const Column& c : r.columns) {
    Json column{{"name", c.name}, {"type", c.type}, {"jsonPath", c.jsonPath}};
    if (!c.description.empty()) column["description"] = c.description;
    if (!c.format.empty()) column["format"] = c.format;
    if (c.priority != 0) column["priority"] = c.priority;
    out.push_back(std::move(column));
  }
  return out;
}

// The schema itself is in /openapi/v3 and `kubectl explain`; here it stands for "checked elsewhere".
Json versionOf(const Resource& r) {
  Json version{{"name", r.version},
               {"served", true},
               {"storage", r.storedAs.empty()},
               {"schema", {{"openAPIV3Schema", {{"type", "object"}, {"x-kubernetes-preserve-unknown-fields", true}}}}}};
  if (r.hasStatus) version["subresources"] = {{"status", Json::object()}};
  if (Json columns = columnsOf(r); !columns.empty()) version["additionalPrinterColumns"] = std::move(columns);
  return version;
}

Json definitionOf(const Resource& r) {
  return Json{{"apiVersion", std::string(kGroup) + "/v1"},
              {"kind", "CustomResourceDefinition"},
              {"metadata", {{"name", r.qualified()}}},
              {"spec",
               {{"group", r.group},
                {"names", namesOf(r)},
                {"scope", r.namespaced ? "Namespaced" : "Cluster"},
                {"conversion", {{"strategy", "None"}}},
                {"versions", Json::array()}}}};
}

Json conditionOf(const char* type, const char* reason, const char* message, const std::string& time) {
  return Json{{"type", type}, {"status", "True"}, {"reason", reason}, {"message", message}, {"lastTransitionTime", time}};
}

Json statusOf(const Json& definition, const std::string& time) {
  Json stored = Json::array();
  for (const Json& v : at(definition, "spec", "versions")) {
    if (boolAt(v, "storage")) stored.push_back(v["name"]);
  }
  return Json{
      {"acceptedNames", at(definition, "spec", "names")},
      {"storedVersions", std::move(stored)},
      {"conditions",
       Json::array({conditionOf("NamesAccepted", "NoConflicts", "no conflicts found", time),
                    conditionOf("Established", "InitialNamesAccepted", "the initial names have been accepted", time)})}};
}

WriteContext contextFor(Registry& registry, const std::string& name) {
  WriteContext context;
  context.resource = registry.resource(kGroup, "v1", kPlural);
  context.name = name;
  context.fieldManager = "slipway-bootstrap";
  return context;
}

Task<Status> publish(Registry& registry, Json wanted) {
  const std::string name = textAt(wanted["metadata"], "name");
  const EntryPtr stored = registry.store().get(kBucket, "", name);
  if (stored) {
    const Json present = stored->json();
    if (at(present, "spec") == wanted["spec"] && !at(present, "status", "conditions").empty()) co_return Status{};
    wanted["metadata"] = present["metadata"];
  }
  Result<Written> written = Written{};
  if (stored)
    written = co_await registry.update(contextFor(registry, name), wanted);
  else
    written = co_await registry.create(contextFor(registry, name), wanted);
  if (!written) co_return failIn("definition of " + name, written.error());
  Json object = written->entry->json();
  object["status"] = statusOf(object, formatRfc3339(registry.clock().wall()));
  WriteContext context = contextFor(registry, name);
  context.subresource = "status";
  auto done = co_await registry.update(std::move(context), std::move(object));
  if (!done) co_return failIn("definition of " + name, done.error());
  co_return Status{};
}

}  // namespace

std::vector<Json> customDefinitions(const Catalog& catalog) {
  std::vector<Json> out;
  for (const Resource& r : catalog.resources()) {
    if (!r.custom) continue;
    auto it = std::find_if(out.begin(), out.end(), [&](const Json& d) { return d["metadata"]["name"] == r.qualified(); });
    if (it == out.end()) it = out.insert(out.end(), definitionOf(r));
    (*it)["spec"]["versions"].push_back(versionOf(r));
  }
  return out;
}

Task<Status> publishDefinitions(Registry& registry) {
  if (registry.resource(kGroup, "v1", kPlural) == nullptr) co_return Status{};
  std::set<std::string> names;
  for (Json& definition : customDefinitions(registry.catalog())) {
    names.insert(textAt(definition["metadata"], "name"));
    Status done = co_await publish(registry, std::move(definition));
    SLIP_CO_CHECK(std::move(done));
  }
  const Snapshot stored = registry.store().list(kBucket);
  for (const EntryPtr& entry : stored.entries) {
    if (names.contains(entry->name)) continue;
    auto removed = co_await registry.remove(contextFor(registry, entry->name), DeleteRequest{});
    if (!removed) co_return failIn("definition of " + entry->name, removed.error());
  }
  co_return Status{};
}

Admission definitionsAreFixed() {
  Admission rule{.group = kGroup, .kind = "CustomResourceDefinition"};
  rule.validate = [](const AdmissionRequest& request, const Json&) -> Status {
    if (request.user.name == UserInfo::system().name) return {};
    return forbidden(
        request.resource, request.name,
        "this server serves a fixed set of kinds: a CustomResourceDefinition cannot be added, changed or deleted");
  };
  return rule;
}

}  // namespace slipway::apiserver
