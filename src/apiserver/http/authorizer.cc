#include "apiserver/http/authorizer.h"

#include "apiserver/api_status.h"

namespace slipway::apiserver {
namespace {

bool isPublicPath(const std::string& path) {
  for (const char* p : {"/healthz", "/livez", "/readyz", "/version"}) {
    const std::string prefix = p;
    if (path == prefix || path.compare(0, prefix.size() + 1, prefix + "/") == 0) return true;
  }
  return false;
}

}  // namespace

rbac::Decision Authorizer::decide(const UserInfo& user, const RequestInfo& what) const {
  if (!what.isResource && what.verb == "get" && isPublicPath(what.path)) return {true, ""};
  return rbac::authorize(index_.source(), user, what);
}

rbac::Rules Authorizer::rules(const UserInfo& user, const std::string& ns) const {
  return rbac::rulesFor(index_.source(), user, ns);
}

Status Authorizer::check(const UserInfo& user, const RequestInfo& what, const Catalog& catalog) const {
  const auto decision = decideOrRefuse(user, what, catalog);
  if (!decision) return fail(decision.error());
  return {};
}

Result<rbac::Decision> Authorizer::decideOrRefuse(const UserInfo& user, const RequestInfo& what,
                                                  const Catalog& catalog) const {
  rbac::Decision decision = decide(user, what);
  if (decision.allowed) return decision;
  const std::string because = decision.reason.empty() ? "" : ": " + decision.reason;
  if (!what.isResource) {
    return fail(Code::Forbidden,
                fmt::format("forbidden: User \"{}\" cannot {} path \"{}\"{}", user.name, what.verb, what.path, because));
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
                   fmt::format("User \"{}\" cannot {} resource \"{}\" in API group \"{}\" {}{}", user.name, what.verb, full,
                               what.group, place, because));
}

}  // namespace slipway::apiserver
