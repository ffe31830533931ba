#include "apiserver/http/review_routes.h"

#include <fmt/ranges.h>

#include "apiserver/api_status.h"
#include "apiserver/http/protobuf.h"

namespace slipway::apiserver {
namespace {

Json userJson(const UserInfo& user) {
  Json u{{"username", user.name}, {"groups", user.groups}};
  if (!user.uid.empty()) u["uid"] = user.uid;
  if (!user.extra.empty()) u["extra"] = user.extra;
  return u;
}

std::vector<std::string> strings(const Json& list) {
  std::vector<std::string> out;
  if (!list.is_array()) return out;
  for (const Json& item : list) {
    if (item.is_string()) out.push_back(item.get<std::string>());
  }
  return out;
}

Result<net::Response> answer(const Call& call, const Json& review) {
  if (call.accepted.protobuf && protobufKnows(textAt(review, "apiVersion"), textAt(review, "kind")))
    return protobufResponse(201, review);
  return jsonResponse(201, dumpJson(review));
}

UserInfo subjectOf(const Json& spec) {
  return UserInfo{textAt(spec, "user"), textAt(spec, "uid"), strings(at(spec, "groups"))};
}

}  // namespace

bool ReviewRoutes::serves(const RequestInfo& info) {
  if (!info.isResource || info.version != "v1") return false;
  if (info.group.empty()) return info.resource == "serviceaccounts" && info.subresource == "token";
  static const std::set<std::pair<std::string, std::string>> kOurs = {
      {"authorization.k8s.io", "selfsubjectaccessreviews"},  {"authorization.k8s.io", "subjectaccessreviews"},
      {"authorization.k8s.io", "localsubjectaccessreviews"}, {"authorization.k8s.io", "selfsubjectrulesreviews"},
      {"authentication.k8s.io", "selfsubjectreviews"},       {"authentication.k8s.io", "tokenreviews"}};
  return kOurs.count({info.group, info.resource}) > 0;
}

Result<net::Response> ReviewRoutes::handle(const Call& call) const {
  if (call.info.verb != "create") return methodNotAllowed(call.request.method);
  SLIP_TRY(ParsedBody body, parseBody(call.request.headers.getOr("Content-Type", ""), call.body));
  Json review = std::move(body.object);
  if (!review.is_object()) return badRequest("the body of the request must be a review object");
  const Json spec = at(review, "spec");
  const std::string& kind = call.info.resource;
  if (kind == "serviceaccounts") {
    SLIP_TRY(const Json made, tokens_.request(call.info.ns, call.info.name, review));
    return answer(call, made);
  }
  if (kind == "selfsubjectaccessreviews") {
    SLIP_TRY(review["status"], accessReview(spec, call.user, ""));
  } else if (kind == "subjectaccessreviews" || kind == "localsubjectaccessreviews") {
    SLIP_TRY(review["status"], subjectReview(spec, call.info.ns));
  } else if (kind == "selfsubjectrulesreviews") {
    review["status"] = rulesReview(call.user, textAt(spec, "namespace"));
  } else if (kind == "selfsubjectreviews") {
    review["status"] = {{"userInfo", userJson(call.user)}};
  } else {
    review["status"] = tokenReview(spec);
  }
  review["apiVersion"] = call.info.group + "/v1";
  if (!review.contains("metadata")) review["metadata"] = Json::object();
  return answer(call, review);
}

Result<Json> ReviewRoutes::accessReview(const Json& spec, const UserInfo& user, const std::string& ns) const {
  RequestInfo info;
  const Json& resource = at(spec, "resourceAttributes");
  const Json& path = at(spec, "nonResourceAttributes");
  if (resource.is_object() == path.is_object()) {
    return badRequest("spec: exactly one of resourceAttributes and nonResourceAttributes must be set");
  }
  if (resource.is_object()) {
    info.isResource = true;
    info.verb = textAt(resource, "verb");
    info.group = textAt(resource, "group");
    info.version = textAt(resource, "version");
    info.resource = textAt(resource, "resource");
    info.subresource = textAt(resource, "subresource");
    info.ns = ns.empty() ? textAt(resource, "namespace") : ns;
    info.name = textAt(resource, "name");
  } else {
    info.verb = textAt(path, "verb");
    info.path = textAt(path, "path");
  }
  const rbac::Decision decision = authorizer_.decide(user, info);
  Json status{{"allowed", decision.allowed}};
  if (!decision.reason.empty()) status["reason"] = decision.reason;
  return status;
}

Result<Json> ReviewRoutes::subjectReview(const Json& spec, const std::string& ns) const {
  const UserInfo user = subjectOf(spec);
  Resource kind;
  kind.group = "authorization.k8s.io";
  kind.kind = ns.empty() ? "SubjectAccessReview" : "LocalSubjectAccessReview";
  if (user.name.empty() && user.groups.empty()) {
    return invalid(
        kind, "",
        {{"FieldValueInvalid", "spec.user", "Invalid value: \"\": at least one of user or group must be specified"}});
  }
  const std::string asked = textAt(at(spec, "resourceAttributes"), "namespace");
  if (!ns.empty() && asked != ns) {
    return badRequest(fmt::format("spec.resourceAttributes.namespace must match namespace: {}", ns));
  }
  return accessReview(spec, user, ns);
}

Json ReviewRoutes::rulesReview(const UserInfo& user, const std::string& ns) const {
  Json resources = Json::array();
  Json paths = Json::array();
  if (user.inGroup("system:masters")) {
    resources.push_back({{"verbs", {"*"}}, {"apiGroups", {"*"}}, {"resources", {"*"}}});
    paths.push_back({{"verbs", {"*"}}, {"nonResourceURLs", {"*"}}});
  }
  const rbac::Rules found = authorizer_.rules(user, ns);
  for (const Json& rule : found.rules) {
    if (at(rule, "nonResourceURLs").empty())
      resources.push_back(rule);
    else
      paths.push_back(rule);
  }
  Json status{{"incomplete", !found.errors.empty()}, {"resourceRules", resources}, {"nonResourceRules", paths}};
  if (!found.errors.empty()) status["evaluationError"] = fmt::format("{}", fmt::join(found.errors, ", "));
  return status;
}

Json ReviewRoutes::tokenReview(const Json& spec) const {
  const auto verified = authenticator_.byToken(textAt(spec, "token"), strings(at(spec, "audiences")));
  if (!verified) return Json{{"authenticated", false}, {"user", Json::object()}, {"error", "invalid bearer token"}};
  return Json{{"authenticated", true}, {"user", userJson(verified->user)}, {"audiences", verified->audiences}};
}

}  // namespace slipway::apiserver
