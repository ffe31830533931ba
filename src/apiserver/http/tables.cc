#include "apiserver/http/tables.h"

#include <algorithm>

#include "data/json_text.h"
#include "objects/table/table.h"

namespace slipway::apiserver {

Json metadataOf(const Json& object, const std::string& version) {
  return Json{
      {"kind", "PartialObjectMetadata"}, {"apiVersion", "meta.k8s.io/" + version}, {"metadata", at(object, "metadata")}};
}

namespace {

TableOptions optionsOf(const TableRequest& request) {
  TableOptions options;
  options.now = std::chrono::duration_cast<std::chrono::seconds>(request.now.time_since_epoch()).count();
  if (request.includeObject == "Object") options.include = IncludeObject::Object;
  if (request.includeObject == "None") options.include = IncludeObject::None;
  return options;
}

// No cell shows managedFields, which are the larger part of many objects.
bool wantsForCells(std::string_view of, std::string_view key) { return of != "metadata" || key != "managedFields"; }

// Kinds of Kubernetes' own show little of the metadata (src/objects/table).
bool wantsForOwnCells(std::string_view of, std::string_view key) {
  if (of.empty()) return key != "apiVersion" && key != "kind";
  return of != "metadata" || key == "name" || key == "creationTimestamp" || key == "deletionTimestamp" || key == "labels";
}

void appendCell(std::string& out, const Json& cell) {
  const std::string* text = cell.get_ptr<const Json::string_t*>();
  const auto plain = [](char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; };
  if (text && std::all_of(text->begin(), text->end(), plain))
    out.append(1, '"').append(*text).append(1, '"');
  else if (const auto* number = cell.get_ptr<const Json::number_integer_t*>(); number && *number >= 0)
    fmt::format_to(std::back_inserter(out), "{}", *number);
  else
    out += dumpJson(cell);
}

}  // namespace

std::string tableText(const TableRequest& request, const std::vector<std::string_view>& objects, const Json& listMeta) {
  const TablePrinter printer(*request.resource);
  const TableOptions options = optionsOf(request);
  const WantsMember wants = printer.own() ? wantsForOwnCells : wantsForCells;
  std::size_t bytes = 4096;
  for (const std::string_view text : objects) bytes += text.size() + 128;
  std::string out;
  out.reserve(bytes);
  out += "{\"apiVersion\":\"meta.k8s.io/" + request.version +
         "\",\"columnDefinitions\":" + dumpJson(printer.columnDefinitions()) +
         ",\"kind\":\"Table\",\"metadata\":" + dumpJson(listMeta) + ",\"rows\":[";
  for (const std::string_view text : objects) {
    if (out.back() != '[') out += ',';
    out += "{\"cells\":[";
    for (const Json& cell : printer.cellsOf(parseOwnJsonPart(text, wants), options.now)) {
      if (out.back() != '[') out += ',';
      appendCell(out, cell);
    }
    out += ']';
    if (options.include == IncludeObject::Object) out.append(",\"object\":").append(text);
    if (options.include == IncludeObject::Metadata) {
      const std::string_view metadata = memberText(text, "metadata");
      out += ",\"object\":{\"apiVersion\":\"meta.k8s.io/v1\",\"kind\":\"PartialObjectMetadata\",\"metadata\":";
      out += metadata.empty() ? std::string_view("null") : metadata;
      out += '}';
    }
    out += '}';
  }
  out += "]}";
  return out;
}

Json tableOf(const TableRequest& request, const std::vector<Json>& objects, Json listMeta, bool withColumns) {
  const TableOptions options = optionsOf(request);
  Json table = TablePrinter(*request.resource).table(objects, std::move(listMeta), options);
  table["apiVersion"] = "meta.k8s.io/" + request.version;
  if (!withColumns) table["columnDefinitions"] = nullptr;
  return table;
}

}  // namespace slipway::apiserver
