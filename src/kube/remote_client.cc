#include "kube/remote_client.h"

#include <fstream>
#include <iterator>

#include "base/ids.h"
#include "data/base64.h"
#include "net/client.h"
#include "net/tls.h"

namespace slipway::kube {
namespace {

const char* contentType(PatchType type) {
  switch (type) {
    case PatchType::Json: return "application/json-patch+json";
    case PatchType::Merge: return "application/merge-patch+json";
    case PatchType::Strategic: return "application/strategic-merge-patch+json";
    case PatchType::Apply: return "application/apply-patch+yaml";  // JSON is YAML
  }
  return "application/json";
}

class Query {
 public:
  void add(std::string_view name, std::string_view value) {
    text_ += text_.empty() ? "?" : "&";
    text_ += fmt::format("{}={}", name, net::percentEncode(value));
  }
  void addIf(std::string_view name, const std::string& value) {
    if (!value.empty()) add(name, value);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

std::string writeQuery(const WriteOptions& options, bool isPatch) {
  Query q;
  q.addIf("fieldManager", options.fieldManager);
  if (options.dryRun) q.add("dryRun", "All");
  if (isPatch && options.force) q.add("force", "true");
  return q.text();
}

Code codeOfReason(const std::string& reason, int status) {
  static const std::map<std::string, Code> kByReason{{"NotFound", Code::NotFound},
                                                     {"AlreadyExists", Code::AlreadyExists},
                                                     {"Conflict", Code::Conflict},
                                                     {"Gone", Code::Gone},
                                                     {"Expired", Code::Gone},
                                                     {"Invalid", Code::Invalid},
                                                     {"Forbidden", Code::Forbidden},
                                                     {"Unauthorized", Code::Unauthorized},
                                                     {"BadRequest", Code::BadRequest},
                                                     {"Timeout", Code::Timeout},
                                                     {"ServerTimeout", Code::Timeout},
                                                     {"TooManyRequests", Code::TooMany},
                                                     {"ServiceUnavailable", Code::Unavailable},
                                                     {"InternalError", Code::Internal},
                                                     {"MethodNotAllowed", Code::MethodNotAllowed},
                                                     {"UnsupportedMediaType", Code::UnsupportedMedia},
                                                     {"RequestEntityTooLarge", Code::TooLarge}};
  auto it = kByReason.find(reason);
  return it == kByReason.end() ? codeFromHttp(status) : it->second;
}

}  // namespace

std::string resourcePath(const Kind& kind, const Key& key, const std::string& subresource) {
  std::string path =
      kind.group.empty() ? fmt::format("/api/{}", kind.version) : fmt::format("/apis/{}/{}", kind.group, kind.version);
  if (kind.namespaced && !key.ns.empty()) path += "/namespaces/" + net::percentEncode(key.ns);
  path += fmt::format("/{}", kind.plural);
  if (!key.name.empty()) path += "/" + net::percentEncode(key.name);
  if (!subresource.empty()) path += "/" + subresource;
  return path;
}

Error errorOf(int httpStatus, const std::string& body) {
  auto parsed = parseJson(body);
  if (parsed && textAt(*parsed, "kind") == "Status") {
    const int code = static_cast<int>(intAt(*parsed, "code", httpStatus));
    return {codeOfReason(textAt(*parsed, "reason"), code),
            textAt(*parsed, "message", fmt::format("the server answered {}", code)), body};
  }
  const std::string shown = body.size() > 200 ? body.substr(0, 200) + "…" : body;
  return {codeFromHttp(httpStatus),
          fmt::format("the server answered {}: {}", httpStatus, shown.empty() ? "(no body)" : shown), ""};
}

struct RemoteClient::State {
  State(Executor executor, Kubeconfig c, RemoteOptions o, net::ClientOptions http)
      : config(std::move(c)), options(std::move(o)), client(executor, std::move(http)) {}
  Kubeconfig config;
  RemoteOptions options;
  net::HttpClient client;

  net::Request request(std::string method, const std::string& target) const;
  void rereadToken();
  static Task<Result<net::Response>> send(std::shared_ptr<State> self, std::string method, std::string target,
                                          std::string type, std::string body);
  static Task<Result<Json>> call(std::shared_ptr<State> self, std::string method, std::string target, std::string type,
                                 std::string body);
};

net::Request RemoteClient::State::request(std::string method, const std::string& target) const {
  net::Request r;
  r.method = std::move(method);
  r.target = config.pathPrefix + target;
  r.headers.set("Accept", "application/json");
  r.headers.set("User-Agent", options.userAgent);
  if (!config.token.empty())
    r.headers.set("Authorization", "Bearer " + config.token);
  else if (!config.username.empty())
    r.headers.set("Authorization", "Basic " + base64Encode(config.username + ":" + config.password));
  return r;
}

// Bound service account tokens are replaced on disk before they expire.
void RemoteClient::State::rereadToken() {
  std::ifstream in(config.tokenFile, std::ios::binary);
  std::string token{std::istreambuf_iterator<char>(in), {}};
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
  if (!token.empty()) config.token = std::move(token);
}

Task<Result<net::Response>> RemoteClient::State::send(std::shared_ptr<State> self, std::string method, std::string target,
                                                      std::string type, std::string body) {
  for (int attempt = 0;; ++attempt) {
    net::Request request = self->request(method, target);
    if (!type.empty()) request.headers.set("Content-Type", type);
    if (!body.empty()) request.body = net::Body(body);
    const net::Origin origin{.host = self->config.host, .port = self->config.port, .tls = self->config.tls};
    auto response = co_await self->client.send(origin, std::move(request));
    if (!response) co_return failIn(fmt::format("API server {}:{}", self->config.host, self->config.port), response.error());
    const bool stale = response->status == 401 && attempt == 0 && !self->config.tokenFile.empty();
    if (stale) {
      self->rereadToken();
      continue;
    }
    co_return std::move(*response);
  }
}

Task<Result<Json>> RemoteClient::State::call(std::shared_ptr<State> self, std::string method, std::string target,
                                             std::string type, std::string body) {
  auto response = co_await send(self, std::move(method), std::move(target), std::move(type), std::move(body));
  if (!response) co_return fail(response.error());
  auto text = co_await response->body.readAll(self->options.maxObjectBytes);
  if (!text) co_return failIn("reading the API server's answer", text.error());
  if (response->status >= 300) co_return fail(errorOf(response->status, *text));
  auto parsed = parseJson(*text);
  if (!parsed) co_return failIn("the API server's answer is not JSON", parsed.error());
  co_return std::move(*parsed);
}

namespace {

// One watch: newline-delimited {"type","object"} documents out of a chunked body.
class RemoteWatch final : public Watch {
 public:
  RemoteWatch(net::Response response, std::size_t maxBytes, std::shared_ptr<void> keep)
      : response_(std::move(response)), maxBytes_(maxBytes), keep_(std::move(keep)) {}

  Task<Result<WatchEvent>> next() override {
    while (true) {
      const auto end = buffer_.find('\n', from_);
      if (end != std::string::npos) {
        std::string line = buffer_.substr(0, end);
        buffer_.erase(0, end + 1);
        from_ = 0;
        if (line.find_first_not_of(" \r\t") == std::string::npos) continue;
        co_return parseEvent(line);
      }
      from_ = buffer_.size();
      if (buffer_.size() > maxBytes_)
        co_return fail(Code::TooLarge, fmt::format("a watch event is larger than {} bytes", maxBytes_));
      if (ended_) co_return fail(Code::Unavailable, "watch closed by the server");
      auto chunk = co_await response_.body.read();
      if (!chunk) {
        ended_ = true;
        co_return fail(Code::Unavailable, "watch broke: " + chunk.error().message);
      }
      if (chunk->empty()) ended_ = true;
      buffer_ += *chunk;
    }
  }

 private:
  static Result<WatchEvent> parseEvent(const std::string& line) {
    SLIP_TRY(auto document, parseJson(line));
    const std::string type = textAt(document, "type");
    Json object = document.is_object() && document.contains("object") ? std::move(document["object"]) : Json();
    if (type == "ADDED") return WatchEvent{WatchEvent::Type::Added, std::move(object)};
    if (type == "MODIFIED") return WatchEvent{WatchEvent::Type::Modified, std::move(object)};
    if (type == "DELETED") return WatchEvent{WatchEvent::Type::Deleted, std::move(object)};
    if (type == "BOOKMARK") return WatchEvent{WatchEvent::Type::Bookmark, std::move(object)};
    if (type == "ERROR") return fail(errorOf(static_cast<int>(intAt(object, "code", 500)), dumpJson(object)));
    return fail(Code::BadGateway, fmt::format("watch event of unknown type \"{}\"", type));
  }

  net::Response response_;
  std::size_t maxBytes_;
  std::shared_ptr<void> keep_;  // the HTTP client's state
  std::string buffer_;
  std::size_t from_ = 0;  // buffer_ has no newline before this
  bool ended_ = false;
};

}  // namespace

Result<std::unique_ptr<RemoteClient>> RemoteClient::create(Executor executor, Kubeconfig config, RemoteOptions options) {
  net::ClientOptions http;
  http.headTimeout = options.requestTimeout;
  if (config.tls) {
    const net::CertificatePem identity{config.clientCertPem, config.clientKeyPem};
    auto tls = net::TlsContext::client(config.caPem, config.clientCertPem.empty() ? nullptr : &identity,
                                       !config.insecureSkipTlsVerify);
    if (!tls) return failIn("kubeconfig", tls.error());
    http.tls = std::move(*tls);
  }
  auto state = std::make_shared<State>(std::move(executor), std::move(config), std::move(options), std::move(http));
  return std::unique_ptr<RemoteClient>(new RemoteClient(std::move(state)));
}

RemoteClient::~RemoteClient() = default;

Task<Result<Json>> RemoteClient::get(Kind kind, Key key) {
  return State::call(state_, "GET", resourcePath(kind, key), "", "");
}

Task<Result<List>> RemoteClient::list(Kind kind, ListOptions options) {
  auto state = state_;
  List out;
  std::string next;
  do {
    Query q;
    q.add("limit", std::to_string(state->options.pageSize));
    q.addIf("continue", next);
    q.addIf("labelSelector", options.labelSelector);
    q.addIf("fieldSelector", options.fieldSelector);
    auto page = co_await State::call(state, "GET", resourcePath(kind, {options.ns, ""}) + q.text(), "", "");
    if (!page) co_return fail(page.error());
    out.resourceVersion = textAt(at(*page, "metadata"), "resourceVersion");
    next = textAt(at(*page, "metadata"), "continue");
    if (!page->contains("items") || !(*page)["items"].is_array()) continue;
    for (auto& item : (*page)["items"]) {
      item["apiVersion"] = kind.apiVersion();  // items may omit both
      item["kind"] = kind.kind;
      out.items.push_back(std::move(item));
    }
  } while (!next.empty());
  co_return out;
}

Task<Result<std::unique_ptr<Watch>>> RemoteClient::watch(Kind kind, ListOptions options, std::string resourceVersion) {
  auto state = state_;
  Query q;
  q.add("watch", "true");
  q.add("allowWatchBookmarks", "true");
  // Spread out, so that many watches do not all come back in one second.
  const auto base = static_cast<std::uint64_t>(state->options.watchTimeout.count());
  q.add("timeoutSeconds", std::to_string(base + randomU64() % (base + 1)));
  q.addIf("resourceVersion", resourceVersion);
  q.addIf("labelSelector", options.labelSelector);
  q.addIf("fieldSelector", options.fieldSelector);
  auto response = co_await State::send(state, "GET", resourcePath(kind, {options.ns, ""}) + q.text(), "", "");
  if (!response) co_return fail(response.error());
  if (response->status >= 300) {
    auto text = co_await response->body.readAll(state->options.maxObjectBytes);
    co_return fail(errorOf(response->status, text ? *text : ""));
  }
  co_return std::make_unique<RemoteWatch>(std::move(*response), state->options.maxObjectBytes, state);
}

Task<Result<Json>> RemoteClient::create(Kind kind, Json object, WriteOptions options) {
  object["apiVersion"] = kind.apiVersion();
  object["kind"] = kind.kind;
  Key key{keyOf(object).ns, options.subresource.empty() ? "" : keyOf(object).name};
  return State::call(state_, "POST", resourcePath(kind, key, options.subresource) + writeQuery(options, false),
                     "application/json", dumpJson(object));
}

Task<Result<Json>> RemoteClient::update(Kind kind, Json object, WriteOptions options) {
  return State::call(state_, "PUT", resourcePath(kind, keyOf(object), options.subresource) + writeQuery(options, false),
                     "application/json", dumpJson(object));
}

Task<Result<Json>> RemoteClient::patch(Kind kind, Key key, PatchType type, Json patch, WriteOptions options) {
  if (type == PatchType::Apply && patch.is_object()) {
    patch["apiVersion"] = kind.apiVersion();
    patch["kind"] = kind.kind;
  }
  return State::call(state_, "PATCH", resourcePath(kind, key, options.subresource) + writeQuery(options, true),
                     contentType(type), dumpJson(patch));
}

Task<Status> RemoteClient::remove(Kind kind, Key key, DeleteOptions options) {
  Json body{{"apiVersion", "v1"}, {"kind", "DeleteOptions"}};
  if (!options.propagationPolicy.empty()) body["propagationPolicy"] = options.propagationPolicy;
  if (options.gracePeriodSeconds) body["gracePeriodSeconds"] = *options.gracePeriodSeconds;
  if (!options.uid.empty()) body["preconditions"] = {{"uid", options.uid}};
  auto state = state_;
  auto gone = co_await State::call(state, "DELETE", resourcePath(kind, key), "application/json", dumpJson(body));
  if (!gone) co_return fail(gone.error());
  co_return Status{};
}

}  // namespace slipway::kube
