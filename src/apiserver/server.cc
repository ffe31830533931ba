#include "apiserver/server.h"

#include "apiserver/builtin_admission.h"
#include "apiserver/custom_definitions.h"
#include "apiserver/garbage_collector.h"
#include "apiserver/http/api_handler.h"
#include "apiserver/namespace_lifecycle.h"
#include "apiserver/quota.h"
#include "apiserver/role_aggregation.h"
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
  hub_ = std::make_unique<WatchHub>(*store_, executor, options_.maxWatches);
  // Without a CA of its own to publish, the server cannot tell pods how to reach it safely. Last but for quotas: they count
  // what all others have made of the object, and containers that other hooks add get the volume too.
  if (!options_.caPem.empty()) options_.registry.admissions.push_back(accountVolumes());
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
  auto keys = accountKeys();
  if (!keys) co_return fail(keys.error());
  http_->accountTokens().setKeys(std::move(*keys));
  if (options_.readyAfterStart) http_->setReady(true);
  co_return Status{};
}

// Earlier versions that were given no key kept a secret in the store.
Result<AccountTokens::Keys> ApiServer::accountKeys() const {
  std::string pem = options_.accountKeyPem;
  if (pem.empty()) {
    SLIP_TRY(pem, SigningKey::generatePem());
  }
  AccountTokens::Keys keys;
  keys.oldSecrets = options_.oldAccountSecrets;
  SLIP_TRY(SigningKey key, SigningKey::parse(pem));
  if (!key.canSign()) return fail(Code::Invalid, "ServiceAccount tokens: the key must be a private one");
  keys.pairs.push_back(std::move(key));
  if (const EntryPtr stored = store_->get("secrets", "kube-system", "service-account-key")) {
    const Json secret = stored->json();
    auto old = base64Decode(textAt(at(secret, "data"), "key"));
    if (old && old->size() >= 32) keys.oldSecrets.push_back(std::move(*old));
  }
  return keys;
}

net::Handler ApiServer::handler() {
  return [http = http_.get()](net::Request request) { return http->handle(std::move(request)); };
}

void ApiServer::setReady(bool ready) { http_->setReady(ready); }

void ApiServer::setUrl(std::string url) { http_->setUrl(std::move(url)); }

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
