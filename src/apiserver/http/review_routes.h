// ReviewRoutes: kinds that are answered and never stored: access reviews, who am I, token reviews, tokens of
// ServiceAccounts.
#pragma once
#include "apiserver/account_tokens.h"
#include "apiserver/http/authenticator.h"
#include "apiserver/http/authorizer.h"
#include "apiserver/http/call.h"

namespace slipway::apiserver {

class ReviewRoutes {
 public:
  ReviewRoutes(const Authenticator& authenticator, const Authorizer& authorizer, const AccountTokens& tokens)
      : authenticator_(authenticator), authorizer_(authorizer), tokens_(tokens) {}

  // Whether the path is one of ours: `selfsubjectaccessreviews` of authorization.k8s.io …, or a ServiceAccount's token.
  static bool serves(const RequestInfo& info);
  Result<net::Response> handle(const Call& call) const;

 private:
  Result<Json> accessReview(const Json& spec, const UserInfo& user, const std::string& ns) const;
  Result<Json> subjectReview(const Json& spec, const std::string& ns) const;
  Json rulesReview(const UserInfo& user, const std::string& ns) const;
  Json tokenReview(const Json& spec) const;

  const Authenticator& authenticator_;
  const Authorizer& authorizer_;
  const AccountTokens& tokens_;
};

}  // namespace slipway::apiserver
