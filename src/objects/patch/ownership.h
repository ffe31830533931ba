// The entries of metadata.managedFields: read, written, and moved by a change. Pure.
#pragma once
#include <string>
#include <vector>

#include "objects/patch/field_walk.h"
#include "objects/patch/managed_fields.h"

namespace slipway::patch {

struct Entry {
  std::string manager, operation, apiVersion, subresource, time;
  FieldSet fields;
  bool applies() const { return operation == "Apply"; }
};
using Entries = std::vector<Entry>;

// Empty when there are none or one of them is not what a server writes.
Entries readEntries(const Json& managedFields);
// Puts them into the object, sorted as kube-apiserver does; takes managedFields out when none is left.
void setEntries(Json& object, Entries entries);

// The entry of a manager, made when there is none. Appliers have one entry whatever the version.
Entry& entryOf(Entries& entries, const FieldManager& manager, const char* operation);

// Identity and what the server sets belongs to nobody.
FieldSet withoutServerFields(const FieldSet& fields);

// Takes what changed away from all but `mine`; returns what they had of it with other values.
std::vector<FieldConflict> takeOver(Entries& entries, const Entry* mine, const FieldChanges& changes);

// Gives `manager` what differs between the two objects.
void recordUpdate(Entries& entries, const FieldChanges& changes, const FieldManager& manager);

}  // namespace slipway::patch
