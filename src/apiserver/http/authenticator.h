// Authenticator: who sends a request: a bearer token (static or of a ServiceAccount) or a verified client certificate.
//
// Static tokens compare in constant time. Lives on the control executor.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apiserver/account_tokens.h"
#include "apiserver/admission.h"
#include "net/http.h"

namespace slipway::apiserver {

struct StaticToken {
  std::string token;
  UserInfo user;
};

// Lines `token,user,uid,"group1,group2"`; blank lines and # comments are skipped. Error BadRequest names the line.
Result<std::vector<StaticToken>> parseTokenFile(std::string_view text);

class Authenticator {
 public:
  Authenticator(std::vector<StaticToken> tokens, const AccountTokens* accounts)
      : tokens_(std::move(tokens)), accounts_(accounts) {}
  // nullopt: no credential at all. Unauthorized: one that is not good.
  Result<std::optional<UserInfo>> authenticate(const net::Request& request) const;
  // The user of a token for `audiences` (empty: those of this server), as TokenReview asks.
  Result<AccountTokens::Verified> byToken(std::string_view token, const std::vector<std::string>& audiences = {}) const;

 private:
  std::vector<StaticToken> tokens_;
  const AccountTokens* accounts_;
};

}  // namespace slipway::apiserver
