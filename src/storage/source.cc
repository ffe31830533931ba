#include "storage/source.h"

namespace slipway::storage {

Result<std::string> safeRelativePath(const std::string& path) {
  const auto refuse = [&](std::string_view why) {
    return fail(Code::Invalid, fmt::format("file name '{}' is refused: {}", path, why));
  };
  if (path.empty() || path.size() > 4096) return refuse("empty or longer than 4096 bytes");
  if (path[0] == '/') return refuse("it is absolute");
  if (path.find('\0') != std::string::npos) return refuse("it holds a NUL");
  std::size_t from = 0;
  while (from <= path.size()) {
    const std::size_t slash = std::min(path.find('/', from), path.size());
    const std::string_view part(path.data() + from, slash - from);
    if (part == "..") return refuse("it leaves the target folder");
    if (part.empty() || part == ".") return refuse("a part of it is empty or '.'");
    from = slash + 1;
  }
  return path;
}

bool worthRetry(Code code) { return code == Code::Unavailable || code == Code::Timeout || code == Code::TooMany; }

Error httpError(const std::string& what, int status, const std::string& detail) {
  Code code = codeFromHttp(status);
  if (status == 408) code = Code::Timeout;
  if (status >= 500) code = Code::Unavailable;
  return Error{code, fmt::format("{}: HTTP {}{}{}", what, status, detail.empty() ? "" : " ", detail), {}};
}

std::string rangeHeader(const ByteRange& range) {
  return range.to ? fmt::format("bytes={}-{}", range.from, *range.to - 1) : fmt::format("bytes={}-", range.from);
}

Status checkRangeReply(const std::string& what, const HttpReply& reply, const ByteRange& range) {
  if (reply.status == 412) return fail(Code::Conflict, what + ": changed while it was downloaded; start again");
  if (reply.status == 200 && range.from > 0) return fail(Code::Internal, what + ": the server ignores byte ranges");
  if (reply.status == 200 || reply.status == 206) return {};
  return fail(httpError(what, reply.status, ""));
}

Result<std::unique_ptr<Source>> openSource(const std::string& uri, const Settings& settings) {
  const auto under = [&](std::string_view scheme) { return uri.starts_with(scheme); };
  if (under("s3://")) return makeS3Source(uri, settings.s3, settings);
  if (under("hf://")) return makeHfSource(uri, settings);
  if (under("http://") || under("https://")) return makeHttpSource(uri, settings);
  if (under("gs://")) {
    if (!settings.get("GOOGLE_APPLICATION_CREDENTIALS").empty())
      return fail(Code::Unimplemented,
                  uri +
                      ": service account keys are not in this build yet: use a public bucket, or HMAC keys in "
                      "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY with an s3:// URI and "
                      "AWS_ENDPOINT_URL=https://storage.googleapis.com");
    S3Settings gcs;  // Cloud Storage's XML API is S3's
    gcs.endpoint = settings.get("STORAGE_EMULATOR_HOST").empty() ? "https://storage.googleapis.com"
                                                                 : settings.get("STORAGE_EMULATOR_HOST");
    gcs.anonymous = true;
    return makeS3Source("s3" + uri.substr(2), std::move(gcs), settings);
  }
  const std::size_t scheme = uri.find("://");
  if (scheme == std::string::npos)
    return fail(Code::Invalid, fmt::format("'{}' is neither a URI nor a path that exists", uri));
  return fail(Code::Invalid, fmt::format("{}: scheme '{}' is not supported: use s3, gs, hf, http, https, pvc or file", uri,
                                         uri.substr(0, scheme)));
}

}  // namespace slipway::storage
