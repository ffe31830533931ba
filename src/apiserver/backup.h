// Copies of a store's file: made while no server runs on it, checked, and put back. (While one runs, Store::backup makes
// them and GET /slipway/backup hands them out.) Blocking; for commands.
#pragma once
#include <cstdint>
#include <string>

#include "base/result.h"

namespace slipway::apiserver {

struct StoreFacts {
  std::uint64_t revision = 0;  // the newest
  std::uint64_t objects = 0, bytes = 0;
  bool sealed = false;  // Secrets are encrypted: restoring needs the file of keys
};
// Checks a file from end to end: SQLite's integrity check, the format, every row. Errors name the file.
Result<StoreFacts> inspectStore(const std::string& path);

// Copies the store `from`, on which no server runs, into the new file `to`.
Status copyStore(const std::string& from, const std::string& to);

// Makes the checked copy `from` the store `to`. What was there is kept as TO.before-restore. Revisions begin well after
// those of the copy, so that every watch starts over instead of missing what was undone.
Status restoreStore(const std::string& from, const std::string& to);

}  // namespace slipway::apiserver
