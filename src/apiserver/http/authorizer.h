// Authorizer: whether a user may do what a request asks: group system:masters may do everything, health and version are for
// all who are known, the rest follows the Role and ClusterRole bindings in the store (RBAC as kube-apiserver evaluates it).
//
// Reads the store on each question: there are few bindings. Any thread.
#pragma once
#include <string>
#include <vector>

#include "apiserver/admission.h"
#include "apiserver/http/request_info.h"
#include "apiserver/store.h"

namespace slipway::apiserver {

class Authorizer {
 public:
  explicit Authorizer(const Store& store) : store_(store) {}
  bool allowed(const UserInfo& user, const RequestInfo& what) const;
  // All rules that hold for the user in a namespace, as of PolicyRule objects: those of bindings to the user.
  std::vector<Json> rules(const UserInfo& user, const std::string& ns) const;
  // Forbidden in kube-apiserver's words, or nothing.
  Status check(const UserInfo& user, const RequestInfo& what, const Catalog& catalog) const;

 private:
  const Store& store_;
};

}  // namespace slipway::apiserver
