#include "apiserver/http/tables.h"

#include "objects/table/table.h"

namespace slipway::apiserver {

Json metadataOf(const Json& object, const std::string& version) {
  return Json{
      {"kind", "PartialObjectMetadata"}, {"apiVersion", "meta.k8s.io/" + version}, {"metadata", at(object, "metadata")}};
}

Json tableOf(const TableRequest& request, const std::vector<Json>& objects, Json listMeta, bool withColumns) {
  TableOptions options;
  options.now = std::chrono::duration_cast<std::chrono::seconds>(request.now.time_since_epoch()).count();
  if (request.includeObject == "Object") options.include = IncludeObject::Object;
  if (request.includeObject == "None") options.include = IncludeObject::None;
  Json table = TablePrinter(*request.resource).table(objects, std::move(listMeta), options);
  table["apiVersion"] = "meta.k8s.io/" + request.version;
  if (!withColumns) table["columnDefinitions"] = nullptr;
  return table;
}

}  // namespace slipway::apiserver
