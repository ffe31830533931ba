// SigningKey: the key pair that signs ServiceAccount tokens (RFC 7515): RSA as RS256 or the curve P-256 as ES256. A public
// key alone verifies.
//
//   SLIP_TRY(auto pem, SigningKey::generatePem());            // P-256; keep it secret, mode 0600
//   SLIP_TRY(auto key, SigningKey::parse(pem));
//   key.verify(text, *key.sign(text));                         // signatures are raw bytes, not base64
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "data/json.h"

struct evp_pkey_st;

namespace slipway::apiserver {

class SigningKey {
 public:
  // A new P-256 key as PKCS#8 PEM.
  static Result<std::string> generatePem();
  // A private or public key: PEM of RSA (at least 2048 bits) or P-256. Error Invalid names what else it is.
  static Result<SigningKey> parse(const std::string& pem);

  bool canSign() const { return canSign_; }
  const std::string& algorithm() const { return algorithm_; }  // "RS256" or "ES256"
  // Names the key in a token's header: the SHA-256 of the public key (DER), as kube-apiserver has it.
  const std::string& id() const { return id_; }
  // The public key as a JSON Web Key (RFC 7517).
  Json publicJwk() const;
  // Error Internal: it is a public key only, or OpenSSL refuses.
  Result<std::string> sign(std::string_view text) const;
  bool verify(std::string_view text, std::string_view signature) const;

 private:
  std::shared_ptr<evp_pkey_st> key_;
  std::string algorithm_, id_;
  bool canSign_ = false;
};

// base64url without padding (RFC 7515 appendix C).
std::string toBase64Url(std::string_view bytes);
Result<std::string> fromBase64Url(std::string_view text);

}  // namespace slipway::apiserver
