#include <charconv>

#include "base/clock.h"
#include "storage/source.h"

namespace slipway::storage {
namespace {
std::string xmlUnescape(std::string text) {
  static constexpr std::pair<std::string_view, char> kEntities[] = {
      {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}, {"&amp;", '&'}, {"&#34;", '"'}, {"&#39;", '\''}};
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto entity = std::find_if(std::begin(kEntities), std::end(kEntities),
                                     [&](const auto& e) { return text.compare(i, e.first.size(), e.first) == 0; });
    if (entity == std::end(kEntities)) {
      out += text[i++];
    } else {
      out += entity->second;
      i += entity->first.size();
    }
  }
  return out;
}

// The text of the first <tag> in `xml`. S3's documents are flat enough for this: no attributes on the tags we read, no
// CDATA.
std::string element(std::string_view xml, const std::string& tag) {
  const std::size_t from = xml.find("<" + tag + ">");
  if (from == std::string_view::npos) return "";
  const std::size_t begin = from + tag.size() + 2;
  const std::size_t end = xml.find("</" + tag + ">", begin);
  return end == std::string_view::npos ? "" : xmlUnescape(std::string(xml.substr(begin, end - begin)));
}

std::string unquote(std::string text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') return text.substr(1, text.size() - 2);
  return text;
}

std::string percentDecoded(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    int value = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16).ptr == text.data() + i + 3) {
      out += static_cast<char>(value);
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

class S3Source final : public Source {
 public:
  S3Source(std::string uri, S3Settings s3) : uri_(std::move(uri)), s3_(std::move(s3)) {
    const std::string rest = uri_.substr(5);  // after s3://
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    bucket_ = rest.substr(0, slash);
    prefix_ = rest.substr(std::min(slash + 1, rest.size()));
    while (prefix_.ends_with('/')) prefix_.pop_back();
  }

  Result<std::vector<SourceObject>> list(HttpTransfer& http) override {
    if (bucket_.empty())
      return fail(Code::Invalid, fmt::format("{}: the bucket's name is missing, as in s3://bucket/path", uri_));
    std::vector<SourceObject> out;
    std::string token;
    for (int page = 0; page < 10000; ++page) {
      auto reply = listPage(http, token);
      if (!reply) return fail(std::move(reply).error());
      SLIP_CHECK(readPage(reply->body, out));
      token = element(reply->body, "NextContinuationToken");
      if (element(reply->body, "IsTruncated") != "true" || token.empty()) break;
    }
    const auto exact = std::find_if(out.begin(), out.end(), [&](const auto& o) { return o.id == prefix_; });
    if (exact != out.end()) return std::vector<SourceObject>{*exact};
    if (out.empty())
      return fail(Code::NotFound,
                  fmt::format("Failed to fetch model. No model found in {} (endpoint {}): check bucket and path", uri_,
                              s3_.endpoint));
    return out;
  }

  Status read(HttpTransfer& http, const SourceObject& object, ByteRange range, const ByteSink& sink) override {
    HeaderList headers;
    if (range.from > 0 || range.to) headers.emplace_back("Range", rangeHeader(range));
    if (!object.etag.empty()) headers.emplace_back("If-Match", "\"" + object.etag + "\"");
    auto reply = send(http, "/" + object.id, {}, std::move(headers), sink);
    if (!reply) return fail(std::move(reply).error());
    if (reply->status >= 400 && reply->status != 412) return fail(explain(*reply, object.id));
    return checkRangeReply(fmt::format("s3://{}/{}", bucket_, object.id), *reply, range);
  }

  std::string where() const override { return fmt::format("{} at {}", uri_, s3_.endpoint); }

 private:
  // One signed request; `path` is the unencoded path within the bucket.
  Result<HttpReply> send(HttpTransfer& http, const std::string& path, QueryList query, HeaderList headers,
                         const ByteSink& sink) {
    std::string base = s3_.endpoint;
    std::string encoded = encodeUri(path, true);
    if (s3_.virtualHosted && bucket_.find('.') == std::string::npos)
      base.insert(base.find("://") + 3, bucket_ + ".");
    else
      encoded = "/" + encodeUri(bucket_, false) + encoded;
    const std::size_t pathStart = base.find('/', base.find("://") + 3);  // an endpoint below a path, as some gateways have
    if (pathStart != std::string::npos) {
      encoded = base.substr(pathStart) + encoded;
      base.resize(pathStart);
    }
    const std::string text = canonicalQuery(std::move(query));
    if (!s3_.anonymous && !s3_.accessKey.empty())
      headers = signV4({"GET", hostOf(base), encoded, text, std::move(headers)},
                       {s3_.accessKey, s3_.secretKey, s3_.sessionToken, s3_.region}, SystemClock().wall());
    HttpGet request{base + encoded + (text.empty() ? "" : "?" + text), std::move(headers)};
    request.followRedirects = false;  // a redirected request would need another signature
    return http.get(std::move(request), sink);
  }

  Result<HttpReply> listPage(HttpTransfer& http, const std::string& token) {
    for (int attempt = 0; attempt < 2; ++attempt) {
      QueryList query{{"list-type", "2"}, {"prefix", prefix_}, {"encoding-type", "url"}};
      if (!token.empty()) query.emplace_back("continuation-token", token);
      auto reply = send(http, "/", std::move(query), {}, {});
      if (!reply) return failIn(where(), std::move(reply).error());
      if (reply->status == 200) return reply;
      std::string region = reply->headers["x-amz-bucket-region"];
      if (region.empty()) region = element(reply->body, "Region");
      if (attempt > 0 || region.empty() || region == s3_.region) return fail(explain(*reply, ""));
      moveTo(region);  // the bucket lives elsewhere: sign for there
    }
    return fail(Code::Internal, where() + ": no answer");
  }

  void moveTo(const std::string& region) {
    if (s3_.endpoint == fmt::format("https://s3.{}.amazonaws.com", s3_.region))
      s3_.endpoint = fmt::format("https://s3.{}.amazonaws.com", region);
    s3_.region = region;
  }

  Status readPage(std::string_view xml, std::vector<SourceObject>& out) const {
    for (std::size_t at = xml.find("<Contents>"); at != std::string_view::npos; at = xml.find("<Contents>", at + 1)) {
      const std::string_view item = xml.substr(at, xml.find("</Contents>", at) - at);
      SourceObject object;
      object.id = percentDecoded(element(item, "Key"));
      object.etag = unquote(element(item, "ETag"));
      const std::string size = element(item, "Size");
      std::uint64_t bytes = 0;
      if (std::from_chars(size.data(), size.data() + size.size(), bytes).ec != std::errc())
        return fail(Code::Internal, fmt::format("{}: the listing gives no size for '{}'", where(), object.id));
      object.size = bytes;
      if (object.id.ends_with('/')) continue;  // a folder marker
      if (object.id == prefix_)
        object.path = object.id.substr(object.id.rfind('/') == std::string::npos ? 0 : object.id.rfind('/') + 1);
      else if (prefix_.empty())
        object.path = object.id;
      else if (object.id.starts_with(prefix_ + "/"))
        object.path = object.id.substr(prefix_.size() + 1);
      else
        continue;  // "model2/x" under the prefix "model"
      object.path.erase(0, object.path.find_first_not_of('/'));
      SLIP_TRY(object.path, safeRelativePath(object.path));
      if (out.size() >= 1'000'000) return fail(Code::TooLarge, where() + ": more than 1000000 objects");
      out.push_back(std::move(object));
    }
    return {};
  }

  Error explain(const HttpReply& reply, const std::string& key) const {
    const std::string code = element(reply.body, "Code");
    const std::string said = element(reply.body, "Message");
    const std::string what = key.empty() ? where() : fmt::format("s3://{}/{} at {}", bucket_, key, s3_.endpoint);
    std::string advice;
    if (s3_.anonymous && (reply.status == 401 || reply.status == 403))
      advice = "the bucket is not public: give it credentials";
    else if (s3_.accessKey.empty() && (reply.status == 401 || reply.status == 403))
      advice = "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
    else if (code == "InvalidAccessKeyId")
      advice = "check AWS_ACCESS_KEY_ID";
    else if (code == "SignatureDoesNotMatch")
      advice = "check AWS_SECRET_ACCESS_KEY and AWS_DEFAULT_REGION";
    else if (code == "NoSuchBucket")
      advice = "check the bucket's name and AWS_ENDPOINT_URL";
    else if (reply.status == 401 || reply.status == 403)
      advice = "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and the bucket's policy";
    else if (reply.status == 404)
      advice = "check bucket, path and AWS_ENDPOINT_URL";
    else if (reply.status >= 300 && reply.status < 400)
      advice = "the endpoint redirects: check AWS_ENDPOINT_URL and AWS_DEFAULT_REGION";
    const std::string reason = code.empty() ? "" : fmt::format("{} ({})", code, said);
    Error error = httpError(what, reply.status, reason);
    if (!advice.empty()) error.message += ": " + advice;
    return error;
  }

  std::string uri_;
  S3Settings s3_;
  std::string bucket_, prefix_;
};
}  // namespace

std::unique_ptr<Source> makeS3Source(const std::string& uri, S3Settings s3, const Settings&) {
  return std::make_unique<S3Source>(uri, std::move(s3));
}

}  // namespace slipway::storage
