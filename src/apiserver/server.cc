#include "apiserver/server.h"

#include "apiserver/custom_definitions.h"
#include "apiserver/garbage_collector.h"
#include "apiserver/http/api_handler.h"
#include "apiserver/namespace_lifecycle.h"
#include "apiserver/quota.h"
#include "apiserver/role_aggregation.h"
#include "base/ids.h"
#include "data/base64.h"

namespace slipway::apiserver {

Result<std::unique_ptr<ApiServer>> ApiServer::open(Executor executor, ApiServerOptions options) {
  SLIP_TRY(auto store, Store::open(executor, options.store));
  if (!options.catalog) options.catalog = Catalog::builtin();
  std::unique_ptr<ApiServer> server(new ApiServer(std::move(executor), std::move(options), std::move(store)));
  SLIP_CHECK(server->http_->open());
  return server;
}

ApiServer::ApiServer(Executor executor, ApiServerOptions options, std::unique_ptr<Store> store)
    : options_(std::move(options)), store_(std::move(store)), scope_(executor, "apiserver") {
  hub_ = std::make_unique<WatchHub>(*store_, executor);
  // Quotas come last: they count what all others have made of the object.
  options_.registry.admissions.push_back(definitionsAreFixed());
  for (Admission& a : quotaAdmissions()) options_.registry.admissions.push_back(std::move(a));
  registry_ = std::make_unique<Registry>(*store_, *hub_, options_.catalog, options_.registry);
  client_ = std::make_unique<LocalClient>(*registry_);
  collector_ = std::make_unique<GarbageCollector>(*registry_, executor);
  namespaces_ = std::make_unique<NamespaceLifecycle>(*registry_, executor, options_.caPem);
  roles_ = std::make_unique<RoleAggregation>(*registry_, executor);
  quotas_ = std::make_unique<QuotaKeeper>(*registry_, executor);
  std::shared_ptr<Clock> clock = options_.registry.clock;
  if (!clock) clock = std::make_shared<SystemClock>();
  http_ = std::make_unique<ApiHandler>(*registry_, std::move(clock), options_.http);
  registry_->setTokenRequests(
      [tokens = &http_->accountTokens()](const std::string& ns, const std::string& name, const Json& body) {
        return tokens->request(ns, name, body);
      });
}

ApiServer::~ApiServer() { cancel(); }

Task<Status> ApiServer::start() {
  scope_.spawn("garbage collector", [this] { return collector_->run(); });
  scope_.spawn("namespaces", [this] { return namespaces_->run(); });
  scope_.spawn("cluster roles", [this] { return roles_->run(); });
  scope_.spawn("quotas", [this] { return quotas_->run(); });
  Status made = co_await bootstrap(*registry_, options_.bootstrap);
  if (!made) co_return made;
  Status published = co_await publishDefinitions(*registry_);
  if (!published) co_return published;
  auto keys = co_await accountKeys();
  if (!keys) co_return fail(keys.error());
  http_->accountTokens().setKeys(std::move(*keys));
  if (options_.readyAfterStart) http_->setReady(true);
  co_return Status{};
}

// Without a key of its own the server keeps one in the store, so that tokens given out survive a restart. One that an
// earlier start kept there goes on verifying.
Task<Result<std::vector<std::string>>> ApiServer::accountKeys() {
  std::vector<std::string> keys;
  if (!options_.accountKey.empty()) keys.push_back(options_.accountKey);
  const std::string ns = "kube-system";
  const std::string name = "service-account-key";
  EntryPtr stored = store_->get("secrets", ns, name);
  if (!stored && keys.empty()) {
    Json secret{{"metadata", {{"name", name}, {"namespace", ns}}}, {"data", {{"key", base64Encode(randomHex(32))}}}};
    auto made = co_await client_->create(kinds::kSecret, std::move(secret));
    if (!made) co_return fail(made.error());
    stored = store_->get("secrets", ns, name);
  }
  if (stored) {
    const Json secret = stored->json();
    auto key = base64Decode(textAt(at(secret, "data"), "key"));
    if (key && key->size() >= 32) keys.push_back(std::move(*key));
  }
  if (keys.empty()) co_return fail(Code::Internal, "secret kube-system/service-account-key holds no usable key; delete it");
  co_return keys;
}

net::Handler ApiServer::handler() {
  return [http = http_.get()](net::Request request) { return http->handle(std::move(request)); };
}

void ApiServer::setReady(bool ready) { http_->setReady(ready); }

Result<Json> ApiServer::accountToken(const std::string& ns, const std::string& account, const Json& tokenRequest) const {
  return http_->accountTokens().request(ns, account, tokenRequest);
}

void ApiServer::setPodStreams(kube::PodStreams* streams) { http_->setPodStreams(streams); }

void ApiServer::cancel() {
  http_->setReady(false, "the server is shutting down");
  hub_->close();
  scope_.cancel();
}

Task<void> ApiServer::stop() {
  cancel();
  co_await scope_.join();
}

bool ApiServer::idle() const { return collector_->idle() && namespaces_->idle() && roles_->idle() && quotas_->idle(); }

}  // namespace slipway::apiserver
