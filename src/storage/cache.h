// ModelCache: downloaded models of one node, kept by content so that ten replicas download once. A folder shared by
// processes:
//   blobs/<sha256>             files by content, read-only
//   manifests/<key>            what a listing (address, names, sizes, etags) unpacked to: "sha256 size path" lines; its time
//   is its last use staging/<key>/             a download under way, resumed by the next process after a crash locks/<key's
//   first 3>, lock  flock: one download per key; shared while files are handed out, exclusive while old ones are dropped
// Every step ends in a rename, so kill -9 at any point leaves a valid cache. Blocking; use one object per thread.
//
//   ModelCache cache(settings.cacheFolder, settings.cacheBytes);
//   Status s = cache.provide(key, target, [&](const fs::path& staging) { return download(staging); });
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "base/result.h"

namespace slipway::storage {

class ModelCache {
 public:
  ModelCache(std::filesystem::path folder, std::uint64_t maxBytes) : folder_(std::move(folder)), maxBytes_(maxBytes) {}

  // Puts the files of `key` into `target`: from the cache, or after `fill` has made them in the folder it is given (which
  // may hold what an earlier attempt left). Waits while another process fills the same key. Afterwards drops the least
  // recently used models past the bound. Errors: those of fill; TooLarge when a disk is full. Files are reflinks where the
  // file system can, else hard links, else copies.
  Status provide(const std::string& key, const std::filesystem::path& target,
                 const std::function<Status(const std::filesystem::path&)>& fill);
  bool has(const std::string& key) const;
  void evict();                 // down to the bound; never fails, logs
  std::uint64_t bytes() const;  // of all blobs

 private:
  Status prepare() const;
  Result<bool> handOut(const std::string& key, const std::filesystem::path& target) const;  // false: not cached (any more)
  Status store(const std::string& key, const std::filesystem::path& staging) const;
  void sweepStaging() const;
  std::filesystem::path lockOf(const std::string& key) const;
  std::filesystem::path manifest(const std::string& key) const { return folder_ / "manifests" / key; }

  std::filesystem::path folder_;
  std::uint64_t maxBytes_;
};

// The sha256 of a file's content, in hex.
Result<std::string> sha256OfFile(const std::filesystem::path& path);

}  // namespace slipway::storage
