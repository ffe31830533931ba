// Entry: one stored object at one revision, immutable and shared by the current map, the watch window and every reader.
//
// It keeps the object as the JSON text that goes over the wire (a parsed document takes five times the memory) and beside it
// only what is needed without parsing: identity, labels, the fields of field selectors, owners.
//
//   EntryPtr pod = store.get("pods", "default", "web");   std::string body = pod->text;   Json object = pod->json();
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/json.h"

namespace slipway::apiserver {

using Pairs = std::vector<std::pair<std::string, std::string>>;  // sorted by key

struct Entry {
  std::uint64_t revision = 0;
  std::string ns, name, uid;
  Pairs labels;
  Pairs fields;  // the selectable fields of its kind (fieldLabels) without metadata.*
  std::vector<std::string> ownerUids;
  bool deleting = false;  // metadata.deletionTimestamp is set
  std::string text;       // compact JSON with kind, apiVersion and metadata.resourceVersion

  Json json() const;  // never fails: the text was made by dumpJson
};
using EntryPtr = std::shared_ptr<const Entry>;

// One committed write. `before` is null for a create; `after` is the new state, for a delete the final one (with the new
// revision).
struct Change {
  std::uint64_t revision = 0;
  EntryPtr before, after;
  bool deleted = false;
};

// Builds the entry of `object`; sets metadata.resourceVersion to `revision` unless that is 0.
EntryPtr makeEntry(const std::string& resource, Json object, std::uint64_t revision);
// As makeEntry, from text that a makeEntry made (a row of the store); null when it is not JSON.
EntryPtr entryFromText(const std::string& resource, std::string text, std::uint64_t revision);

// The field selectors that a resource ("pods", "deployments.apps") knows, besides metadata.name and metadata.namespace.
const std::vector<std::string>& fieldLabels(std::string_view resource);

}  // namespace slipway::apiserver
