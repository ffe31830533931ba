#include "objects/table/table.h"

#include "objects/table/cells.h"

namespace slipway {
namespace {

// What one printer column shows: only the first match counts, texts as they are, lists and objects as JSON.
Json columnCell(const Column& column, const JsonPath* path, const Json& object, std::int64_t now) {
  if (path == nullptr) return nullptr;
  const auto found = path->find(object);
  if (found.empty() || found[0]->is_null()) return nullptr;
  const Json& value = *found[0];
  if (column.type == "date") return table::age(value, now);
  if (column.type == "string") return value.is_string() ? value : Json(dumpJson(value));
  const bool fits = column.type == "boolean"   ? value.is_boolean()
                    : column.type == "integer" ? value.is_number_integer()
                                               : value.is_number();
  return fits ? value : Json();
}

std::vector<Json> plainCells(const Json& object, std::int64_t now) {
  return {textAt(at(object, "metadata"), "name"), table::age(at(object, "metadata", "creationTimestamp"), now)};
}

}  // namespace

TablePrinter::TablePrinter(const Resource& resource) {
  if (const table::KindTable* known = resource.custom ? nullptr : table::kindTable(resource.group, resource.kind)) {
    columns_ = known->columns;
    cells_ = known->cells;
    return;
  }
  columns_ = resource.columns;
  if (columns_.empty()) {
    columns_ = {{"Name", "string", "name", "", 0, ""}, {"Age", "string", "", "", 0, ""}};
    cells_ = plainCells;
    return;
  }
  for (const Column& c : columns_) {
    auto path = JsonPath::compile(c.jsonPath);
    paths_.push_back(path ? std::make_shared<const JsonPath>(std::move(*path)) : nullptr);
  }
}

Json TablePrinter::columnDefinitions() const {
  Json out = Json::array();
  for (const Column& c : columns_) {
    out.push_back({{"name", c.name},
                   {"type", c.type},
                   {"format", c.format},
                   {"description", c.description},
                   {"priority", c.priority}});
  }
  return out;
}

Json TablePrinter::cellsOf(const Json& object, std::int64_t now) const {
  if (cells_ != nullptr) return Json(cells_(object, now));
  Json out = Json::array();
  for (std::size_t i = 0; i < columns_.size(); ++i) out.push_back(columnCell(columns_[i], paths_[i].get(), object, now));
  return out;
}

Json TablePrinter::row(const Json& object, const TableOptions& options) const {
  Json out = {{"cells", cellsOf(object, options.now)}};
  if (options.include == IncludeObject::Object) out["object"] = object;
  if (options.include == IncludeObject::Metadata) {
    out["object"] = {
        {"kind", "PartialObjectMetadata"}, {"apiVersion", "meta.k8s.io/v1"}, {"metadata", at(object, "metadata")}};
  }
  return out;
}

Json TablePrinter::table(const std::vector<Json>& objects, Json metadata, const TableOptions& options) const {
  Json rows = Json::array();
  for (const Json& object : objects) rows.push_back(row(object, options));
  return {{"kind", "Table"},
          {"apiVersion", "meta.k8s.io/v1"},
          {"metadata", std::move(metadata)},
          {"columnDefinitions", columnDefinitions()},
          {"rows", std::move(rows)}};
}

}  // namespace slipway
