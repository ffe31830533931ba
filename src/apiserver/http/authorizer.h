// Authorizer: whether a user may do what a request asks: group system:masters may do everything, health and version are for
// all who are known, the rest follows the Role and ClusterRole bindings in the store (RBAC as kube-apiserver evaluates it).
//
// Asks an index that is kept beside the store (rbac_index.h). Lives on the hub's executor.
#pragma once
#include <string>
#include <vector>

#include "apiserver/admission.h"
#include "apiserver/http/request_info.h"
#include "apiserver/rbac_index.h"

namespace slipway::apiserver {

class Authorizer {
 public:
  explicit Authorizer(WatchHub& hub) : index_(hub) {}
  rbac::Decision decide(const UserInfo& user, const RequestInfo& what) const;
  // All rules that hold for the user in a namespace, as PolicyRule objects: those of bindings to the user.
  rbac::Rules rules(const UserInfo& user, const std::string& ns) const;
  // Forbidden in kube-apiserver's words, or why it is allowed.
  Result<rbac::Decision> decideOrRefuse(const UserInfo& user, const RequestInfo& what, const Catalog& catalog) const;
  Status check(const UserInfo& user, const RequestInfo& what, const Catalog& catalog) const;

 private:
  RbacIndex index_;
};

}  // namespace slipway::apiserver
