// The cells of Kubernetes' own kinds and the small formats they share. Pure, thread-safe.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "data/json.h"
#include "objects/schema/catalog.h"

namespace slipway::table {

struct KindTable {
  std::vector<Column> columns;
  std::vector<Json> (*cells)(const Json& object, std::int64_t now);
};
// nullptr for kinds without a table of their own: they show name and age.
const KindTable* kindTable(std::string_view group, std::string_view kind);

// 90 -> "90s", 600 -> "10m", 100000 -> "27h", as kubectl shows ages.
std::string humanDuration(std::int64_t seconds);
// Age of an RFC 3339 time; "<unknown>" when it is absent.
std::string age(const Json& time, std::int64_t now);
// A LabelSelector or a map of labels: "app=web,tier in (a,b)"; "<none>" when empty.
std::string selectorText(const Json& selector);
std::string labelsText(const Json& labels);

std::vector<Json> podCells(const Json& pod, std::int64_t now);
std::vector<Json> scalerCells(const Json& scaler, std::int64_t now);
std::vector<Json> nodeCells(const Json& node, std::int64_t now);
std::vector<Json> serviceCells(const Json& service, std::int64_t now);
std::vector<Json> eventCells(const Json& event, std::int64_t now);
std::vector<Json> endpointsCells(const Json& endpoints, std::int64_t now);
std::vector<Json> sliceCells(const Json& slice, std::int64_t now);
std::vector<Json> ingressCells(const Json& ingress, std::int64_t now);

}  // namespace slipway::table
