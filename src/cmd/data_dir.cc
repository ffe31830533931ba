#include "cmd/data_dir.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "base/ids.h"
#include "data/base64.h"

namespace slipway::cmd {
namespace {

namespace fs = std::filesystem;

std::string why() { return std::strerror(errno); }

Result<std::string> readFile(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail(errno == ENOENT ? Code::NotFound : Code::Internal, path.string() + ": " + why());
  std::string text;
  char buffer[4096];
  ssize_t got = 0;
  while ((got = ::read(fd, buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<std::size_t>(got));
  ::close(fd);
  if (got < 0) return fail(Code::Internal, path.string() + ": " + why());
  return text;
}

// Writes beside and renames: after a crash the file is either the old or the new one.
Status writeSecret(const fs::path& path, const std::string& text) {
  const std::string fresh = path.string() + ".new";
  const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return fail(Code::Internal, "cannot write " + fresh + ": " + why());
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  const std::string reason = why();
  ::close(fd);
  if (!written) return fail(Code::Internal, "cannot write " + fresh + ": " + reason);
  if (::rename(fresh.c_str(), path.c_str()) != 0)
    return fail(Code::Internal, "cannot write " + path.string() + ": " + why());
  return {};
}

bool isAddress(const std::string& text) {
  unsigned char out[16];
  return inet_pton(AF_INET, text.c_str(), out) == 1 || inet_pton(AF_INET6, text.c_str(), out) == 1;
}

}  // namespace

Result<DataDir> DataDir::open(const fs::path& folder) {
  std::error_code ec;
  const fs::path path = fs::absolute(folder, ec).lexically_normal();
  fs::create_directories(path / "pki", ec);
  if (ec)
    return fail(Code::Internal,
                "cannot make the data folder " + path.string() + ": " + ec.message() + "; choose another with --data-dir");
  ::chmod((path / "pki").c_str(), 0700);
  const fs::path lockPath = path / "lock";
  const int lock = ::open(lockPath.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0) return fail(Code::Internal, "cannot write in the data folder " + path.string() + ": " + why());
  if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    char pid[32] = {};
    if (::read(lock, pid, sizeof pid - 1) < 0) pid[0] = 0;
    ::close(lock);
    return fail(Code::AlreadyExists,
                fmt::format("a platform (process {}) already runs on {}; stop it, or choose another folder with --data-dir",
                            std::atoi(pid), path.string()));
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(lock, 0) != 0 || ::pwrite(lock, pid.data(), pid.size(), 0) < 0) {
    ::close(lock);
    return fail(Code::Internal, "cannot write " + lockPath.string() + ": " + why());
  }
  return DataDir(path, lock);
}

DataDir::DataDir(DataDir&& other) noexcept : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

DataDir::~DataDir() {
  if (lock_ >= 0) ::close(lock_);
}

Result<net::CertificatePem> DataDir::authority() const {
  auto certificate = readFile(path_ / "pki/ca.crt");
  auto key = readFile(path_ / "pki/ca.key");
  if (certificate && key) return net::CertificatePem{std::move(*certificate), std::move(*key)};
  SLIP_TRY(auto made, net::makeCertificateAuthority("slipway", std::chrono::hours(24 * 3650)));
  SLIP_CHECK(writeSecret(path_ / "pki/ca.key", made.key));
  SLIP_CHECK(writeSecret(path_ / "pki/ca.crt", made.certificate));
  return made;
}

Result<net::CertificatePem> DataDir::serverCertificate(const std::vector<std::string>& addresses) const {
  SLIP_TRY(auto ca, authority());
  net::CertificateRequest request{.commonName = "kube-apiserver"};
  request.dnsNames = {"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
                      "kubernetes.default.svc.cluster.local"};
  request.ipAddresses = {"127.0.0.1", "127.96.0.1"};  // the second is Service default/kubernetes
  for (const std::string& address : addresses)
    (isAddress(address) ? request.ipAddresses : request.dnsNames).push_back(address);
  return net::issueCertificate(ca, request);
}

std::string DataDir::known(const std::string& name) const { return readFile(path_ / "pki" / name).value_or(""); }

Result<std::string> DataDir::secret(const std::string& name) const {
  return secret(name, [] { return Result<std::string>(randomHex(32)); });
}

Result<std::string> DataDir::secret(const std::string& name, Result<std::string> (*make)()) const {
  if (std::string there = known(name); !there.empty()) return there;
  SLIP_TRY(std::string made, make());
  SLIP_CHECK(writeSecret(path_ / "pki" / name, made));
  return made;
}

Status DataDir::writeKubeconfig(const std::string& server) const {
  SLIP_TRY(auto ca, authority());
  SLIP_TRY(auto token, secret("admin.token"));
  const std::string text = fmt::format(R"(apiVersion: v1
kind: Config
clusters:
- name: slipway
  cluster:
    server: {}
    certificate-authority-data: {}
users:
- name: admin
  user:
    token: {}
contexts:
- name: slipway
  context: {{cluster: slipway, user: admin, namespace: default}}
current-context: slipway
)",
                                       server, base64Encode(ca.certificate), token);
  // One that is right already is left alone, so that a full disk does not keep the platform from starting.
  if (auto present = readFile(kubeconfig()); present && *present == text) {
    ::chmod(kubeconfig().c_str(), 0600);
    return {};
  }
  return writeSecret(kubeconfig(), text);
}

}  // namespace slipway::cmd
