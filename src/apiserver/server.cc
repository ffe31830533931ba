#include "apiserver/server.h"

#include "apiserver/garbage_collector.h"
#include "apiserver/http/api_handler.h"
#include "apiserver/namespace_lifecycle.h"
#include "base/ids.h"
#include "data/base64.h"

namespace slipway::apiserver {

Result<std::unique_ptr<ApiServer>> ApiServer::open(Executor executor, ApiServerOptions options) {
  SLIP_TRY(auto store, Store::open(executor, options.store));
  if (!options.catalog) options.catalog = Catalog::builtin();
  return std::unique_ptr<ApiServer>(new ApiServer(std::move(executor), std::move(options), std::move(store)));
}

ApiServer::ApiServer(Executor executor, ApiServerOptions options, std::unique_ptr<Store> store)
    : options_(std::move(options)), store_(std::move(store)), scope_(executor, "apiserver") {
  hub_ = std::make_unique<WatchHub>(*store_, executor, options_.maxWatches);
  registry_ = std::make_unique<Registry>(*store_, *hub_, options_.catalog, options_.registry);
  client_ = std::make_unique<LocalClient>(*registry_);
  collector_ = std::make_unique<GarbageCollector>(*registry_, executor);
  namespaces_ = std::make_unique<NamespaceLifecycle>(*registry_, executor, options_.caPem);
}

ApiServer::~ApiServer() { cancel(); }

Task<Status> ApiServer::start() {
  scope_.spawn("garbage collector", [this] { return collector_->run(); });
  scope_.spawn("namespaces", [this] { return namespaces_->run(); });
  Status made = co_await bootstrap(*registry_, options_.bootstrap);
  if (!made) co_return made;
  Result<std::string> key = co_await accountKey();
  if (!key) co_return fail(key.error());
  HttpOptions http{options_.tokens, std::move(*key), options_.maxBodyBytes, options_.maxInflight};
  std::shared_ptr<Clock> clock = options_.registry.clock;
  if (!clock) clock = std::make_shared<SystemClock>();
  http_ = std::make_unique<ApiHandler>(*registry_, std::move(clock), std::move(http));
  http_->setPodStreams(streams_);
  co_return Status{};
}

// The key lives in the store, so that tokens given out survive a restart.
Task<Result<std::string>> ApiServer::accountKey() {
  if (!options_.accountKey.empty()) co_return options_.accountKey;
  const std::string ns = "kube-system";
  const std::string name = "service-account-key";
  EntryPtr stored = store_->get("secrets", ns, name);
  if (!stored) {
    Json secret{{"metadata", {{"name", name}, {"namespace", ns}}}, {"data", {{"key", base64Encode(randomHex(32))}}}};
    auto made = co_await client_->create(kinds::kSecret, std::move(secret));
    if (!made) co_return fail(made.error());
    stored = store_->get("secrets", ns, name);
  }
  const Json secret = stored->json();
  co_return base64Decode(textAt(at(secret, "data"), "key"));
}

net::Handler ApiServer::handler() {
  return [http = http_.get()](net::Request request) { return http->handle(std::move(request)); };
}

void ApiServer::setPodStreams(kube::PodStreams* streams) {
  streams_ = streams;
  if (http_) http_->setPodStreams(streams);
}

void ApiServer::cancel() {
  if (http_) http_->setReady(false);
  hub_->close();
  scope_.cancel();
}

Task<void> ApiServer::stop() {
  cancel();
  co_await scope_.join();
}

bool ApiServer::idle() const { return collector_->idle() && namespaces_->idle(); }

}  // namespace slipway::apiserver
