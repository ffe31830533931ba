// Source: where a model's files come from. List first, then read ranges; both block. list() is called once; read() from
// several threads, each with its own HttpTransfer.
//
//   Result<std::unique_ptr<Source>> s = openSource("s3://models/iris", settings);
//   Result<std::vector<SourceObject>> files = (*s)->list(http);
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/http_transfer.h"
#include "storage/settings.h"

namespace slipway::storage {

struct SourceObject {
  std::string path;                   // where it belongs, relative, checked by safeRelativePath
  std::string id;                     // key or URL, for the source
  std::optional<std::uint64_t> size;  // unknown for some web servers
  std::string etag;                   // names this very content; empty: the source cannot tell
  bool ranges = true;                 // parts can be read
};

struct ByteRange {
  std::uint64_t from = 0;
  std::optional<std::uint64_t> to;  // exclusive; absent: to the end
};

class Source {
 public:
  virtual ~Source() = default;
  // Errors name the address and what to set: NotFound (nothing there), Forbidden, Unauthorized, Unavailable, Timeout.
  virtual Result<std::vector<SourceObject>> list(HttpTransfer& http) = 0;
  // Feeds the bytes of the range to the sink. Conflict when the object changed since it was listed.
  virtual Status read(HttpTransfer& http, const SourceObject& object, ByteRange range, const ByteSink& sink) = 0;
  virtual std::string where() const = 0;  // URI and server, for messages and as the cache's key
};

// s3://, gs://, hf://, http:// and https://. Errors: Invalid for a URI that is malformed or of an unknown scheme.
Result<std::unique_ptr<Source>> openSource(const std::string& uri, const Settings& settings);
std::unique_ptr<Source> makeS3Source(const std::string& uri, S3Settings s3, const Settings& settings);
Result<std::unique_ptr<Source>> makeHttpSource(const std::string& uri, const Settings& settings);
Result<std::unique_ptr<Source>> makeHfSource(const std::string& uri, const Settings& settings);

// The path when it is relative and stays inside: no empty, "." or ".." parts, no NUL, at most 4096 bytes. Error Invalid.
Result<std::string> safeRelativePath(const std::string& path);
// An HTTP status of 400 and above as an Error: `what` + status + reason. 408, 429 and 5xx get codes that are worth a retry.
Error httpError(const std::string& what, int status, const std::string& detail);
bool worthRetry(Code code);  // Unavailable, Timeout, TooMany

// Checks the answer to a ranged read.
Status checkRangeReply(const std::string& what, const HttpReply& reply, const ByteRange& range);
std::string rangeHeader(const ByteRange& range);

}  // namespace slipway::storage
