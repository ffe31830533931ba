#include "apiserver/signing_key.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

namespace slipway::apiserver {
namespace {

std::string pemOf(EVP_PKEY* key, bool publicOnly = false) {
  BIO* out = BIO_new(BIO_s_mem());
  if (publicOnly) {
    PEM_write_bio_PUBKEY(out, key);
  } else {
    PEM_write_bio_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
  }
  char* text = nullptr;
  const long size = BIO_get_mem_data(out, &text);
  std::string pem(text, static_cast<std::size_t>(size));
  BIO_free_all(out);
  EVP_PKEY_free(key);
  return pem;
}

TEST(SigningKey, BothAlgorithmsVerifyWhatTheySignAndNothingElse) {
  for (const std::string& pem : {SigningKey::generatePem().value(), pemOf(EVP_RSA_gen(2048))}) {
    const auto key = SigningKey::parse(pem);
    ASSERT_TRUE(key) << key.error().message;
    const auto signature = key->sign("text");
    ASSERT_TRUE(signature);
    EXPECT_TRUE(key->verify("text", *signature));
    EXPECT_FALSE(key->verify("texT", *signature));
    EXPECT_FALSE(key->verify("text", ""));
    std::string broken = *signature;
    broken[broken.size() / 2] ^= 1;
    EXPECT_FALSE(key->verify("text", broken));
    EXPECT_FALSE(SigningKey::parse(SigningKey::generatePem().value())->verify("text", *signature));
  }
}

TEST(SigningKey, APublicKeyHasTheSameNameVerifiesAndSignsNothing) {
  const auto pair = SigningKey::parse(SigningKey::generatePem().value());
  const Json jwk = pair->publicJwk();
  EXPECT_EQ(jwk["kty"], "EC");
  EXPECT_EQ(jwk["crv"], "P-256");
  EXPECT_EQ(jwk["kid"], pair->id());
  EXPECT_EQ(fromBase64Url(textAt(jwk, "x"))->size(), 32u);
  EVP_PKEY* rsa = EVP_RSA_gen(2048);
  EVP_PKEY_up_ref(rsa);
  const auto whole = SigningKey::parse(pemOf(rsa));
  const auto half = SigningKey::parse(pemOf(rsa, true));
  ASSERT_TRUE(half) << half.error().message;
  EXPECT_EQ(half->id(), whole->id());
  EXPECT_EQ(half->publicJwk()["e"], "AQAB");
  EXPECT_TRUE(half->verify("text", *whole->sign("text")));
  EXPECT_FALSE(half->canSign());
  EXPECT_FALSE(half->sign("text"));
}

TEST(SigningKey, OtherKeysAreRefusedByName) {
  const auto why = [](const std::string& pem) { return SigningKey::parse(pem).error().message; };
  EXPECT_EQ(why("no key"), "no PEM of an unencrypted RSA or P-256 key");
  EXPECT_EQ(why(pemOf(EVP_RSA_gen(1024))), "the RSA key has 1024 bits; at least 2048 are needed");
  EXPECT_EQ(why(pemOf(EVP_EC_gen("P-384"))), "the key's curve is secp384r1; only P-256 (prime256v1, ES256) is supported");
  EXPECT_EQ(why(pemOf(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"))),
            "the key must be RSA (RS256) or of the curve P-256 (ES256)");
}

}  // namespace
}  // namespace slipway::apiserver
