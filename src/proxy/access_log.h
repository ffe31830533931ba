// AccessLog: one line per forwarded request, to a file that is rotated at a size, or to stderr. Thread-safe. Lines are
// gathered and written every 64 KB or at flush(), which the gateway calls about once a second.
//
//   auto log = AccessLog::open({.path = "/var/log/slipway/access.log"});
//   (*log)->write({.status = 200, …});
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/log.h"
#include "base/result.h"

namespace slipway::proxy {

struct AccessLogOptions {
  std::string path;  // "-": stderr
  LogFormat format = LogFormat::Json;
  std::uint64_t maxBytes = 64 << 20;  // then the file becomes path.1, replacing the one before: at most twice this on disk
};

struct AccessEntry {
  std::string_view id, client, method, path, host, route, endpoint;  // path without its query, which may hold secrets
  int status = 0;
  std::uint64_t bytes = 0;  // of the answer's body
  std::chrono::nanoseconds duration{0};
  std::string_view note;  // why it failed; empty otherwise
};

class AccessLog {
 public:
  static Result<std::shared_ptr<AccessLog>> open(AccessLogOptions options);
  ~AccessLog();
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;
  void write(const AccessEntry& entry);
  void flush();

 private:
  explicit AccessLog(AccessLogOptions options) : options_(std::move(options)) {}
  void flushLocked();
  AccessLogOptions options_;
  std::mutex mutex_;
  std::string buffer_;
  int file_ = -1;
  std::uint64_t size_ = 0;
};

}  // namespace slipway::proxy
