#include "storage/testing/fake_store.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <thread>

#include "net/server.h"
#include "storage/sigv4.h"

namespace slipway::storage::testing {
namespace {
struct File {
  std::string bytes, type;
};

// Gives the first bytes of a body and then breaks the connection.
class Broken final : public net::BodyReader {
 public:
  explicit Broken(std::string bytes) : bytes_(std::move(bytes)) {}
  Task<Result<std::string>> read() override {
    if (bytes_.empty()) co_return fail(Code::Unavailable, "broken on purpose");
    co_return std::exchange(bytes_, {});
  }

 private:
  std::string bytes_;
};

net::Response listKeys(const std::map<std::string, File>& files, const std::string& bucket, const net::Request& request,
                       std::size_t pageSize) {
  const std::string prefix = request.queryValue("prefix").value_or("");
  const std::string after = request.queryValue("continuation-token").value_or("");
  std::string xml, last;
  std::size_t count = 0;
  bool truncated = false;
  for (const auto& [path, file] : files) {
    if (!path.starts_with(bucket + "/" + prefix)) continue;
    const std::string key = path.substr(bucket.size() + 1);
    if (key <= after) continue;
    truncated = count == pageSize;
    if (truncated) break;
    ++count;
    last = key;
    xml += fmt::format("<Contents><Key>{}</Key><ETag>&quot;{}&quot;</ETag><Size>{}</Size></Contents>", encodeUri(key, true),
                       sha256Hex(file.bytes), file.bytes.size());
  }
  if (truncated) xml += fmt::format("<NextContinuationToken>{}</NextContinuationToken>", last);
  return net::Response::text(
      200, fmt::format("<ListBucketResult><IsTruncated>{}</IsTruncated>{}</ListBucketResult>", truncated, xml));
}
}  // namespace

struct FakeStore::State {
  mutable std::mutex mutex;
  std::map<std::string, File> files;
  std::map<std::string, std::string> redirects;
  std::map<std::string, std::pair<int, std::string>> answers;
  int failures = 0, failureStatus = 500, breaks = 0;
  std::size_t breakAfter = 0, pageSize = 1000;
  bool ranges = true;
  std::vector<Seen> seen;
  boost::asio::io_context loop;
  std::unique_ptr<net::HttpServer> server;
  std::uint16_t port = 0;
  std::thread thread;

  net::Response file(const net::Request& request, const File& file) {
    net::Response r;
    const std::string etag = "\"" + sha256Hex(file.bytes) + "\"";
    r.headers.set("Content-Type", file.type);
    r.headers.set("ETag", etag);
    if (ranges) r.headers.set("Accept-Ranges", "bytes");
    if (const auto match = request.headers.get("If-Match"); match && *match != etag) {
      r.status = 412;
      return r;
    }
    std::size_t from = 0, to = file.bytes.size();
    if (const auto range = request.headers.get("Range"); range && ranges) {
      const std::string text(range->substr(6));
      from = std::stoul(text);
      const std::string end = text.substr(text.find('-') + 1);
      if (!end.empty()) to = std::min<std::size_t>(std::stoul(end) + 1, to);
      r.status = 206;
    }
    if (request.method == "GET" && failures > 0) {
      --failures;
      return net::Response::text(failureStatus, "failed on purpose");
    }
    if (request.method == "GET" && breaks > 0) {
      --breaks;
      r.body = net::Body(std::make_unique<Broken>(file.bytes.substr(from, std::min(breakAfter, to - from))), to - from);
      return r;
    }
    r.body = file.bytes.substr(from, to - from);
    return r;
  }

  net::Response answer(const net::Request& request) {
    const std::lock_guard lock(mutex);
    seen.push_back({request.method + " " + request.target, std::string(request.headers.getOr("Range", "")),
                    std::string(request.headers.getOr("Authorization", "")),
                    std::string(request.headers.getOr("X-Custom", ""))});
    std::string path = request.path().substr(1);
    const std::string_view host = request.headers.getOr("Host", "");
    if (host.find(".localhost") != std::string_view::npos) path = std::string(host.substr(0, host.find('.'))) + "/" + path;
    if (const auto found = redirects.find(path); found != redirects.end()) {
      net::Response r;
      r.status = 302;
      r.headers.set("Location", found->second);
      return r;
    }
    if (const auto found = answers.find(path); found != answers.end())
      return net::Response::text(found->second.first, found->second.second);
    if (request.queryValue("list-type")) return listKeys(files, path.substr(0, path.find('/')), request, pageSize);
    const auto found = files.find(path);
    if (found == files.end())
      return net::Response::text(404, "<Error><Code>NoSuchKey</Code><Message>The key does not exist.</Message></Error>");
    return file(request, found->second);
  }
};

FakeStore::FakeStore() : state_(std::make_unique<State>()) {
  const net::Handler handler = [s = state_.get()](net::Request request) -> Task<net::Response> {
    co_return s->answer(request);
  };
  state_->server = std::make_unique<net::HttpServer>(state_->loop.get_executor(), handler);
  state_->port = state_->server->listen("127.0.0.1", 0)->port;
  state_->thread = std::thread([s = state_.get()] { s->loop.run(); });
}

FakeStore::~FakeStore() {
  boost::asio::post(state_->loop, [s = state_.get()] {
    s->server.reset();
    s->loop.stop();
  });
  state_->thread.join();
}

std::string FakeStore::url() const { return fmt::format("http://127.0.0.1:{}", state_->port); }
void FakeStore::put(const std::string& path, std::string bytes, const std::string& contentType) {
  const std::lock_guard lock(state_->mutex);
  state_->files[path] = File{std::move(bytes), contentType};
}
void FakeStore::redirect(const std::string& path, const std::string& to) {
  const std::lock_guard lock(state_->mutex);
  state_->redirects[path] = to;
}
void FakeStore::respond(const std::string& path, int status, const std::string& body) {
  const std::lock_guard lock(state_->mutex);
  state_->answers[path] = {status, body};
}
void FakeStore::failNext(int requests, int status) {
  const std::lock_guard lock(state_->mutex);
  state_->failures = requests;
  state_->failureStatus = status;
}
void FakeStore::breakNext(int requests, std::size_t afterBytes) {
  const std::lock_guard lock(state_->mutex);
  state_->breaks = requests;
  state_->breakAfter = afterBytes;
}
void FakeStore::setPageSize(std::size_t keys) {
  const std::lock_guard lock(state_->mutex);
  state_->pageSize = keys;
}
void FakeStore::ignoreRanges() {
  const std::lock_guard lock(state_->mutex);
  state_->ranges = false;
}
std::vector<FakeStore::Seen> FakeStore::seen() const {
  const std::lock_guard lock(state_->mutex);
  return state_->seen;
}
std::size_t FakeStore::count(const std::string& linePrefix) const {
  const auto all = seen();
  return static_cast<std::size_t>(
      std::count_if(all.begin(), all.end(), [&](const Seen& s) { return s.line.starts_with(linePrefix); }));
}

}  // namespace slipway::storage::testing
