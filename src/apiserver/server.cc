#include "apiserver/server.h"

#include "apiserver/garbage_collector.h"
#include "apiserver/namespace_lifecycle.h"

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
  co_return made;
}

void ApiServer::cancel() {
  hub_->close();
  scope_.cancel();
}

Task<void> ApiServer::stop() {
  cancel();
  co_await scope_.join();
}

bool ApiServer::idle() const { return collector_->idle() && namespaces_->idle(); }

}  // namespace slipway::apiserver
