// http(s):// (one file) and hf:// (a repository of the Hugging Face Hub).
#include <charconv>

#include "data/json.h"
#include "storage/source.h"

namespace slipway::storage {
namespace {
std::string adviceFor(int status, const std::string& fix) {
  if (status == 401 || status == 403) return fix;
  if (status == 404) return "check the address";
  return "";
}

Status readRange(HttpTransfer& http, const SourceObject& object, ByteRange range, HeaderList headers, const ByteSink& sink) {
  if (range.from > 0 || range.to) headers.emplace_back("Range", rangeHeader(range));
  auto reply = http.get({object.id, std::move(headers)}, sink);
  if (!reply) return failIn(object.id, std::move(reply).error());
  return checkRangeReply(object.id, *reply, range);
}

class HttpSource final : public Source {
 public:
  HttpSource(std::string url, std::string name, HeaderList headers)
      : url_(std::move(url)), name_(std::move(name)), headers_(std::move(headers)) {}

  Result<std::vector<SourceObject>> list(HttpTransfer& http) override {
    SourceObject object;
    object.path = name_;
    object.id = url_;
    object.ranges = false;
    auto head = http.get({url_, headers_, true});
    if (!head) return failIn(url_, std::move(head).error());
    if (head->status == 401 || head->status == 403 || head->status == 404) {
      const bool presigned = url_.find('?') != std::string::npos;  // a signed URL often allows GET alone
      if (!presigned) {
        Error error = httpError(url_, head->status, "");
        error.message += ": " + adviceFor(head->status,
                                          fmt::format("set the variable '{}-headers' (a Secret with https-host and headers)",
                                                      hostOf(url_)));
        return fail(std::move(error));
      }
    }
    if (head->status == 200) {
      if (head->headers["content-type"].starts_with("text/html") && !name_.ends_with(".html") && !name_.ends_with(".htm"))
        return fail(Code::Invalid,
                    url_ + ": the server answers with a web page (text/html), not a file: is this a download link?");
      std::uint64_t size = 0;
      const std::string& length = head->headers["content-length"];
      if (!length.empty() && std::from_chars(length.data(), length.data() + length.size(), size).ec == std::errc())
        object.size = size;
      object.ranges = object.size && head->headers["accept-ranges"] == "bytes";
      object.etag = head->headers["etag"];
      if (object.etag.empty() && !head->headers["last-modified"].empty()) object.etag = head->headers["last-modified"];
    }
    return std::vector<SourceObject>{object};
  }

  Status read(HttpTransfer& http, const SourceObject& object, ByteRange range, const ByteSink& sink) override {
    HeaderList headers = headers_;
    if (range.from > 0 && object.etag.starts_with('"')) headers.emplace_back("If-Match", object.etag);
    return readRange(http, object, range, std::move(headers), sink);
  }
  std::string where() const override { return url_; }

 private:
  std::string url_, name_;
  HeaderList headers_;
};

class HfSource final : public Source {
 public:
  HfSource(std::string endpoint, std::string repository, std::string revision, std::string token)
      : endpoint_(std::move(endpoint)), repository_(std::move(repository)), revision_(std::move(revision)) {
    if (!token.empty()) headers_.emplace_back("Authorization", "Bearer " + token);
  }

  Result<std::vector<SourceObject>> list(HttpTransfer& http) override {
    std::vector<SourceObject> out;
    std::string url = fmt::format("{}/api/models/{}/tree/{}?recursive=true", endpoint_, encodeUri(repository_, true),
                                  encodeUri(revision_, false));
    for (int page = 0; page < 1000 && !url.empty(); ++page) {
      auto reply = http.get({url, headers_});
      if (!reply) return failIn(where(), std::move(reply).error());
      if (reply->status != 200) {
        Error error = httpError(where(), reply->status, "");
        const std::string advice = adviceFor(reply->status, "set HF_TOKEN, and accept the model's terms if it has some");
        if (!advice.empty()) error.message += ": " + advice;
        return fail(std::move(error));
      }
      const auto json = parseJson(reply->body);
      if (!json || !json->is_array()) return fail(Code::Unavailable, where() + ": the listing is not a JSON list");
      SLIP_CHECK(readPage(*json, out));
      url = nextPage(reply->headers["link"]);
    }
    if (out.empty()) return fail(Code::NotFound, fmt::format("Failed to fetch model. No model found in {}.", where()));
    return out;
  }

  Status read(HttpTransfer& http, const SourceObject& object, ByteRange range, const ByteSink& sink) override {
    return readRange(http, object, range, headers_, sink);
  }
  std::string where() const override { return fmt::format("hf://{}:{} at {}", repository_, revision_, endpoint_); }

 private:
  Status readPage(const Json& page, std::vector<SourceObject>& out) const {
    for (const Json& item : page) {
      if (textAt(item, "type") != "file") continue;
      SourceObject object;
      SLIP_TRY(object.path, safeRelativePath(textAt(item, "path")));
      object.id = fmt::format("{}/{}/resolve/{}/{}", endpoint_, encodeUri(repository_, true), encodeUri(revision_, false),
                              encodeUri(object.path, true));
      object.size = static_cast<std::uint64_t>(std::max<std::int64_t>(intAt(item, "size"), 0));
      const std::string lfs = textAt(at(item, "lfs"), "oid");
      object.etag = lfs.empty() ? textAt(item, "oid") : lfs;
      if (out.size() >= 1'000'000) return fail(Code::TooLarge, where() + ": more than 1000000 files");
      out.push_back(std::move(object));
    }
    return {};
  }

  // The target of `<…>; rel="next"` (RFC 8288), when it is at the same host.
  std::string nextPage(const std::string& link) const {
    const std::size_t rel = link.find("rel=\"next\"");
    if (rel == std::string::npos) return "";
    const std::size_t open = link.rfind('<', rel), close = link.rfind('>', rel);
    if (open == std::string::npos || close == std::string::npos || close < open) return "";
    const std::string next = link.substr(open + 1, close - open - 1);
    return next.starts_with(endpoint_ + "/") ? next : "";
  }

  std::string endpoint_, repository_, revision_;
  HeaderList headers_;
};
}  // namespace

Result<std::unique_ptr<Source>> makeHttpSource(const std::string& uri, const Settings& settings) {
  const std::string host = hostOf(uri);
  const std::size_t pathStart = uri.find('/', uri.find("://") + 3);
  std::string path = pathStart == std::string::npos ? "" : uri.substr(pathStart);
  path.resize(std::min(path.find_first_of("?#"), path.size()));
  const std::string name = path.substr(std::min(path.rfind('/') + 1, path.size()));
  if (host.empty() || path.empty() || name.empty())
    return fail(Code::Invalid, fmt::format("{}: expected the address of a file, as in https://host/path/model.joblib", uri));
  if (uri.ends_with(".git"))
    return fail(Code::Unimplemented, uri + ": git repositories are not in this build yet: use s3, hf, http or a volume");
  SLIP_TRY(const std::string checked, safeRelativePath(name));
  HeaderList headers;
  const std::string bare = host.substr(0, host.rfind(':') == std::string::npos ? host.size() : host.rfind(':'));
  for (const std::string& variable : {host + "-headers", bare + "-headers"}) {
    const std::string text = settings.get(variable);
    if (text.empty()) continue;
    const auto json = parseJson(text);
    if (!json || !json->is_object())
      return fail(Code::Invalid, fmt::format("variable '{}' is not a JSON object of headers", variable));
    for (const auto& [key, value] : json->items())
      if (value.is_string()) headers.emplace_back(key, value.get<std::string>());
    break;
  }
  return std::make_unique<HttpSource>(uri, checked, std::move(headers));
}

Result<std::unique_ptr<Source>> makeHfSource(const std::string& uri, const Settings& settings) {
  std::string rest = uri.substr(5);
  const std::size_t colon = rest.find(':');
  const std::string revision = colon == std::string::npos ? "main" : rest.substr(colon + 1);
  rest.resize(std::min(colon, rest.size()));
  while (rest.ends_with('/')) rest.pop_back();
  if (std::count(rest.begin(), rest.end(), '/') != 1 || rest.front() == '/' || revision.empty() || !safeRelativePath(rest))
    return fail(Code::Invalid, fmt::format("{}: expected hf://owner/model or hf://owner/model:revision", uri));
  std::string endpoint = settings.get("HF_ENDPOINT").empty() ? "https://huggingface.co" : settings.get("HF_ENDPOINT");
  while (endpoint.ends_with('/')) endpoint.pop_back();
  std::string token = settings.get("HF_TOKEN");
  if (token.empty()) token = settings.get("HUGGING_FACE_HUB_TOKEN");
  return std::make_unique<HfSource>(std::move(endpoint), rest, revision, token);
}

}  // namespace slipway::storage
