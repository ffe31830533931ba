// DataDir: the folder of one platform: its lock, certificates and kubeconfig. Everything secret in it is mode 0600.
//
//   auto dir = DataDir::open("slipway-data", {"127.0.0.1", "localhost"});
//   dir->writeKubeconfig("https://127.0.0.1:6443");
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/tls.h"

namespace slipway::cmd {

class DataDir {
 public:
  // Makes the folder when it is absent and locks it until this object or the process ends. Errors: AlreadyExists when
  // another platform holds it (named by its process id), Internal when it cannot be written.
  static Result<DataDir> open(const std::filesystem::path& folder);
  DataDir(DataDir&& other) noexcept;
  DataDir& operator=(DataDir&&) = delete;
  ~DataDir();

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path kubeconfig() const { return path_ / "kubeconfig"; }
  // The certificate authority of this folder, made on first use.
  Result<net::CertificatePem> authority() const;
  // A server certificate for these names and addresses, issued anew.
  Result<net::CertificatePem> serverCertificate(const std::vector<std::string>& addresses) const;
  Result<std::string> adminToken() const { return secret("admin.token"); }  // the administrator's bearer token
  // A random secret of 64 hex digits kept in pki/<name>, made on first use: the administrator's token.
  Result<std::string> secret(const std::string& name) const;
  // The same with a secret that `make` makes.
  Result<std::string> secret(const std::string& name, Result<std::string> (*make)()) const;
  // What pki/<name> holds; "": there is no such file.
  std::string known(const std::string& name) const;
  // kubeconfig for the administrator: certificate authority and token inside, so that the file works wherever it is copied.
  Status writeKubeconfig(const std::string& server) const;

 private:
  DataDir(std::filesystem::path path, int lock) : path_(std::move(path)), lock_(lock) {}
  std::filesystem::path path_;
  int lock_ = -1;
};

}  // namespace slipway::cmd
