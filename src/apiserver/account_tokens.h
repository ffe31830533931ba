// AccountTokens: the bearer tokens of ServiceAccounts: JSON Web Tokens (RFC 7519) signed with a private key of this server
// (signing_key.h), so that others can verify them with the public one, and the documents by which they learn it.
//
// A token is good until it expires, for the audiences it names, and as long as its ServiceAccount (same uid) exists and,
// when it is bound to a Pod, Secret or Node, that object does too. An object that is being deleted counts as gone after a
// minute.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "apiserver/admission.h"
#include "apiserver/signing_key.h"
#include "apiserver/store.h"
#include "base/clock.h"

namespace slipway::apiserver {

class AccountTokens {
 public:
  AccountTokens(const Store& store, std::shared_ptr<Clock> clock) : store_(store), clock_(std::move(clock)) {}
  struct Keys {
    std::vector<SigningKey> pairs;        // the first signs, all verify
    std::vector<std::string> oldSecrets;  // verify what earlier versions signed with HMAC-SHA256 (HS256); at least 32 bytes
  };
  // Without keys no token is good.
  void setKeys(Keys keys) { keys_ = std::move(keys); }

  struct Verified {
    UserInfo user;
    std::vector<std::string> audiences;  // those of the token that were asked for
  };
  // Unauthorized: a bad token, or one for other audiences. `audiences` empty: those of this server.
  Result<Verified> verify(std::string_view token, const std::vector<std::string>& audiences = {}) const;

  // Answers a TokenRequest for an account: authentication.k8s.io/v1 with spec.audiences, expirationSeconds and
  // boundObjectRef. Errors in Kubernetes' words.
  Result<Json> request(const std::string& ns, const std::string& name, const Json& tokenRequest) const;

  // What /.well-known/openid-configuration and /openid/v1/jwks tell: `url` is where this server is reached.
  Json discoveryDocument(const std::string& url) const;
  Json publicKeys() const;

  // The audiences of this server.
  static const std::vector<std::string>& serverAudiences();
  static UserInfo userOf(const std::string& ns, const std::string& name, const std::string& uid);

 private:
  struct Binding {
    EntryPtr pod, secret, node;
  };
  Result<Binding> bind(const Entry& account, const Json& reference) const;
  Json claims(const Entry& account, const Binding& bound, std::chrono::seconds validity, const Json& audiences) const;
  bool stillThere(const std::string& resource, const std::string& ns, const Json& reference) const;
  Result<Json> claimsOf(std::string_view token) const;
  bool signedByUs(const Json& header, std::string_view text, std::string_view signature) const;
  Result<std::string> issue(const Json& claims) const;

  const Store& store_;
  std::shared_ptr<Clock> clock_;
  Keys keys_;
};

}  // namespace slipway::apiserver
