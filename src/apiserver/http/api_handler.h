// ApiHandler: the HTTP surface of the API server as one net::Handler: authenticate, authorise, route.
//
// Lives on the control executor. Bodies are bounded (413 beyond); a fault inside becomes a 500 with a Status.
#pragma once
#include <memory>

#include "apiserver/http/account_tokens.h"
#include "apiserver/http/authenticator.h"
#include "apiserver/http/authorizer.h"
#include "apiserver/http/discovery.h"
#include "apiserver/http/resource_routes.h"
#include "apiserver/http/review_routes.h"
#include "apiserver/registry.h"
#include "net/http.h"

namespace slipway::apiserver {

struct HttpOptions {
  std::vector<StaticToken> tokens;
  std::string accountKey;  // signs ServiceAccount tokens; empty: a random one, so that tokens end with the process
  std::size_t maxBodyBytes = 3 << 20;
  std::size_t maxInflight = 400;  // requests other than watches and logs at a time; 429 beyond
};

class ApiHandler {
 public:
  ApiHandler(Registry& registry, std::shared_ptr<Clock> clock, HttpOptions options);
  Task<net::Response> handle(net::Request request);
  void setPodStreams(kube::PodStreams* streams) { resources_.setPodStreams(streams); }
  void setReady(bool ready) { ready_ = ready; }
  const AccountTokens& accountTokens() const { return tokens_; }

 private:
  Task<net::Response> serve(net::Request request);
  Result<UserInfo> identify(const net::Request& request, const RequestInfo& info) const;
  Result<UserInfo> impersonate(const net::Request& request, UserInfo user) const;
  std::optional<net::Response> health(const std::string& path) const;
  net::Response other(const Call& call) const;
  std::optional<net::Response> discovery(const Call& call) const;
  std::optional<net::Response> openApi(const Call& call) const;

  Registry& registry_;
  HttpOptions options_;
  AccountTokens tokens_;
  Authenticator authenticator_;
  Authorizer authorizer_;
  Discovery discovery_;
  ResourceRoutes resources_;
  ReviewRoutes reviews_;
  bool ready_ = true;
  std::size_t inflight_ = 0;
};

}  // namespace slipway::apiserver
