// ApiServer: the embedded Kubernetes API as one object: store, registry, watches, garbage collection, namespaces, HTTP
// surface.
//
// Everything but the store's writer lives on `executor` (one thread). The HTTP surface is a net::Handler; who listens is the
// caller's business.
//
//   auto api = ApiServer::open(executor, {.store = {.path = dir + "/state.db"}});
//   co_await (*api)->start();
//   net::HttpServer https(executor, (*api)->handler(), {.tls = tls});
//   ...  co_await (*api)->stop();
#pragma once
#include <memory>

#include "apiserver/bootstrap.h"
#include "apiserver/http/http_options.h"
#include "apiserver/local_client.h"
#include "apiserver/registry.h"
#include "base/scope.h"
#include "kube/pod_streams.h"

namespace slipway::apiserver {

class ApiHandler;
class GarbageCollector;
class NamespaceLifecycle;
class RoleAggregation;
class QuotaKeeper;

struct ApiServerOptions {
  StoreOptions store;
  std::shared_ptr<const Catalog> catalog;  // null: Catalog::builtin()
  RegistryOptions registry;
  BootstrapOptions bootstrap;
  std::string caPem;  // published to namespaces as kube-root-ca.crt; empty: not
  std::size_t maxWatches = 10000;
  // PEM of the private key that signs ServiceAccount tokens (signing_key.h); empty: one that ends with the process.
  std::string accountKeyPem;
  std::vector<std::string> oldAccountSecrets;  // of tokens that earlier versions signed with HS256: they verify only
  HttpOptions http;                            // bearer tokens, bounds, audit log; client certificates come with net::Peer
  // start() makes the server ready. False: its owner has more to do first and calls setReady().
  bool readyAfterStart = true;
};

class ApiServer {
 public:
  // Opens the store; errors as Store::open.
  static Result<std::unique_ptr<ApiServer>> open(Executor executor, ApiServerOptions options);
  ~ApiServer();

  // Makes the bootstrap objects and starts the background work.
  Task<Status> start();
  // Ends every watch and the background work; the store closes with the object.
  Task<void> stop();
  void cancel();  // as stop(), without waiting

  // The HTTP surface, valid while this object lives. Before start() has ended it serves too, but tells /readyz otherwise and
  // knows no ServiceAccount tokens.
  net::Handler handler();
  void setReady(bool ready);
  // Where clients reach this server, https://HOST:PORT: told to those who verify ServiceAccount tokens.
  void setUrl(std::string url);
  // Who answers pods/log; null: nobody. Must outlive its use.
  void setPodStreams(kube::PodStreams* streams);

  // Answers a TokenRequest as the HTTP surface would, for the node's projected tokens.
  Result<Json> accountToken(const std::string& ns, const std::string& account, const Json& tokenRequest) const;

  LocalClient& client() { return *client_; }
  Registry& registry() { return *registry_; }
  bool idle() const;  // no garbage collection, namespace, role or quota work is waiting

 private:
  Result<AccountTokens::Keys> accountKeys() const;
  ApiServer(Executor executor, ApiServerOptions options, std::unique_ptr<Store> store);

  ApiServerOptions options_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<WatchHub> hub_;
  std::unique_ptr<Registry> registry_;
  std::unique_ptr<LocalClient> client_;
  std::unique_ptr<GarbageCollector> collector_;
  std::unique_ptr<NamespaceLifecycle> namespaces_;
  std::unique_ptr<RoleAggregation> roles_;
  std::unique_ptr<QuotaKeeper> quotas_;
  std::unique_ptr<ApiHandler> http_;
  TaskScope scope_;
};

}  // namespace slipway::apiserver
