#include "apiserver/http/tables.h"

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

// The object for its cells: no cell shows managedFields, which are the larger part of many objects.
Json forCells(const std::string& text, std::string_view metadata) {
  const auto start = static_cast<std::size_t>(metadata.data() - text.data());
  std::string shorter(text, 0, start);
  shorter += withoutMember(metadata, "managedFields");
  shorter.append(text, start + metadata.size());
  return parseOwnJson(shorter);
}

}  // namespace

std::string tableText(const TableRequest& request, const std::vector<std::string>& objects, const Json& listMeta) {
  const TablePrinter printer(*request.resource);
  const TableOptions options = optionsOf(request);
  const std::string version = "meta.k8s.io/" + request.version;
  std::string out = "{\"apiVersion\":\"" + version + "\",\"columnDefinitions\":" + dumpJson(printer.columnDefinitions()) +
                    ",\"kind\":\"Table\",\"metadata\":" + dumpJson(listMeta) + ",\"rows\":[";
  for (const std::string& text : objects) {
    const std::string_view metadata = memberText(text, "metadata");
    if (out.back() != '[') out += ',';
    out += "{\"cells\":" +
           dumpJson(printer.cellsOf(metadata.empty() ? parseOwnJson(text) : forCells(text, metadata), options.now));
    if (options.include == IncludeObject::Object) out += ",\"object\":" + text;
    if (options.include == IncludeObject::Metadata) {
      out += ",\"object\":{\"apiVersion\":\"meta.k8s.io/v1\",\"kind\":\"PartialObjectMetadata\",\"metadata\":";
      out += metadata.empty() ? std::string_view("null") : metadata;
      out += '}';
    }
    out += '}';
  }
  return out + "]}";
}

Json tableOf(const TableRequest& request, const std::vector<Json>& objects, Json listMeta, bool withColumns) {
  const TableOptions options = optionsOf(request);
  Json table = TablePrinter(*request.resource).table(objects, std::move(listMeta), options);
  table["apiVersion"] = "meta.k8s.io/" + request.version;
  if (!withColumns) table["columnDefinitions"] = nullptr;
  return table;
}

}  // namespace slipway::apiserver
