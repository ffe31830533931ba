// RBAC as kube-apiserver evaluates it: which rules a user has by bindings, whether they allow a request, and whether a user
// who writes a role or a binding would give away more than they hold.
//
// Pure functions over a Source: an RbacIndex (rbac_index.h) of the committed state for requests, the write's own transaction
// for escalation checks.
//
//   auto decision = rbac::authorize(source, user, {.isResource = true, .verb = "list", .resource = "pods", .ns =
//   "default"});
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "apiserver/admission.h"
#include "apiserver/store.h"

namespace slipway::apiserver {

// What a request wants to do: either a verb on a resource or a verb on a path.
struct RequestInfo {
  bool isResource = false;  // else only verb and path mean something
  std::string verb;         // get, list, watch, create, update, patch, delete, deletecollection; lower-case method otherwise
  std::string path;
  std::string group, version, resource, subresource, ns, name;
};

namespace rbac {

inline constexpr const char* kGroup = "rbac.authorization.k8s.io";
inline constexpr const char* kVersion = "rbac.authorization.k8s.io/v1";

// A binding that holds for a user, and the subject of it that says so.
struct Match {
  std::shared_ptr<const Json> binding;
  const Json* subject = nullptr;
};
struct Source {
  // A Role or ClusterRole; null: absent.
  std::function<std::shared_ptr<const Json>(const std::string& kind, const std::string& ns, const std::string& name)> role;
  // The RoleBindings of a namespace, or the ClusterRoleBindings ("" as namespace), that hold for a user, by name.
  std::function<std::vector<Match>(const std::string& ns, const UserInfo& user)> bindings;
};
Source sourceOf(const AdmissionRequest& request);  // valid while the request is
// The subject of a binding that a user is; null: none.
const Json* subjectOf(const Json& binding, const UserInfo& user);

struct Rules {
  std::vector<Json> rules;          // PolicyRule objects
  std::vector<std::string> errors;  // bindings whose role is missing
};
Rules rulesFor(const Source& source, const UserInfo& user, const std::string& ns);

struct Decision {
  bool allowed = false;
  std::string reason;  // which binding allowed it, or which bindings could not be resolved; may be empty
};
// Group system:masters may do everything and has no rules.
Decision authorize(const Source& source, const UserInfo& user, const RequestInfo& what);

// The parts of `wanted` that `held` does not cover, one verb, group, resource and name each.
std::vector<Json> missingRules(const std::vector<Json>& held, const Json& wanted);
// {APIGroups:[""], Resources:["pods"], Verbs:["get"]}
std::string compactRule(const Json& rule);

// Kubernetes' checks `escalate` and `bind` on writes of Roles, ClusterRoles and their bindings, as an admission hook.
Admission escalationCheck();

// The rules of an aggregating ClusterRole: those of the `others` that its selectors choose, by name, each once.
Json aggregatedRules(const Json& role, const std::vector<Json>& others);

}  // namespace rbac
}  // namespace slipway::apiserver
