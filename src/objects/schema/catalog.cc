#include "objects/schema/catalog.h"

#include <cstdio>
#include <cstdlib>

#include "objects/schema/blob.h"
#include "objects/schema/prune.h"
#include "objects/schema/rules.h"
#include "objects/schema/schema_check.h"

namespace slipway {
namespace {

using schema::Findings;
using schema::NodeTable;

std::vector<std::string> texts(const Json& list) {
  return list.is_array() ? list.get<std::vector<std::string>>() : std::vector<std::string>{};
}

Column columnOf(const Json& c) {
  const std::string type = textAt(c, "type");
  const std::string name = textAt(c, "name");
  std::string about = textAt(c, "description");
  if (about.empty() && type == "date") about = "When the object was made.";
  return {name, type, textAt(c, "format"), about, static_cast<int>(intAt(c, "priority")), textAt(c, "jsonPath")};
}

Resource resourceOf(const Json& r) {
  Resource out;
  out.group = textAt(r, "group");
  out.version = textAt(r, "version");
  out.kind = textAt(r, "kind");
  out.plural = textAt(r, "plural");
  out.singular = textAt(r, "singular");
  out.shortNames = texts(at(r, "shortNames"));
  out.categories = texts(at(r, "categories"));
  out.namespaced = boolAt(r, "namespaced");
  out.hasStatus = boolAt(r, "status");
  out.hasScale = boolAt(r, "scale");
  out.custom = boolAt(r, "custom");
  out.storedAs = textAt(r, "storedAs");
  out.schema = static_cast<std::uint32_t>(intAt(r, "node"));
  if (out.custom) {
    out.columns.push_back({"Name", "string", "name", "Name of the object.", 0, ".metadata.name"});
    for (const Json& c : at(r, "columns")) out.columns.push_back(columnOf(c));
  }
  return out;
}

class BuiltinCatalog : public Catalog {
 public:
  BuiltinCatalog(NodeTable table, const Json& resources) : table_(std::move(table)) {
    for (const Json& r : at(resources, "resources")) resources_.push_back(resourceOf(r));
  }

  const std::vector<Resource>& resources() const override { return resources_; }

  const Resource* find(std::string_view group, std::string_view version, std::string_view plural) const override {
    for (const Resource& r : resources_) {
      if (r.plural == plural && r.version == version && r.group == group) return &r;
    }
    return nullptr;
  }

  const Resource* findKind(std::string_view apiVersion, std::string_view kind) const override {
    for (const Resource& r : resources_) {
      if (r.kind == kind && r.apiVersion() == apiVersion) return &r;
    }
    return nullptr;
  }

  std::vector<std::string> prune(const Resource& resource, Json& object) const override {
    return schema::prune(table_, table_.node(resource.schema), object, !resource.custom);
  }

  void applyDefaults(const Resource& resource, Json& object) const override {
    schema::applyDefaults(table_, table_.node(resource.schema), object, !resource.custom);
  }

  std::vector<FieldError> validate(const Resource& resource, const Json& object) const override {
    auto wrong = schema::checkTypes(table_, table_.node(resource.schema), object, resource.custom);
    if (!wrong.empty()) return wrong;
    Findings findings;
    schema::checkMetadata(resource, object, findings);
    schema::checkValues(table_, table_.node(resource.schema), object, resource.custom, findings);
    if (!resource.custom) schema::checkKind(resource, object, findings);
    return std::move(findings.list);
  }

  std::vector<FieldError> validateUpdate(const Resource& resource, const Json& before, const Json& after) const override {
    Findings findings;
    schema::checkKindUpdate(resource, before, after, findings);
    return std::move(findings.list);
  }

  const NodeTable& nodes() const override { return table_; }

 private:
  NodeTable table_;
  std::vector<Resource> resources_;
};

// The blob is part of the binary: if it cannot be read, the build is broken.
template <class T>
T mustRead(Result<T> value) {
  if (value) return std::move(*value);
  std::fprintf(stderr, "slipway: the schemas in this binary are damaged: %s\n", value.error().message.c_str());
  std::abort();
}

std::shared_ptr<const Catalog> load() {
  NodeTable table = mustRead(NodeTable::read(mustRead(schema::blobText("structure"))));
  const Json resources = mustRead(parseJson(mustRead(schema::blobText("resources"))));
  return std::make_shared<BuiltinCatalog>(std::move(table), resources);
}

}  // namespace

std::shared_ptr<const Catalog> Catalog::builtin() {
  static const std::shared_ptr<const Catalog> catalog = load();
  return catalog;
}

}  // namespace slipway
