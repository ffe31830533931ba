#include "apiserver/http/audit_policy.h"

#include "apiserver/api_status.h"
#include "apiserver/http/content.h"

namespace slipway::apiserver {
namespace {

using Texts = std::vector<std::string>;

constexpr std::string_view kLevels[] = {"None", "Metadata", "Request", "RequestResponse"};
constexpr std::string_view kStages[] = {"RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"};

bool has(const Texts& all, const std::string& text) { return std::find(all.begin(), all.end(), text) != all.end(); }

Failure wrong(const std::string& field, const std::string& why) {
  return fail(Code::BadRequest, fmt::format("{}: {}", field, why));
}

// As kube-apiserver, which reads policies strictly: a field that is misspelt must not widen what is told.
Status onlyKnown(const Json& object, const std::string& place, const Texts& known) {
  if (!object.is_object()) return wrong(place, "must be an object");
  for (const auto& [name, value] : object.items()) {
    if (!has(known, name)) return wrong(place.empty() ? name : place + "." + name, "unknown field");
  }
  return {};
}

Result<Texts> texts(const Json& object, const char* name, const std::string& place) {
  const Json& list = at(object, name);
  Texts out;
  if (list.is_null()) return out;
  const std::string field = fmt::format("{}.{}", place, name);
  if (!list.is_array()) return wrong(field, "must be a list of strings");
  for (const Json& item : list) {
    if (!item.is_string()) return wrong(field, "must be a list of strings");
    out.push_back(item.get<std::string>());
  }
  return out;
}

Result<AuditLevel> levelOf(const Json& rule, const std::string& place) {
  const std::string text = textAt(rule, "level");
  for (std::size_t i = 0; i < std::size(kLevels); ++i)
    if (text == kLevels[i]) return static_cast<AuditLevel>(i);
  return wrong(place + ".level", fmt::format("\"{}\": must be None, Metadata, Request or RequestResponse", text));
}

// There is one line for a request: its stage can be left out by level None only.
Status checkStages(const Json& object, const std::string& place) {
  SLIP_TRY(const Texts stages, texts(object, "omitStages", place));
  for (const std::string& stage : stages) {
    if (std::find(std::begin(kStages), std::end(kStages), stage) == std::end(kStages))
      return wrong(place + ".omitStages",
                   fmt::format("\"{}\": must be RequestReceived, ResponseStarted, ResponseComplete or "
                               "Panic",
                               stage));
    if (stage.starts_with("Response"))
      return wrong(place + ".omitStages", stage + " is the only stage that is written; use level None");
  }
  return {};
}

Result<AuditRule::Objects> objectsOf(const Json& item, const std::string& place) {
  SLIP_CHECK(onlyKnown(item, place, {"group", "resources", "resourceNames"}));
  AuditRule::Objects out;
  out.group = textAt(item, "group");
  SLIP_TRY(out.resources, texts(item, "resources", place));
  SLIP_TRY(out.names, texts(item, "resourceNames", place));
  if (!out.names.empty() && out.resources.empty()) return wrong(place + ".resourceNames", "resources must be named too");
  return out;
}

Result<AuditRule> ruleOf(const Json& item, const std::string& place) {
  SLIP_CHECK(onlyKnown(item, place,
                       {"level", "users", "userGroups", "verbs", "resources", "namespaces", "nonResourceURLs", "omitStages",
                        "omitManagedFields"}));
  AuditRule rule;
  SLIP_TRY(rule.decision.level, levelOf(item, place));
  SLIP_TRY(rule.users, texts(item, "users", place));
  SLIP_TRY(rule.groups, texts(item, "userGroups", place));
  SLIP_TRY(rule.verbs, texts(item, "verbs", place));
  SLIP_TRY(rule.namespaces, texts(item, "namespaces", place));
  SLIP_TRY(rule.paths, texts(item, "nonResourceURLs", place));
  SLIP_CHECK(checkStages(item, place));
  const Json& objects = at(item, "resources");
  if (!objects.is_null() && !objects.is_array()) return wrong(place + ".resources", "must be a list");
  for (std::size_t i = 0; i < objects.size(); ++i) {
    SLIP_TRY(AuditRule::Objects one, objectsOf(objects[i], fmt::format("{}.resources[{}]", place, i)));
    rule.objects.push_back(std::move(one));
  }
  if (!rule.paths.empty() && (!rule.objects.empty() || !rule.namespaces.empty()))
    return wrong(place + ".nonResourceURLs", "rules cannot apply to both regular resources and non-resource URLs");
  return rule;
}

bool names(const AuditRule::Objects& objects, const RequestInfo& info) {
  if (objects.group != info.group) return false;
  if (objects.resources.empty()) return true;
  if (!objects.names.empty() && !has(objects.names, info.name)) return false;
  const std::string whole = info.subresource.empty() ? info.resource : info.resource + "/" + info.subresource;
  return std::any_of(objects.resources.begin(), objects.resources.end(), [&](const std::string& r) {
    return r == "*" || r == whole || r == info.resource + "/*" ||
           (!info.subresource.empty() && r == "*/" + info.subresource);
  });
}

bool pathMatches(const std::string& pattern, const std::string& path) {
  if (pattern.ends_with('*')) return path.starts_with(pattern.substr(0, pattern.size() - 1));
  return pattern == path;
}

bool matches(const AuditRule& rule, const UserInfo& user, const RequestInfo& info) {
  if (!rule.users.empty() && !has(rule.users, user.name)) return false;
  if (!rule.groups.empty() &&
      std::none_of(rule.groups.begin(), rule.groups.end(), [&](const std::string& g) { return user.inGroup(g); }))
    return false;
  if (!rule.verbs.empty() && !has(rule.verbs, info.verb)) return false;
  if (!rule.namespaces.empty() || !rule.objects.empty()) {
    if (!info.isResource || (!rule.namespaces.empty() && !has(rule.namespaces, info.ns))) return false;
    return rule.objects.empty() ||
           std::any_of(rule.objects.begin(), rule.objects.end(), [&](const auto& o) { return names(o, info); });
  }
  if (rule.paths.empty()) return true;
  return !info.isResource &&
         std::any_of(rule.paths.begin(), rule.paths.end(), [&](const std::string& p) { return pathMatches(p, info.path); });
}

}  // namespace

std::string_view auditLevelName(AuditLevel level) { return kLevels[static_cast<std::size_t>(level)]; }

Result<AuditPolicy> AuditPolicy::parse(const std::string& text) {
  SLIP_TRY(const Json policy, parseYamlOrJson(text));
  SLIP_CHECK(onlyKnown(policy, "", {"apiVersion", "kind", "metadata", "rules", "omitStages", "omitManagedFields"}));
  if (textAt(policy, "apiVersion") != "audit.k8s.io/v1" || textAt(policy, "kind") != "Policy")
    return wrong("apiVersion, kind", "must be audit.k8s.io/v1 and Policy");
  SLIP_CHECK(checkStages(policy, "policy"));
  const Json& rules = at(policy, "rules");
  if (!rules.is_array() || rules.empty()) return wrong("rules", "at least one is needed");
  AuditPolicy made;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    SLIP_TRY(AuditRule rule, ruleOf(rules[i], fmt::format("rules[{}]", i)));
    rule.decision.omitManagedFields = boolAt(rules[i], "omitManagedFields", boolAt(policy, "omitManagedFields"));
    made.rules_.push_back(std::move(rule));
  }
  return made;
}

AuditDecision AuditPolicy::decide(const UserInfo& user, const RequestInfo& info) const {
  for (const AuditRule& rule : rules_)
    if (matches(rule, user, info)) return rule.decision;
  return {AuditLevel::None};
}

}  // namespace slipway::apiserver
