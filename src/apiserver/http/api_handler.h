// ApiHandler: the HTTP surface of the API server as one net::Handler: authenticate, authorise, route.
//
// Lives on the control executor. Bodies are bounded (413 beyond); a fault inside becomes a 500 with a Status.
#pragma once
#include <memory>

#include "apiserver/account_tokens.h"
#include "apiserver/http/authenticator.h"
#include "apiserver/http/authorizer.h"
#include "apiserver/http/discovery.h"
#include "apiserver/http/http_options.h"
#include "apiserver/http/inflight.h"
#include "apiserver/http/metrics_routes.h"
#include "apiserver/http/resource_routes.h"
#include "apiserver/http/review_routes.h"
#include "apiserver/registry.h"
#include "net/http.h"

namespace slipway::apiserver {

class ApiHandler {
 public:
  ApiHandler(Registry& registry, std::shared_ptr<Clock> clock, HttpOptions options);
  // Opens the audit log, if one is wanted; before the first request.
  Status open();
  Task<net::Response> handle(net::Request request);
  void setPodStreams(kube::PodStreams* streams);
  // Until it is ready, /readyz answers 503 with `why`; everything else is served as always.
  void setReady(bool ready, std::string why = "the server is starting") { ready_ = ready, notReady_ = std::move(why); }
  void setUrl(std::string url) { url_ = std::move(url); }
  AccountTokens& accountTokens() { return tokens_; }

 private:
  Task<net::Response> guarded(net::Request request, AuditRecord& record);
  Task<net::Response> serve(net::Request request, AuditRecord& record);
  Task<net::Response> dispatch(Call call);
  Result<UserInfo> identify(const net::Request& request, const RequestInfo& info, AuditRecord& record) const;
  std::optional<net::Response> health(const std::string& path) const;
  net::Response other(const Call& call) const;
  Task<Result<net::Response>> backup(const Call& call) const;
  std::optional<net::Response> discovery(const Call& call) const;
  std::optional<net::Response> openApi(const Call& call) const;
  std::optional<net::Response> issuer(const Call& call) const;

  Registry& registry_;
  HttpOptions options_;
  AccountTokens tokens_;
  Authenticator authenticator_;
  Authorizer authorizer_;
  Discovery discovery_;
  ResourceRoutes resources_;
  ReviewRoutes reviews_;
  Inflight inflight_;
  std::shared_ptr<Clock> clock_;
  MetricsRoutes metrics_;
  std::unique_ptr<AuditLog> audit_;
  std::string url_ = "https://kubernetes.default.svc.cluster.local";
  bool ready_ = false;
  std::string notReady_ = "the server is starting";
};

}  // namespace slipway::apiserver
