#include "apiserver/testing/test_api.h"

#include <cstdio>
#include <cstdlib>

namespace slipway::apiserver {

TestApi::TestApi(boost::asio::io_context& io, TestApiOptions options) : io_(io) {
  ApiServerOptions o;
  o.store.path = options.path;
  o.catalog = options.catalog;
  o.registry.admissions = std::move(options.admissions);
  o.registry.clock = options.clock;
  o.bootstrap.namespaces = {"default", "kube-system", "kserve"};
  o.bootstrap.apiPort = 0;
  o.bootstrap.roles = options.roles;
  o.http = std::move(options.http);
  o.http.tokens = {{"admin-token", {"admin", "", {"system:masters"}}}, {"bob-token", {"bob", "", {"dev"}}}};
  o.caPem = options.caPem;
  o.oldAccountSecrets = {TestApi::kOldSecret};
  auto server = ApiServer::open(io.get_executor(), std::move(o));
  if (!server) {
    std::fprintf(stderr, "TestApi: %s\n", server.error().message.c_str());
    std::abort();
  }
  server_ = std::move(*server);
  Status started = await(server_->start());
  if (!started) {
    std::fprintf(stderr, "TestApi: %s\n", started.error().message.c_str());
    std::abort();
  }
  runUntil([this] { return server_->idle(); });  // default service accounts: later revisions are the test's own
}

net::Response TestApi::http(std::string method, std::string target, std::string body,
                            std::vector<std::pair<std::string, std::string>> headers) {
  net::Request request;
  request.method = std::move(method);
  request.target = std::move(target);
  request.headers.set("Authorization", "Bearer admin-token");
  for (const auto& [name, value] : headers) request.headers.set(name, value);
  request.body = net::Body(std::move(body));
  return await(server_->handler()(std::move(request)));
}

TestApi::~TestApi() {
  // The background coroutines refer to the server: let them end before it goes.
  bool stopped = false;
  boost::asio::co_spawn(io_, server_->stop(), [&](std::exception_ptr) { stopped = true; });
  runUntil([&] { return stopped; }, std::chrono::seconds(5));
}

bool TestApi::runUntil(std::function<bool()> done, std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  io_.restart();
  while (!done()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    io_.run_one_until(std::min(deadline, std::chrono::steady_clock::now() + std::chrono::milliseconds(50)));
    if (io_.stopped()) io_.restart();
  }
  return true;
}

bool TestApi::waitGone(Kind kind, kube::Key key) {
  return runUntil([&] { return find(kind, key).is_null(); });
}

Json TestApi::find(Kind kind, kube::Key key) {
  const Resource* r = registry().resource(kind.group, kind.version, kind.plural);
  if (!r) return nullptr;
  auto entry = registry().get(*r, r->namespaced ? key.ns : "", key.name);
  return entry ? (*entry)->json() : Json(nullptr);
}

}  // namespace slipway::apiserver
