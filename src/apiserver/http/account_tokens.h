// AccountTokens: the bearer tokens of ServiceAccounts: JSON Web Tokens (RFC 7519) signed with HMAC-SHA256 and a key of this
// server. A token is good until it expires and as long as its ServiceAccount (same uid) exists.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "apiserver/admission.h"
#include "apiserver/store.h"
#include "base/clock.h"

namespace slipway::apiserver {

class AccountTokens {
 public:
  // key: secret bytes, at least 32.
  AccountTokens(const Store& store, std::shared_ptr<Clock> clock, std::string key);
  struct Issued {
    std::string token;
    std::string expires;  // RFC 3339
  };
  Issued issue(const Entry& account, std::chrono::seconds validity, const std::vector<std::string>& audiences) const;
  Result<UserInfo> verify(std::string_view token) const;  // Unauthorized
  static UserInfo userOf(const std::string& ns, const std::string& name, const std::string& uid);

 private:
  std::string sign(std::string_view text) const;
  const Store& store_;
  std::shared_ptr<Clock> clock_;
  std::string key_;
};

}  // namespace slipway::apiserver
