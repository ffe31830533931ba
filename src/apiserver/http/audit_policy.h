// AuditPolicy: how much of which request the audit log tells: a Policy of audit.k8s.io/v1 as kube-apiserver reads it. The
// first rule that matches counts; a request that none matches is not told. Pure.
//
//   SLIP_TRY(auto policy, AuditPolicy::parse(yaml));
//   if (policy.decide(user, info).level >= AuditLevel::Request) …
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "apiserver/admission.h"
#include "apiserver/http/request_info.h"

namespace slipway::apiserver {

// Each tells what the one before it does, and more: who and what; the body of the request; the body of the answer.
enum class AuditLevel { None, Metadata, Request, RequestResponse };
std::string_view auditLevelName(AuditLevel level);

struct AuditDecision {
  AuditLevel level = AuditLevel::Metadata;
  bool omitManagedFields = false;
};

struct AuditRule {
  struct Objects {
    std::string group;
    std::vector<std::string> resources;  // "pods", "pods/log", "pods/*", "*/status", "*"; empty: all
    std::vector<std::string> names;      // empty: all
  };
  AuditDecision decision;
  std::vector<std::string> users, groups, verbs, namespaces, paths;  // empty: any; namespace "": objects without one
  std::vector<Objects> objects;
};

class AuditPolicy {
 public:
  // YAML or JSON. Error BadRequest names the field.
  static Result<AuditPolicy> parse(const std::string& text);
  // `user` is who came in, not whom it acts as.
  AuditDecision decide(const UserInfo& user, const RequestInfo& info) const;

 private:
  std::vector<AuditRule> rules_;
};

}  // namespace slipway::apiserver
