#include "apiserver/http/review_routes.h"

#include "apiserver/api_status.h"

namespace slipway::apiserver {
namespace {

constexpr std::int64_t kMinTokenSeconds = 600;
constexpr std::int64_t kMaxTokenSeconds = 365 * 24 * 3600;

Json userJson(const UserInfo& user) {
  Json u{{"username", user.name}, {"groups", user.groups}};
  if (!user.uid.empty()) u["uid"] = user.uid;
  return u;
}

UserInfo subjectOf(const Json& spec) {
  UserInfo user{textAt(spec, "user"), textAt(spec, "uid"), {}};
  if (at(spec, "groups").is_array()) {
    for (const Json& g : at(spec, "groups")) {
      if (g.is_string()) user.groups.push_back(g.get<std::string>());
    }
  }
  return user;
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
    SLIP_TRY(const Json made, accountToken(call, spec));
    return jsonResponse(201, dumpJson(made));
  }
  if (kind == "selfsubjectaccessreviews") {
    SLIP_TRY(review["status"], accessReview(spec, call.user, ""));
  } else if (kind == "subjectaccessreviews" || kind == "localsubjectaccessreviews") {
    SLIP_TRY(review["status"], accessReview(spec, subjectOf(spec), call.info.ns));
  } else if (kind == "selfsubjectrulesreviews") {
    review["status"] = rulesReview(call.user, textAt(spec, "namespace"));
  } else if (kind == "selfsubjectreviews") {
    review["status"] = {{"userInfo", userJson(call.user)}};
  } else {
    review["status"] = tokenReview(spec);
  }
  review["apiVersion"] = call.info.group + "/v1";
  if (!review.contains("metadata")) review["metadata"] = Json::object();
  return jsonResponse(201, dumpJson(review));
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
  return Json{{"allowed", authorizer_.allowed(user, info)}};
}

Json ReviewRoutes::rulesReview(const UserInfo& user, const std::string& ns) const {
  Json resources = Json::array();
  Json paths = Json::array();
  if (user.inGroup("system:masters")) {
    resources.push_back({{"verbs", {"*"}}, {"apiGroups", {"*"}}, {"resources", {"*"}}});
    paths.push_back({{"verbs", {"*"}}, {"nonResourceURLs", {"*"}}});
  }
  for (const Json& rule : authorizer_.rules(user, ns)) {
    if (at(rule, "nonResourceURLs").empty())
      resources.push_back(rule);
    else
      paths.push_back(rule);
  }
  return Json{{"incomplete", false}, {"resourceRules", resources}, {"nonResourceRules", paths}};
}

Json ReviewRoutes::tokenReview(const Json& spec) const {
  const auto user = authenticator_.byToken(textAt(spec, "token"));
  if (!user) return Json{{"authenticated", false}, {"error", "the token is not valid"}};
  return Json{{"authenticated", true}, {"user", userJson(*user)}};
}

Result<Json> ReviewRoutes::accountToken(const Call& call, const Json& spec) const {
  const Resource* accounts = registry_.resource("", "v1", "serviceaccounts");
  SLIP_TRY(const EntryPtr account, registry_.get(*accounts, call.info.ns, call.info.name));
  const std::int64_t seconds = intAt(spec, "expirationSeconds", 3600);
  Resource request;
  request.group = "authentication.k8s.io";
  request.kind = "TokenRequest";
  const auto wrong = [&](const char* why) {
    return invalid(request, "",
                   {{"FieldValueInvalid", "spec.expirationSeconds", fmt::format("Invalid value: {}: {}", seconds, why)}});
  };
  if (seconds < kMinTokenSeconds) return wrong("may not specify a duration less than 10 minutes");
  if (seconds > kMaxTokenSeconds) return wrong("may not specify a duration larger than one year");
  std::vector<std::string> audiences;
  if (at(spec, "audiences").is_array()) {
    for (const Json& a : at(spec, "audiences")) {
      if (a.is_string()) audiences.push_back(a.get<std::string>());
    }
  }
  const auto issued = tokens_.issue(*account, std::chrono::seconds(seconds), audiences);
  Json shown = spec.is_object() ? spec : Json::object();
  shown["expirationSeconds"] = seconds;
  if (audiences.empty()) shown["audiences"] = {"https://kubernetes.default.svc.cluster.local"};
  return Json{{"kind", "TokenRequest"},
              {"apiVersion", "authentication.k8s.io/v1"},
              {"metadata",
               {{"name", account->name},
                {"namespace", account->ns},
                {"creationTimestamp", formatRfc3339(registry_.clock().wall())}}},
              {"spec", shown},
              {"status", {{"token", issued.token}, {"expirationTimestamp", issued.expires}}}};
}

}  // namespace slipway::apiserver
