// Downloads a listing into a folder: several transfers at a time, large objects in parts, each part retried with back-off
// and resumed where it broke off; parts finished before a crash are not fetched again. Blocking; owns its threads while it
// runs.
//
//   Status s = downloadAll(*source, objects, "/mnt/models", settings.transfer, progress);
#pragma once
#include <atomic>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "storage/source.h"

namespace slipway::storage {

// Counts for progress lines; read from any thread.
struct Progress {
  std::atomic<std::uint64_t> bytes{0};  // arrived, resumed ones included
  std::atomic<std::uint64_t> total{0};  // 0 while unknown
  std::atomic<std::uint64_t> files{0};  // complete
  std::atomic<std::uint64_t> retries{0};
};

// Errors: those of the source; TooLarge when the disk is too small (needed and free bytes are named) or full; Forbidden,
// Internal for files that cannot be written. Unfinished parts stay in `folder`/.slipway-parts, for the next call to resume.
Status downloadAll(Source& source, const std::vector<SourceObject>& objects, const std::filesystem::path& folder,
                   const TransferSettings& settings, Progress& progress);

// Runs `attempt` until it succeeds, fails for good, or settings.attempts are used up; waits between them (doubling, ± half).
Status withRetries(const TransferSettings& settings, Progress& progress, const std::function<Status()>& attempt);

// Error TooLarge "not enough space in DIR: 5.0 GB are needed, 1.2 GB are free" when `bytes` do not fit.
Status checkSpace(const std::filesystem::path& folder, std::uint64_t bytes);
// errno of a failed write to `path` as an Error.
Error writeError(const std::filesystem::path& path, int error);

}  // namespace slipway::storage
