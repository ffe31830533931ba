#include "apiserver/http/authorizer.h"

#include "apiserver/api_status.h"

namespace slipway::apiserver {
namespace {

bool subjectMatches(const Json& subject, const UserInfo& user, const std::string& bindingNs) {
  const std::string kind = textAt(subject, "kind");
  const std::string name = textAt(subject, "name");
  if (kind == "User") return name == user.name;
  if (kind == "Group") return user.inGroup(name);
  if (kind == "ServiceAccount")
    return user.name == "system:serviceaccount:" + textAt(subject, "namespace", bindingNs) + ":" + name;
  return false;
}

bool contains(const Json& list, const std::string& wanted) {
  if (!list.is_array()) return false;
  for (const Json& item : list) {
    if (item == "*" || item == wanted) return true;
  }
  return false;
}

bool resourceMatches(const Json& list, const RequestInfo& what) {
  if (!list.is_array()) return false;
  const std::string full = what.subresource.empty() ? what.resource : what.resource + "/" + what.subresource;
  for (const Json& item : list) {
    if (item == "*" || item == full) return true;
    if (!what.subresource.empty() && item == "*/" + what.subresource) return true;
  }
  return false;
}

bool pathMatches(const Json& list, const std::string& path) {
  if (!list.is_array()) return false;
  for (const Json& item : list) {
    if (!item.is_string()) continue;
    const std::string pattern = item.get<std::string>();
    if (pattern == path) return true;
    if (!pattern.empty() && pattern.back() == '*' &&
        path.compare(0, pattern.size() - 1, pattern, 0, pattern.size() - 1) == 0)
      return true;
  }
  return false;
}

bool ruleAllows(const Json& rule, const RequestInfo& what) {
  if (!contains(at(rule, "verbs"), what.verb)) return false;
  if (!what.isResource) return pathMatches(at(rule, "nonResourceURLs"), what.path);
  if (!contains(at(rule, "apiGroups"), what.group) || !resourceMatches(at(rule, "resources"), what)) return false;
  const Json& names = at(rule, "resourceNames");
  if (names.empty()) return true;
  return std::find(names.begin(), names.end(), Json(what.name)) != names.end() && !what.name.empty();
}

bool isPublicPath(const std::string& path) {
  for (const char* p : {"/healthz", "/livez", "/readyz", "/version"}) {
    const std::string prefix = p;
    if (path == prefix || path.compare(0, prefix.size() + 1, prefix + "/") == 0) return true;
  }
  return false;
}

}  // namespace

std::vector<Json> Authorizer::rules(const UserInfo& user, const std::string& ns) const {
  const std::string suffix = ".rbac.authorization.k8s.io";
  std::vector<Json> found;
  const auto collect = [&](const Snapshot& bindings) {
    for (const EntryPtr& entry : bindings.entries) {
      const Json binding = entry->json();
      const Json& subjects = at(binding, "subjects");
      if (!subjects.is_array()) continue;
      const bool mine =
          std::any_of(subjects.begin(), subjects.end(), [&](const Json& s) { return subjectMatches(s, user, entry->ns); });
      if (!mine) continue;
      const Json& ref = at(binding, "roleRef");
      const bool cluster = textAt(ref, "kind") == "ClusterRole";
      const EntryPtr role =
          store_.get((cluster ? "clusterroles" : "roles") + suffix, cluster ? "" : entry->ns, textAt(ref, "name"));
      if (!role) continue;
      const Json object = role->json();
      for (const Json& rule : at(object, "rules")) found.push_back(rule);
    }
  };
  collect(store_.list("clusterrolebindings" + suffix));
  if (!ns.empty()) collect(store_.list("rolebindings" + suffix, ns));
  return found;
}

bool Authorizer::allowed(const UserInfo& user, const RequestInfo& what) const {
  if (user.inGroup("system:masters")) return true;
  if (!what.isResource && what.verb == "get" && isPublicPath(what.path)) return true;
  for (const Json& rule : rules(user, what.ns)) {
    if (ruleAllows(rule, what)) return true;
  }
  return false;
}

Status Authorizer::check(const UserInfo& user, const RequestInfo& what, const Catalog& catalog) const {
  if (allowed(user, what)) return {};
  if (!what.isResource) {
    return fail(Code::Forbidden,
                fmt::format("forbidden: User \"{}\" cannot {} path \"{}\"", user.name, what.verb, what.path));
  }
  Resource resource;
  if (const Resource* known = catalog.find(what.group, what.version, what.resource)) resource = *known;
  resource.group = what.group;
  resource.plural = what.resource;
  const std::string full = what.subresource.empty() ? what.resource : what.resource + "/" + what.subresource;
  const std::string place = what.ns.empty() || what.resource == "namespaces"
                                ? "at the cluster scope"
                                : fmt::format("in the namespace \"{}\"", what.ns);
  return forbidden(resource, what.name,
                   fmt::format("User \"{}\" cannot {} resource \"{}\" in API group \"{}\" {}", user.name, what.verb, full,
                               what.group, place));
}

}  // namespace slipway::apiserver
