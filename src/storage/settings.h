// Settings of a fetch, read once from environment variables with the names that KServe's storage initializer uses.
//
//   Settings s = Settings::fromEnvironment(environment);   // a map of name to value
#pragma once
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace slipway::storage {

using Environment = std::map<std::string, std::string>;
Environment processEnvironment();

struct S3Settings {
  std::string endpoint;  // "https://host[:port]"; empty: AWS's own for the region
  std::string region = "us-east-1";
  std::string accessKey, secretKey, sessionToken;
  bool anonymous = false;
  bool virtualHosted = false;  // bucket.host/key instead of host/bucket/key; always on for AWS's own endpoints
};

struct TransferSettings {
  std::size_t concurrency = 4;                  // S3_MAX_FILE_CONCURRENCY: transfers at a time
  std::size_t attempts = 3;                     // S3_MAX_ATTEMPTS, each
  std::chrono::seconds connectTimeout{15};      // S3_CONNECT_TIMEOUT
  std::chrono::seconds readTimeout{30};         // S3_READ_TIMEOUT: without a byte
  std::uint64_t chunkBytes = 16 << 20;          // STORAGE_CHUNK_BYTES: larger objects are fetched in parts
  bool verifyTls = true;                        // S3_VERIFY_SSL
  std::string caBundle;                         // AWS_CA_BUNDLE: a PEM file
  std::chrono::milliseconds firstBackoff{500};  // doubles with each attempt, with jitter
};

struct ArchiveLimits {
  std::uint64_t bytes = std::uint64_t{1} << 40;  // STORAGE_MAX_UNPACKED_BYTES
  std::uint64_t ratio = 200;      // unpacked to packed, looked at after the first 64 MiB; STORAGE_MAX_UNPACK_RATIO
  std::size_t entries = 100'000;  // STORAGE_MAX_ARCHIVE_ENTRIES
};

struct Settings {
  Environment environment;
  S3Settings s3;
  TransferSettings transfer;
  ArchiveLimits archive;
  std::vector<std::string> allow, ignore;              // STORAGE_ALLOW_PATTERNS, STORAGE_IGNORE_PATTERNS: shell patterns
  std::chrono::seconds timeout{0};                     // STORAGE_INITIALIZER_TIMEOUT: all sources together; 0: none
  std::filesystem::path cacheFolder;                   // SLIPWAY_STORAGE_CACHE; empty: no cache
  std::uint64_t cacheBytes = std::uint64_t{20} << 30;  // SLIPWAY_STORAGE_CACHE_BYTES

  // Error Invalid names the variable, its value and what it takes.
  static Result<Settings> fromEnvironment(Environment environment);
  std::string get(const std::string& name) const;  // a variable's value, or empty
  // Whether patterns let `path` through: no allow patterns, or one that fits; and no ignore pattern that fits.
  bool wants(const std::string& path) const;
};

std::string describeBytes(std::uint64_t bytes);  // "12.3 MB"

}  // namespace slipway::storage
