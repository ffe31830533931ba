#include "apiserver/rbac.h"

#include <fmt/ranges.h>

#include "apiserver/api_status.h"
#include "data/selectors.h"

namespace slipway::apiserver::rbac {
namespace {

std::string quote(const std::string& text) { return dumpJson(Json(text)); }

// As kube-apiserver describes a binding in the reason of an access review.
std::string describe(const Json& binding, const Json& subject) {
  const Json& meta = at(binding, "metadata");
  const std::string ns = textAt(meta, "namespace");
  const std::string name = ns.empty() ? textAt(meta, "name") : textAt(meta, "name") + "/" + ns;
  const Json& role = at(binding, "roleRef");
  std::string who = textAt(subject, "name");
  if (textAt(subject, "kind") == "ServiceAccount") who += "/" + textAt(subject, "namespace", ns);
  return fmt::format("{} {} of {} {} to {} {}", ns.empty() ? "ClusterRoleBinding" : "RoleBinding", quote(name),
                     textAt(role, "kind"), quote(textAt(role, "name")), textAt(subject, "kind"), quote(who));
}

bool subjectMatches(const Json& subject, const UserInfo& user, const std::string& bindingNs) {
  const std::string kind = textAt(subject, "kind");
  const std::string name = textAt(subject, "name");
  if (kind == "User") return name == user.name;
  if (kind == "Group") return user.inGroup(name);
  if (kind == "ServiceAccount")
    return user.name == "system:serviceaccount:" + textAt(subject, "namespace", bindingNs) + ":" + name;
  return false;
}

// Calls visit(rule, binding, subject) for every rule that holds for the user; stops when it returns false. Returns what
// could not be resolved.
template <class Visit>
std::vector<std::string> visitRules(const Source& source, const UserInfo& user, const std::string& ns, Visit visit) {
  std::vector<std::string> errors;
  const auto visitAll = [&](const std::string& bindingNs) {
    for (const Match& match : source.bindings(bindingNs, user)) {
      const Json& ref = at(*match.binding, "roleRef");
      const bool cluster = textAt(ref, "kind") == "ClusterRole";
      const std::string name = textAt(ref, "name");
      const std::shared_ptr<const Json> role = source.role(cluster ? "ClusterRole" : "Role", cluster ? "" : bindingNs, name);
      if (!role) {
        errors.push_back(
            fmt::format("{}.rbac.authorization.k8s.io {} not found", cluster ? "clusterrole" : "role", quote(name)));
        continue;
      }
      for (const Json& rule : at(*role, "rules")) {
        if (!visit(rule, *match.binding, *match.subject)) return false;
      }
    }
    return true;
  };
  if (!visitAll("") || ns.empty()) return errors;
  visitAll(ns);
  return errors;
}

bool has(const Json& list, std::string_view wanted) {
  if (!list.is_array()) return false;
  for (const Json& item : list) {
    if (item.is_string() && item.get_ref<const std::string&>() == wanted) return true;
  }
  return false;
}

bool hasOrAll(const Json& list, std::string_view wanted) { return has(list, "*") || has(list, wanted); }

// `resource` may be "pods/log": "*" and "*/log" cover it.
bool resourceMatches(const Json& list, const std::string& resource) {
  if (hasOrAll(list, resource)) return true;
  const auto slash = resource.find('/');
  return slash != std::string::npos && has(list, "*" + resource.substr(slash));
}

bool pathMatches(const Json& list, const std::string& path) {
  if (!list.is_array()) return false;
  for (const Json& item : list) {
    if (!item.is_string()) continue;
    const std::string& pattern = item.get_ref<const std::string&>();
    if (pattern == path) return true;
    if (!pattern.empty() && pattern.back() == '*' &&
        path.starts_with(std::string_view(pattern).substr(0, pattern.size() - 1)))
      return true;
  }
  return false;
}

bool ruleAllows(const Json& rule, const RequestInfo& what) {
  if (!hasOrAll(at(rule, "verbs"), what.verb)) return false;
  if (!what.isResource) return pathMatches(at(rule, "nonResourceURLs"), what.path);
  const std::string resource = what.subresource.empty() ? what.resource : what.resource + "/" + what.subresource;
  if (!hasOrAll(at(rule, "apiGroups"), what.group) || !resourceMatches(at(rule, "resources"), resource)) return false;
  const Json& names = at(rule, "resourceNames");
  return names.empty() || (!what.name.empty() && has(names, what.name));
}

// Whether one rule covers a simple one: one verb with one path, or with one group, resource and at most one name.
bool covers(const Json& rule, const Json& simple) {
  const auto first = [&](const char* field) {
    return at(simple, field).empty() ? "" : at(simple, field)[0].get<std::string>();
  };
  if (!hasOrAll(at(rule, "verbs"), first("verbs"))) return false;
  if (simple.contains("nonResourceURLs")) return pathMatches(at(rule, "nonResourceURLs"), first("nonResourceURLs"));
  if (!hasOrAll(at(rule, "apiGroups"), first("apiGroups"))) return false;
  if (!resourceMatches(at(rule, "resources"), first("resources"))) return false;
  const Json& names = at(rule, "resourceNames");
  return names.empty() || (simple.contains("resourceNames") && has(names, first("resourceNames")));
}

// A rule as simple ones.
std::vector<Json> breakDown(const Json& rule) {
  std::vector<Json> simple;
  const Json& names = at(rule, "resourceNames");
  for (const Json& verb : at(rule, "verbs")) {
    for (const Json& group : at(rule, "apiGroups")) {
      for (const Json& resource : at(rule, "resources")) {
        const Json one{{"verbs", {verb}}, {"apiGroups", {group}}, {"resources", {resource}}};
        if (names.empty()) simple.push_back(one);
        for (const Json& name : names) {
          simple.push_back(one);
          simple.back()["resourceNames"] = {name};
        }
      }
    }
    for (const Json& path : at(rule, "nonResourceURLs")) simple.push_back({{"verbs", {verb}}, {"nonResourceURLs", {path}}});
  }
  return simple;
}

// Simple rules that differ in their verb only, as one.
std::vector<Json> joinVerbs(const std::vector<Json>& simple) {
  std::vector<Json> joined;
  for (const Json& rule : simple) {
    Json key = rule;
    key.erase("verbs");
    const auto same = std::find_if(joined.begin(), joined.end(), [&](const Json& other) {
      Json otherKey = other;
      otherKey.erase("verbs");
      return otherKey == key && rule.contains("resources");
    });
    if (same == joined.end())
      joined.push_back(rule);
    else if (!has(at(*same, "verbs"), rule["verbs"][0].get<std::string>()))
      (*same)["verbs"].push_back(rule["verbs"][0]);
  }
  return joined;
}

const Json& fullAuthority() {
  static const Json kRules = Json::array({Json{{"verbs", {"*"}}, {"apiGroups", {"*"}}, {"resources", {"*"}}},
                                          Json{{"verbs", {"*"}}, {"nonResourceURLs", {"*"}}}});
  return kRules;
}

// Empty, or why `user` may not give these rules to anyone.
std::string escalation(const AdmissionRequest& request, const Json& wanted) {
  const Rules held = rulesFor(sourceOf(request), request.user, request.ns);
  const std::vector<Json> missing = joinVerbs(missingRules(held.rules, wanted));
  if (missing.empty()) return "";
  std::set<std::string> lines;
  for (const Json& rule : missing) lines.insert(compactRule(rule));
  std::string groups, text;
  for (const std::string& g : request.user.groups) groups += (groups.empty() ? "" : " ") + quote(g);
  for (const std::string& line : lines) text += "\n" + line;
  std::string why = fmt::format("user {} (groups=[{}]) is attempting to grant RBAC permissions not currently held:{}",
                                quote(request.user.name), groups, text);
  if (!held.errors.empty()) why += fmt::format("; resolution errors: [{}]", fmt::join(held.errors, ", "));
  return why;
}

bool mayUse(const AdmissionRequest& request, const std::string& verb, const std::string& resource, const std::string& name) {
  RequestInfo what{true, verb, "", kGroup, "*", resource, "", request.ns, name};
  return authorize(sourceOf(request), request.user, what).allowed;
}

Status refuse(const AdmissionRequest& request, const Json& object, const std::string& why) {
  return forbidden(request.resource, textAt(at(object, "metadata"), "name"), why);
}

bool aggregates(const Json& role) { return !at(role, "aggregationRule", "clusterRoleSelectors").empty(); }

// Whether a change touches nothing but what the garbage collector needs to let the object go.
bool onlyForCollection(const Json& before, const Json& after) {
  Json a = before;
  Json b = after;
  for (Json* o : {&a, &b}) {
    for (const char* field : {"ownerReferences", "finalizers", "managedFields", "resourceVersion"})
      (*o)["metadata"].erase(field);
  }
  return a == b;
}

Status checkRole(const AdmissionRequest& request, const Json& role) {
  if (mayUse(request, "escalate", request.resource.plural, request.name)) return {};
  if (const std::string why = escalation(request, at(role, "rules")); !why.empty()) return refuse(request, role, why);
  const bool gathers = aggregates(role) || (request.old && aggregates(*request.old));
  if (request.resource.namespaced || !gathers || escalation(request, fullAuthority()).empty()) return {};
  return refuse(request, role, "must have cluster-admin privileges to use the aggregationRule");
}

Status checkBinding(const AdmissionRequest& request, const Json& binding) {
  const Json& ref = at(binding, "roleRef");
  const bool cluster = textAt(ref, "kind") == "ClusterRole";
  const std::string name = textAt(ref, "name");
  if (mayUse(request, "bind", cluster ? "clusterroles" : "roles", name)) return {};
  const std::shared_ptr<const Json> role =
      sourceOf(request).role(cluster ? "ClusterRole" : "Role", cluster ? "" : request.ns, name);
  if (!role) {
    Resource missing;
    missing.group = kGroup;
    missing.plural = cluster ? "clusterroles" : "roles";
    return notFound(missing, name);
  }
  if (const std::string why = escalation(request, at(*role, "rules")); !why.empty()) return refuse(request, binding, why);
  return {};
}

Status check(const AdmissionRequest& request, const Json& object) {
  if (request.operation == Operation::Delete || request.user.inGroup("system:masters")) return {};
  if (request.old && onlyForCollection(*request.old, object)) return {};
  const std::string& kind = request.resource.kind;
  if (kind == "Role" || kind == "ClusterRole") return checkRole(request, object);
  if (kind == "RoleBinding" || kind == "ClusterRoleBinding") return checkBinding(request, object);
  return {};
}

}  // namespace

const Json* subjectOf(const Json& binding, const UserInfo& user) {
  const Json& subjects = at(binding, "subjects");
  if (!subjects.is_array()) return nullptr;
  for (const Json& s : subjects) {
    if (subjectMatches(s, user, textAt(at(binding, "metadata"), "namespace"))) return &s;
  }
  return nullptr;
}

Source sourceOf(const AdmissionRequest& request) {
  Source source;
  source.role = [&request](const std::string& kind, const std::string& ns, const std::string& name) {
    Json role = request.find(kVersion, kind, ns, name);
    return role.is_null() ? nullptr : std::make_shared<const Json>(std::move(role));
  };
  source.bindings = [&request](const std::string& ns, const UserInfo& user) {
    std::vector<Match> matches;
    for (Json& binding : request.list(kVersion, ns.empty() ? "ClusterRoleBinding" : "RoleBinding", ns)) {
      auto kept = std::make_shared<const Json>(std::move(binding));
      if (const Json* subject = subjectOf(*kept, user)) matches.push_back({std::move(kept), subject});
    }
    return matches;
  };
  return source;
}

Rules rulesFor(const Source& source, const UserInfo& user, const std::string& ns) {
  Rules found;
  found.errors = visitRules(source, user, ns, [&](const Json& rule, const Json&, const Json&) {
    found.rules.push_back(rule);
    return true;
  });
  return found;
}

Decision authorize(const Source& source, const UserInfo& user, const RequestInfo& what) {
  if (user.inGroup("system:masters")) return {true, ""};
  Decision decision;
  const auto errors = visitRules(source, user, what.ns, [&](const Json& rule, const Json& binding, const Json& subject) {
    if (!ruleAllows(rule, what)) return true;
    decision = {true, "RBAC: allowed by " + describe(binding, subject)};
    return false;
  });
  if (!decision.allowed && !errors.empty()) {
    const std::string all = fmt::format("{}", fmt::join(errors, ", "));
    decision.reason = errors.size() == 1 ? "RBAC: " + all : "RBAC: [" + all + "]";
  }
  return decision;
}

std::vector<Json> missingRules(const std::vector<Json>& held, const Json& wanted) {
  std::vector<Json> missing;
  for (const Json& rule : wanted) {
    for (Json& simple : breakDown(rule)) {
      const bool covered = std::any_of(held.begin(), held.end(), [&](const Json& h) { return covers(h, simple); });
      if (!covered) missing.push_back(std::move(simple));
    }
  }
  return missing;
}

std::string compactRule(const Json& rule) {
  std::string text;
  for (const auto& [field, label] : {std::pair{"apiGroups", "APIGroups"},
                                     {"resources", "Resources"},
                                     {"nonResourceURLs", "NonResourceURLs"},
                                     {"resourceNames", "ResourceNames"},
                                     {"verbs", "Verbs"}}) {
    const Json& list = at(rule, field);
    if (list.empty()) continue;
    std::string items;
    for (const Json& item : list) items += (items.empty() ? "" : " ") + dumpJson(item);
    text += fmt::format("{}{}:[{}]", text.empty() ? "" : ", ", label, items);
  }
  return "{" + text + "}";
}

Admission escalationCheck() {
  Admission hook{.group = kGroup, .kind = "*"};
  hook.validate = check;
  return hook;
}

Json aggregatedRules(const Json& role, const std::vector<Json>& others) {
  Json rules = Json::array();
  for (const Json& selector : at(role, "aggregationRule", "clusterRoleSelectors")) {
    for (const Json& other : others) {
      const Json& meta = at(other, "metadata");
      if (textAt(meta, "name") == textAt(at(role, "metadata"), "name")) continue;
      if (!labelSelectorMatches(selector, at(meta, "labels"))) continue;
      for (const Json& rule : at(other, "rules")) {
        if (std::find(rules.begin(), rules.end(), rule) == rules.end()) rules.push_back(rule);
      }
    }
  }
  return rules;
}

}  // namespace slipway::apiserver::rbac
