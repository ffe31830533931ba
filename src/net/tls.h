// TLS contexts and the small certificate authority that `slipway up` uses for its own endpoints.
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
Result<CertificatePem> issueCertificate(const CertificatePem& ca, const CertificateRequest& request);

class TlsContext {
 public:
  // clientCa: PEM of the CA whose client certificates are accepted (requested, not required); empty: none requested.
  static Result<std::shared_ptr<TlsContext>> server(const CertificatePem& identity, const std::string& clientCa);
  // ca: PEM to trust instead of the system's; empty: system roots. identity may be null.
  static Result<std::shared_ptr<TlsContext>> client(const std::string& ca, const CertificatePem* identity, bool verify = true);
  virtual ~TlsContext() = default;
};

}  // namespace slipway::net
