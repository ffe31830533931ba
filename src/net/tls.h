// TLS contexts and the small certificate authority that `slipway up` uses for its own endpoints. OpenSSL stays inside net.
//
//   auto ca = makeCertificateAuthority("slipway-ca", 10 * 365 * 24h);
//   auto id = issueCertificate(*ca, {.commonName = "apiserver", .dnsNames = {"localhost"}, .ipAddresses = {"127.0.0.1"}});
//   auto tls = TlsContext::server(*id, ca->certificate);
#pragma once
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace slipway::net {

struct CertificatePem {
  std::string certificate;  // PEM, may hold a chain
  std::string key;          // PEM, PKCS#8
};

// A new self-signed CA (ECDSA P-256).
Result<CertificatePem> makeCertificateAuthority(const std::string& commonName, std::chrono::hours validity);
struct CertificateRequest {
  std::string commonName;
  std::vector<std::string> organizations;
  std::vector<std::string> dnsNames;
  std::vector<std::string> ipAddresses;
  bool server = true;  // extended key usage: serverAuth, else clientAuth
  std::chrono::hours validity{24 * 365};
};
// A certificate with a new key. Error Invalid for an address that does not parse or a CA that is not PEM.
Result<CertificatePem> issueCertificate(const CertificatePem& ca, const CertificateRequest& request);

// Immutable once made; shared by the connections of any thread. To renew an identity, make a new context.
// TLS 1.2 or newer. ALPN: a server chooses h2 if it may, else http/1.1; a client offers what its origin asks for.
class TlsContext {
 public:
  // clientCa: PEM of the CA whose client certificates are accepted (requested, not required); empty: none requested. A
  // connection with another certificate is let in without an identity, for the application to answer 401.
  // http2: ALPN offers h2 too, for a server with ServerOptions::http2.
  static Result<std::shared_ptr<TlsContext>> server(const CertificatePem& identity, const std::string& clientCa,
                                                    bool http2 = false);
  // ca: PEM to trust instead of the system's; empty: system roots. identity may be null.
  static Result<std::shared_ptr<TlsContext>> client(const std::string& ca, const CertificatePem* identity,
                                                    bool verify = true);
  virtual ~TlsContext() = default;
};

}  // namespace slipway::net
