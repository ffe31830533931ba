#include "cmd/api_flags.h"

#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <cstring>
#include <fstream>
#include <sstream>

#include "base/log.h"

namespace slipway::cmd {
namespace {

constexpr std::size_t kMegabyte = 1 << 20;
constexpr std::size_t kOtherFiles = 1000;        // of the store, of pods, of requests that come and go
constexpr std::size_t kOtherConnections = 2000;  // besides watches

Result<std::string> readText(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  if (!in) return fail(Code::NotFound, fmt::format("cannot read {}: {}", path, std::strerror(errno)));
  return text.str();
}

// Files of the folder pki: the key of today, and the secret by which versions before it signed.
constexpr const char* kAccountKeyFile = "service-account.key";
constexpr const char* kOldAccountSecretFile = "service-accounts.key";

Status applyAccountKeys(const ApiFlags& flags, const DataDir& dir, apiserver::ApiServerOptions& options) {
  const std::string place = flags.accountKey.empty() ? (dir.path() / "pki" / kAccountKeyFile).string()
                                                     : "--service-account-signing-key-file " + flags.accountKey;
  auto pem = flags.accountKey.empty() ? dir.secret(kAccountKeyFile, apiserver::SigningKey::generatePem)
                                      : readText(flags.accountKey);
  if (!pem) return failIn(place, pem.error());
  auto key = apiserver::SigningKey::parse(*pem);
  if (!key) return failIn(place, key.error());
  if (!key->canSign()) return fail(Code::Invalid, place + ": this is a public key; the private one is needed");
  options.accountKeyPem = std::move(*pem);
  if (std::string old = dir.known(kOldAccountSecretFile); old.size() >= 32) options.oldAccountSecrets = {std::move(old)};
  return {};
}

Result<apiserver::AuditPolicy> readAuditPolicy(const ApiFlags& flags) {
  if (flags.auditLog.empty())
    return fail(Code::BadRequest, "--audit-policy-file needs --audit-log FILE: there is no other place for the events");
  auto text = readText(flags.auditPolicy);
  if (!text) return failIn("--audit-policy-file", text.error());
  auto policy = apiserver::AuditPolicy::parse(*text);
  if (!policy) return failIn("--audit-policy-file " + flags.auditPolicy, policy.error());
  return policy;
}

}  // namespace

void addApiFlags(CLI::App& app, ApiFlags& flags) {
  const std::string group = "API";
  const auto add = [&](const char* name, auto& value, const char* help) {
    return app.add_option(name, value, help)->capture_default_str()->group(group);
  };
  add("--token-file", flags.tokenFile, "More users: lines of token,user,uid,\"group1,group2\"");
  add("--service-account-signing-key-file", flags.accountKey,
      "Private key of ServiceAccount tokens: PEM of RSA or P-256; default: one made in DIR/pki/service-account.key");
  add("--audit-log", flags.auditLog, "File for one JSON line per API request (audit.k8s.io/v1); default: none");
  add("--audit-policy-file", flags.auditPolicy,
      "Policy of audit.k8s.io/v1: which requests are told and how much of them; default: all, without their bodies");
  add("--audit-log-max-megabytes", flags.auditMegabytes, "Size at which the audit log is rotated")
      ->check(CLI::Range(1, 1 << 20));
  add("--audit-log-max-backups", flags.auditBackups, "Rotated audit logs that are kept")->check(CLI::Range(0, 1000));
  add("--max-request-bytes", flags.requestBytes, "Largest body of an API request")->check(CLI::Range(1024, 64 << 20));
  add("--max-object-bytes", flags.objectBytes, "Largest object, as JSON")->check(CLI::Range(1024, 64 << 20));
  add("--db-quota-megabytes", flags.quotaMegabytes, "Size of the store beyond which only deletes are written; 0: none");
  add("--encryption-key-file", flags.encryptionKeys,
      "Encrypt Secrets in the store: base64 of 32 bytes a line, the first encrypts, all decrypt; default: no encryption");
  add("--max-requests-inflight", flags.inflight, "API requests served at a time, watches and logs apart")
      ->check(CLI::Range(1, 100000));
  add("--max-requests-per-user", flags.inflightPerUser, "The same for one user; administrators and nodes are exempt")
      ->check(CLI::Range(1, 100000));
  add("--max-watches", flags.watches, "Watches open at a time; each needs one open file")->check(CLI::Range(1, 1000000));
  add("--max-watches-per-user", flags.watchesPerUser, "The same for one user; administrators and nodes are exempt")
      ->check(CLI::Range(1, 1000000));
}

Status applyApiFlags(const ApiFlags& flags, const DataDir& dir, apiserver::ApiServerOptions& options) {
  SLIP_TRY(const std::string adminToken, dir.adminToken());
  SLIP_CHECK(applyAccountKeys(flags, dir, options));
  options.http.tokens = {{adminToken, {"kubernetes-admin", "", {"system:masters"}}}};
  if (!flags.tokenFile.empty()) {
    auto text = readText(flags.tokenFile);
    if (!text) return failIn("--token-file", text.error());
    auto tokens = apiserver::parseTokenFile(*text);
    if (!tokens) return failIn("--token-file " + flags.tokenFile, tokens.error());
    options.http.tokens.insert(options.http.tokens.end(), tokens->begin(), tokens->end());
  }
  options.http.audit = {flags.auditLog, flags.auditMegabytes * kMegabyte, flags.auditBackups, flags.objectBytes, {}};
  if (!flags.auditPolicy.empty()) {
    SLIP_TRY(options.http.audit.policy, readAuditPolicy(flags));
  }
  options.http.maxBodyBytes = flags.requestBytes;
  options.http.maxInflight = flags.inflight;
  options.http.maxInflightPerUser = flags.inflightPerUser;
  options.http.maxWatches = flags.watches;
  options.http.maxWatchesPerUser = flags.watchesPerUser;
  options.registry.maxObjectBytes = flags.objectBytes;
  options.store.maxBytes = flags.quotaMegabytes * kMegabyte;
  if (!flags.encryptionKeys.empty()) {
    auto box = apiserver::SecretBox::load(flags.encryptionKeys);
    if (!box) return failIn("--encryption-key-file", box.error());
    options.store.box = std::make_shared<apiserver::SecretBox>(std::move(*box));
  }
  return {};
}

std::size_t watchesWithin(std::size_t openFiles, std::size_t wanted) {
  const std::size_t room = openFiles > 2 * kOtherFiles ? openFiles - kOtherFiles : openFiles / 2;
  return std::min(wanted, room);
}

std::size_t fitOpenFiles(apiserver::HttpOptions& options) {
  const std::size_t wanted = options.maxWatches;
  const rlim_t needed = wanted + kOtherFiles;
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < needed) {
    rlimit raised{needed, std::max(needed, limit.rlim_max)};
    if (::setrlimit(RLIMIT_NOFILE, &raised) != 0) {  // only root may exceed the hard limit
      raised = {limit.rlim_max, limit.rlim_max};
      ::setrlimit(RLIMIT_NOFILE, &raised);
    }
    ::getrlimit(RLIMIT_NOFILE, &limit);
  }
  options.maxWatches = limit.rlim_cur == RLIM_INFINITY ? wanted : watchesWithin(limit.rlim_cur, wanted);
  if (options.maxWatches < wanted) {
    logWarn(
        "--max-watches {} needs {} open files, but this process may have {} (ulimit -n): {} watches are allowed; raise "
        "the limit or lower the flag",
        wanted, needed, static_cast<std::size_t>(limit.rlim_cur), options.maxWatches);
  }
  return options.maxWatches + kOtherConnections;
}

}  // namespace slipway::cmd
