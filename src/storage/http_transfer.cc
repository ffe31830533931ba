#include "storage/http_transfer.h"

#include <curl/curl.h>

namespace slipway::storage {
namespace {
constexpr std::size_t kErrorBytes = 64 << 10;
constexpr std::size_t kBodyBytes = 64 << 20;

struct Transfer {
  CURL* curl;
  const ByteSink* sink;
  HttpReply reply;
  bool stopped = false;

  bool success() {
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    return status >= 200 && status < 300;
  }
};

std::size_t onBody(char* data, std::size_t, std::size_t size, void* user) {
  auto& t = *static_cast<Transfer*>(user);
  if (t.success() && *t.sink) {
    t.stopped = !(*t.sink)({data, size});
    return t.stopped ? 0 : size;
  }
  const std::size_t limit = t.success() ? kBodyBytes : kErrorBytes;
  if (t.reply.body.size() + size > limit && t.success()) return 0;
  t.reply.body.append(data, std::min(size, limit - std::min(limit, t.reply.body.size())));
  return size;
}

std::size_t onHeader(char* data, std::size_t, std::size_t size, void* user) {
  auto& headers = static_cast<Transfer*>(user)->reply.headers;
  std::string_view line(data, size);
  if (line.starts_with("HTTP/")) headers.clear();  // a later response of the same exchange (100, proxies)
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || headers.size() > 256) return size;
  std::string name(line.substr(0, colon));
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  std::string value(line.substr(colon + 1));
  value.erase(0, value.find_first_not_of(" \t"));
  value.erase(value.find_last_not_of(" \t\r\n") + 1);
  headers[name] = value;
  return size;
}

std::string adviceFor(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST: return "the host name is unknown: check the address";
    case CURLE_COULDNT_CONNECT: return "cannot connect: check the address and port, and that the server runs";
    case CURLE_PEER_FAILED_VERIFICATION:
      return "its TLS certificate is not trusted: set AWS_CA_BUNDLE to the authority's PEM file (or S3_VERIFY_SSL=0 to "
             "trust any)";
    case CURLE_SSL_CACERT_BADFILE: return "AWS_CA_BUNDLE cannot be read";
    case CURLE_SSL_CONNECT_ERROR: return "TLS handshake failed: is it an https endpoint? (S3_USE_HTTPS=0 for plain http)";
    case CURLE_OPERATION_TIMEDOUT: return "timed out (S3_CONNECT_TIMEOUT, S3_READ_TIMEOUT)";
    case CURLE_URL_MALFORMAT: return "the address is malformed";
    default: return curl_easy_strerror(code);
  }
}
}  // namespace

struct HttpTransfer::State {
  TransferSettings settings;
  CURL* curl;
};

HttpTransfer::HttpTransfer(const TransferSettings& settings) {
  static const CURLcode once = curl_global_init(CURL_GLOBAL_DEFAULT);
  (void)once;
  state_ = std::make_unique<State>(State{settings, curl_easy_init()});
}

HttpTransfer::~HttpTransfer() { curl_easy_cleanup(state_->curl); }

std::string hostOf(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return "";
  url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find_first_of("/?#"));
  return std::string(url.substr(url.rfind('@') == std::string_view::npos ? 0 : url.rfind('@') + 1));
}

Result<HttpReply> HttpTransfer::get(HttpGet request, const ByteSink& sink) {
  CURL* curl = state_->curl;
  const TransferSettings& s = state_->settings;
  for (int redirects = 0;; ++redirects) {
    curl_easy_reset(curl);
    Transfer transfer{curl, &sink, {}, false};
    curl_slist* list = nullptr;
    for (const auto& [name, value] : request.headers)
      list = curl_slist_append(list, fmt::format("{}: {}", name, value).c_str());
    curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(curl, CURLOPT_NOBODY, request.head ? 1L : 0L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "slipway");
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, static_cast<long>(s.connectTimeout.count()));
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, static_cast<long>(s.readTimeout.count()));
    curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, 256L << 10);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, s.verifyTls ? 1L : 0L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, s.verifyTls ? 2L : 0L);
    if (!s.caBundle.empty()) curl_easy_setopt(curl, CURLOPT_CAINFO, s.caBundle.c_str());
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, onBody);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, onHeader);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &transfer);
    const CURLcode code = curl_easy_perform(curl);
    curl_slist_free_all(list);
    if (transfer.stopped) return fail(Code::Cancelled, "stopped by the receiver");
    if (code != CURLE_OK)
      return fail(code == CURLE_OPERATION_TIMEDOUT ? Code::Timeout : Code::Unavailable,
                  fmt::format("{}: {}", hostOf(request.url), adviceFor(code)));
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    transfer.reply.status = static_cast<int>(status);
    transfer.reply.url = request.url;
    char* location = nullptr;
    curl_easy_getinfo(curl, CURLINFO_REDIRECT_URL, &location);
    if (status < 300 || status >= 400 || location == nullptr || !request.followRedirects) return std::move(transfer.reply);
    if (redirects == 10) return fail(Code::Unavailable, fmt::format("{}: more than 10 redirects", hostOf(request.url)));
    const std::string next = location;
    if (request.url.starts_with("https:") && !next.starts_with("https:"))
      return fail(Code::Unavailable, fmt::format("{}: redirects from https to {}: refused", hostOf(request.url), next));
    if (hostOf(next) != hostOf(request.url))
      std::erase_if(request.headers, [](const auto& h) { return h.first != "Range" && h.first != "If-Match"; });
    request.url = next;
  }
}

}  // namespace slipway::storage
