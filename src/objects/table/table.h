// Tables: objects as rows of text, what `kubectl get` shows (meta.k8s.io/v1 Table). Columns and cells of Kubernetes' own
// kinds are those of kube-apiserver; kinds of ours have printer columns (JSONPath) in api/. Pure, thread-safe.
//
//   TablePrinter printer(resource);
//   Json table = printer.table({pod1, pod2}, listMetadata, {nowSeconds});
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "data/json.h"
#include "data/json_path.h"
#include "objects/schema/catalog.h"

namespace slipway {

enum class IncludeObject { Metadata, Object, None };  // ?includeObject=

struct TableOptions {
  std::int64_t now = 0;  // seconds since 1970: ages are relative to it
  IncludeObject include = IncludeObject::Metadata;
};

class TablePrinter {
 public:
  explicit TablePrinter(const Resource& resource);
  const std::vector<Column>& columns() const { return columns_; }
  bool own() const {
    return cells_ != nullptr;
  }  // of Kubernetes' own kinds: cells show no metadata but name, times and labels
  Json columnDefinitions() const;
  Json cellsOf(const Json& object, std::int64_t now) const;  // one row's cells
  // {"cells":[…],"object":{…}}
  Json row(const Json& object, const TableOptions& options) const;
  // A whole Table; `metadata` is that of the list (resourceVersion, continue).
  Json table(const std::vector<Json>& objects, Json metadata, const TableOptions& options) const;

 private:
  using Cells = std::vector<Json> (*)(const Json& object, std::int64_t now);
  std::vector<Column> columns_;
  Cells cells_ = nullptr;                               // of a kind of Kubernetes' own
  std::vector<std::shared_ptr<const JsonPath>> paths_;  // of ours; nullptr where a path does not compile
};

}  // namespace slipway
