// fetchModel: one URI into one folder: lists, downloads (through the node's cache when there is one), unpacks. Blocking.
//
//   Result<FetchReport> r = fetchModel("s3://models/iris", "/mnt/models", settings, progress);
#pragma once
#include <filesystem>
#include <string>

#include "storage/download.h"
#include "storage/settings.h"

namespace slipway::storage {

struct FetchReport {
  std::size_t files = 0;    // objects of the listing
  std::uint64_t bytes = 0;  // their size; 0 when unknown
  bool cached = false;      // nothing was downloaded
  bool linked = false;      // a local path: links were made
};

// Schemes: s3, gs, hf, http, https, file, pvc (already mounted: checked only), and plain paths. A single downloaded .tar,
// .tar.gz, .tgz or .zip is unpacked and removed. Errors are one line that names the address and the fix.
Result<FetchReport> fetchModel(const std::string& uri, const std::filesystem::path& target, const Settings& settings,
                               Progress& progress);

// The storage initializer: (uri, folder) pairs in order, progress lines on stdout, on failure one line on stderr. Exit
// status 0, 1 (a fetch failed) or 2 (wrong arguments).
int storageInit(const std::vector<std::string>& arguments, const Environment& environment);

}  // namespace slipway::storage
