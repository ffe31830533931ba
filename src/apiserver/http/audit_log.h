// AuditLog: one JSON line per request in a file: audit.k8s.io/v1 Events as kube-apiserver writes them: who, what, when,
// decided how, answered with which status. Bodies get into it only where a policy asks for them, credentials of requests
// never.
//
// The file is rotated by size and the old ones are bounded in number: FILE, FILE.1 (the newest before), FILE.2 … A line that
// cannot be written (disk full) is dropped and counted; serving goes on. Lives on the control executor.
#pragma once
#include <memory>
#include <string>

#include "apiserver/http/audit_policy.h"
#include "apiserver/http/call.h"
#include "apiserver/rbac.h"
#include "base/clock.h"
#include "net/http.h"

namespace slipway::apiserver {

struct AuditOptions {
  std::string path;                         // empty: no audit log
  std::size_t maxBytes = 100 << 20;         // of one file
  unsigned backups = 3;                     // rotated files kept
  std::size_t maxObjectBytes = 1536 << 10;  // of the body of a request or answer; larger ones are left out and marked
  std::optional<AuditPolicy> policy;        // none: every request at level Metadata
};

// What is known of a request, filled in on its way; what it did not reach stays empty.
struct AuditRecord {
  std::string id;
  WallTime received;
  std::string method, uri, userAgent, address;
  RequestInfo info;
  UserInfo user;                   // who came in; no name: not authenticated
  std::optional<UserInfo> acting;  // who it acts as, when that is another
  std::optional<rbac::Decision> decision;
  std::optional<AuditDecision> told;  // by the policy, once it is known who asks what
  std::string bodyType, body;         // of the request, at level Request and beyond
};

class AuditLog {
 public:
  // Error Unavailable naming the path when it cannot be written.
  static Result<std::unique_ptr<AuditLog>> open(AuditOptions options, std::shared_ptr<Clock> clock);
  ~AuditLog();
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;

  AuditRecord begin(const net::Request& request) const;
  // Settles how much will be told of the request; whether its body will.
  bool wantsBody(AuditRecord& record) const;
  void write(AuditRecord& record, const net::Response& response);
  std::uint64_t dropped() const { return dropped_; }

 private:
  AuditLog(AuditOptions options, std::shared_ptr<Clock> clock) : options_(std::move(options)), clock_(std::move(clock)) {}
  Status openFile();
  void rotate();
  AuditDecision decide(const AuditRecord& record) const;

  AuditOptions options_;
  std::shared_ptr<Clock> clock_;
  int file_ = -1;
  std::size_t size_ = 0;
  std::uint64_t dropped_ = 0;
};

// The event as one JSON object; pure.
Json auditEvent(const AuditRecord& record, const net::Response& response, WallTime now,
                std::size_t maxObjectBytes = 1536 << 10);

}  // namespace slipway::apiserver
