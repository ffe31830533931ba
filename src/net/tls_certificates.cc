#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "net/tls.h"

namespace slipway::net {
namespace {

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* p) const {
    Free(p);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Deleter<X509_free>>;
using Bio = std::unique_ptr<BIO, Deleter<BIO_free_all>>;

tl::unexpected<Error> sslError(const std::string& what) {
  char text[256] = "unknown error";
  if (const auto code = ERR_get_error()) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return fail(Code::Internal, what + ": " + text);
}

std::string drain(BIO* bio) {
  char* data = nullptr;
  const auto size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

Result<CertificatePem> toPem(X509* certificate, EVP_PKEY* key) {
  Bio c(BIO_new(BIO_s_mem())), k(BIO_new(BIO_s_mem()));
  if (!PEM_write_bio_X509(c.get(), certificate) ||
      !PEM_write_bio_PKCS8PrivateKey(k.get(), key, nullptr, nullptr, 0, nullptr, nullptr)) {
    return sslError("cannot write a certificate as PEM");
  }
  return CertificatePem{drain(c.get()), drain(k.get())};
}

bool addName(X509_NAME* name, const char* field, const std::string& value) {
  return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(value.data()),
                                    static_cast<int>(value.size()), -1, 0) == 1;
}

bool addExtension(X509* subject, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, subject, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  if (!extension) return false;
  const bool added = X509_add_ext(subject, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added;
}

Certificate blank(EVP_PKEY* key, std::chrono::hours validity) {
  Certificate c(X509_new());
  unsigned char serial[16];
  RAND_bytes(serial, sizeof serial);
  serial[0] &= 0x7f;
  BIGNUM* number = BN_bin2bn(serial, sizeof serial, nullptr);
  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(c.get()));
  BN_free(number);
  X509_set_version(c.get(), 2);
  X509_gmtime_adj(X509_getm_notBefore(c.get()), -300);  // clocks differ a little
  X509_time_adj_ex(X509_getm_notAfter(c.get()), static_cast<int>(validity.count() / 24), (validity.count() % 24) * 3600,
                   nullptr);
  X509_set_pubkey(c.get(), key);
  return c;
}

// "DNS:localhost,IP:127.0.0.1". Names come from our own configuration, but a comma must not add a second name.
Result<std::string> alternativeNames(const CertificateRequest& request) {
  std::string out;
  for (const auto& dns : request.dnsNames) {
    if (dns.empty() || dns.find_first_of(",:\n ") != std::string::npos) {
      return fail(Code::Invalid, "certificate name '" + dns + "' is not a DNS name");
    }
    out += (out.empty() ? "DNS:" : ",DNS:") + dns;
  }
  for (const auto& ip : request.ipAddresses) {
    unsigned char bytes[16];
    if (inet_pton(AF_INET, ip.c_str(), bytes) != 1 && inet_pton(AF_INET6, ip.c_str(), bytes) != 1) {
      return fail(Code::Invalid, "certificate address '" + ip + "' is not an IP address");
    }
    out += (out.empty() ? "IP:" : ",IP:") + ip;
  }
  return out;
}

}  // namespace

Result<CertificatePem> makeCertificateAuthority(const std::string& commonName, std::chrono::hours validity) {
  Key key(EVP_EC_gen("P-256"));
  if (!key) return sslError("cannot make a key");
  auto c = blank(key.get(), validity);
  X509_NAME* name = X509_get_subject_name(c.get());
  if (!addName(name, "CN", commonName)) return sslError("cannot name the certificate authority '" + commonName + "'");
  X509_set_issuer_name(c.get(), name);
  const bool ok = addExtension(c.get(), c.get(), NID_basic_constraints, "critical,CA:TRUE") &&
                  addExtension(c.get(), c.get(), NID_key_usage, "critical,keyCertSign,cRLSign,digitalSignature") &&
                  addExtension(c.get(), c.get(), NID_subject_key_identifier, "hash");
  if (!ok || X509_sign(c.get(), key.get(), EVP_sha256()) == 0) return sslError("cannot sign the certificate authority");
  return toPem(c.get(), key.get());
}

Result<CertificatePem> issueCertificate(const CertificatePem& ca, const CertificateRequest& request) {
  SLIP_TRY(const std::string names, alternativeNames(request));
  Bio certBio(BIO_new_mem_buf(ca.certificate.data(), static_cast<int>(ca.certificate.size())));
  Bio keyBio(BIO_new_mem_buf(ca.key.data(), static_cast<int>(ca.key.size())));
  Certificate issuer(PEM_read_bio_X509(certBio.get(), nullptr, nullptr, nullptr));
  Key issuerKey(PEM_read_bio_PrivateKey(keyBio.get(), nullptr, nullptr, nullptr));
  if (!issuer || !issuerKey) return fail(Code::Invalid, "the certificate authority's certificate or key is not valid PEM");

  Key key(EVP_EC_gen("P-256"));
  if (!key) return sslError("cannot make a key");
  auto c = blank(key.get(), request.validity);
  X509_NAME* subject = X509_get_subject_name(c.get());
  bool ok = true;
  for (const auto& organization : request.organizations) ok = ok && addName(subject, "O", organization);
  ok = ok && addName(subject, "CN", request.commonName);
  X509_set_issuer_name(c.get(), X509_get_subject_name(issuer.get()));
  ok = ok && addExtension(c.get(), issuer.get(), NID_basic_constraints, "critical,CA:FALSE") &&
       addExtension(c.get(), issuer.get(), NID_key_usage, "critical,digitalSignature") &&
       addExtension(c.get(), issuer.get(), NID_ext_key_usage, request.server ? "serverAuth" : "clientAuth") &&
       addExtension(c.get(), issuer.get(), NID_authority_key_identifier, "keyid");
  if (!names.empty()) ok = ok && addExtension(c.get(), issuer.get(), NID_subject_alt_name, names);
  if (!ok || X509_sign(c.get(), issuerKey.get(), EVP_sha256()) == 0) {
    return sslError("cannot sign a certificate for '" + request.commonName + "'");
  }
  return toPem(c.get(), key.get());
}

}  // namespace slipway::net
