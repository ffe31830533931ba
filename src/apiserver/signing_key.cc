#include "apiserver/signing_key.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include "data/base64.h"

namespace slipway::apiserver {
namespace {

constexpr int kMinRsaBits = 2048;
constexpr std::size_t kHalf = 32;  // bytes of one number of a P-256 signature

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* p) const {
    Free(p);
  }
};
using Bio = std::unique_ptr<BIO, Freed<BIO_free_all>>;
using Number = std::unique_ptr<BIGNUM, Freed<BN_free>>;
using Digest = std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>>;
using Signature = std::unique_ptr<ECDSA_SIG, Freed<ECDSA_SIG_free>>;

// Without a callback OpenSSL asks the terminal for the passphrase of an encrypted key.
int noPassphrase(char*, int, int, void*) { return -1; }

const unsigned char* bytesOf(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* bytesOf(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

std::string padded(const BIGNUM* number, std::size_t size) {
  std::string out(size, '\0');
  return BN_bn2binpad(number, bytesOf(out), static_cast<int>(size)) < 0 ? "" : out;
}

Number parameter(const EVP_PKEY* key, const char* name) {
  BIGNUM* value = nullptr;
  EVP_PKEY_get_bn_param(key, name, &value);
  return Number(value);
}

std::string curveOf(const EVP_PKEY* key) {
  char name[80] = {};
  EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, name, sizeof name, nullptr);
  return name;
}

Result<std::string> algorithmOf(const EVP_PKEY* key) {
  if (EVP_PKEY_is_a(key, "RSA")) {
    if (EVP_PKEY_get_bits(key) >= kMinRsaBits) return "RS256";
    return fail(Code::Invalid,
                fmt::format("the RSA key has {} bits; at least {} are needed", EVP_PKEY_get_bits(key), kMinRsaBits));
  }
  if (!EVP_PKEY_is_a(key, "EC")) return fail(Code::Invalid, "the key must be RSA (RS256) or of the curve P-256 (ES256)");
  if (curveOf(key) == "prime256v1") return "ES256";
  return fail(Code::Invalid,
              fmt::format("the key's curve is {}; only P-256 (prime256v1, ES256) is supported", curveOf(key)));
}

// Tokens carry the two numbers side by side, OpenSSL speaks DER.
std::string rawOf(std::string_view der) {
  const unsigned char* at = bytesOf(der);
  const Signature parsed(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
  if (!parsed) return "";
  return padded(ECDSA_SIG_get0_r(parsed.get()), kHalf) + padded(ECDSA_SIG_get0_s(parsed.get()), kHalf);
}

std::string derOf(std::string_view raw) {
  if (raw.size() != 2 * kHalf) return "";
  const Signature made(ECDSA_SIG_new());
  BIGNUM* r = BN_bin2bn(bytesOf(raw), kHalf, nullptr);
  BIGNUM* s = BN_bin2bn(bytesOf(raw.substr(kHalf)), kHalf, nullptr);
  if (!made || ECDSA_SIG_set0(made.get(), r, s) != 1) return "";
  unsigned char* out = nullptr;
  const int size = i2d_ECDSA_SIG(made.get(), &out);
  if (size <= 0) return "";
  std::string der(reinterpret_cast<char*>(out), static_cast<std::size_t>(size));
  OPENSSL_free(out);
  return der;
}

Result<std::string> keyId(EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  if (size <= 0) return fail(Code::Internal, "the public key cannot be written as DER");
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(der, static_cast<std::size_t>(size), bytesOf(digest));
  OPENSSL_free(der);
  return toBase64Url(digest);
}

}  // namespace

std::string toBase64Url(std::string_view bytes) {
  std::string text = base64Encode(bytes);
  while (!text.empty() && text.back() == '=') text.pop_back();
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return text;
}

Result<std::string> fromBase64Url(std::string_view text) {
  std::string plain(text);
  for (char& c : plain) c = c == '-' ? '+' : c == '_' ? '/' : c;
  while (plain.size() % 4 != 0) plain += '=';
  return base64Decode(plain);
}

Result<std::string> SigningKey::generatePem() {
  const std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>> key(EVP_EC_gen("P-256"));
  const Bio out(BIO_new(BIO_s_mem()));
  if (!key || !out || PEM_write_bio_PKCS8PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return fail(Code::Internal, "OpenSSL makes no P-256 key");
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return std::string(text, static_cast<std::size_t>(size));
}

Result<SigningKey> SigningKey::parse(const std::string& pem) {
  SigningKey made;
  Bio in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  EVP_PKEY* key = PEM_read_bio_PrivateKey(in.get(), nullptr, noPassphrase, nullptr);
  made.canSign_ = key != nullptr;
  if (key == nullptr) {
    in.reset(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    key = PEM_read_bio_PUBKEY(in.get(), nullptr, noPassphrase, nullptr);
  }
  if (key == nullptr) return fail(Code::Invalid, "no PEM of an unencrypted RSA or P-256 key");
  made.key_ = std::shared_ptr<EVP_PKEY>(key, EVP_PKEY_free);
  SLIP_TRY(made.algorithm_, algorithmOf(key));
  SLIP_TRY(made.id_, keyId(key));
  return made;
}

Json SigningKey::publicJwk() const {
  Json jwk{{"use", "sig"}, {"kid", id_}, {"alg", algorithm_}};
  const auto put = [&](const char* field, const char* name, std::size_t size) {
    const Number value = parameter(key_.get(), name);
    if (value)
      jwk[field] = toBase64Url(padded(value.get(), size ? size : static_cast<std::size_t>(BN_num_bytes(value.get()))));
  };
  if (algorithm_ == "RS256") {
    jwk["kty"] = "RSA";
    put("n", OSSL_PKEY_PARAM_RSA_N, 0);
    put("e", OSSL_PKEY_PARAM_RSA_E, 0);
  } else {
    jwk["kty"] = "EC";
    jwk["crv"] = "P-256";
    put("x", OSSL_PKEY_PARAM_EC_PUB_X, kHalf);
    put("y", OSSL_PKEY_PARAM_EC_PUB_Y, kHalf);
  }
  return jwk;
}

Result<std::string> SigningKey::sign(std::string_view text) const {
  if (!canSign_) return fail(Code::Internal, "a public key signs nothing");
  const Digest digest(EVP_MD_CTX_new());
  std::size_t size = 0;
  std::string out;
  if (EVP_DigestSignInit(digest.get(), nullptr, EVP_sha256(), nullptr, key_.get()) == 1 &&
      EVP_DigestSign(digest.get(), nullptr, &size, bytesOf(text), text.size()) == 1) {
    out.resize(size);
    if (EVP_DigestSign(digest.get(), bytesOf(out), &size, bytesOf(text), text.size()) != 1) size = 0;
  }
  out.resize(size);
  if (algorithm_ == "ES256") out = rawOf(out);
  if (out.empty()) return fail(Code::Internal, "OpenSSL cannot sign a token");
  return out;
}

bool SigningKey::verify(std::string_view text, std::string_view signature) const {
  const std::string der = algorithm_ == "ES256" ? derOf(signature) : std::string(signature);
  const Digest digest(EVP_MD_CTX_new());
  return !der.empty() && EVP_DigestVerifyInit(digest.get(), nullptr, EVP_sha256(), nullptr, key_.get()) == 1 &&
         EVP_DigestVerify(digest.get(), bytesOf(der), der.size(), bytesOf(text), text.size()) == 1;
}

}  // namespace slipway::apiserver
