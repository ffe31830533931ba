// Tables: objects in the forms that clients ask for besides the object itself: Table (rows and columns for kubectl get) and
// PartialObjectMetadata. Pure but for the clock, which ages are counted from.
#pragma once
#include <string>
#include <vector>

#include "apiserver/http/content.h"
#include "apiserver/store.h"
#include "base/clock.h"
#include "objects/schema/catalog.h"

namespace slipway::apiserver {

struct TableRequest {
  const Resource* resource = nullptr;
  std::string version = "v1";
  std::string includeObject;  // "", Metadata, Object, None
  WallTime now;
};

// A Table of these objects; `listMeta` is its metadata. Columns are left out when `withColumns` is false (later events of a
// watch).
Json tableOf(const TableRequest& request, const std::vector<Json>& objects, Json listMeta, bool withColumns = true);
// The text of a list's Table, row by row from the objects' own text: metadata is passed on as it stands, and only what cells
// may show is parsed. Ten times as fast as tableOf for thousands of objects.
std::string tableText(const TableRequest& request, const std::vector<std::string_view>& objects, const Json& listMeta);
// PartialObjectMetadata of an object.
Json metadataOf(const Json& object, const std::string& version);

}  // namespace slipway::apiserver
