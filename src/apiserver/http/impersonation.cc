#include "apiserver/http/impersonation.h"

#include "apiserver/account_tokens.h"
#include "apiserver/api_status.h"

namespace slipway::apiserver {
namespace {

constexpr std::string_view kExtra = "Impersonate-Extra-";
constexpr std::string_view kAccount = "system:serviceaccount:";
constexpr const char* kAuthentication = "authentication.k8s.io";

struct Wanted {
  UserInfo user;
  bool asked = false;  // any header of impersonation is there
};

Wanted wantedUser(const net::Headers& headers) {
  Wanted wanted;
  for (const auto& [name, value] : headers) {
    const bool extra = name.size() > kExtra.size() && net::iequals(name.substr(0, kExtra.size()), kExtra);
    if (net::iequals(name, "Impersonate-User"))
      wanted.user.name = std::string(value);
    else if (net::iequals(name, "Impersonate-Uid"))
      wanted.user.uid = std::string(value);
    else if (net::iequals(name, "Impersonate-Group"))
      wanted.user.groups.emplace_back(value);
    else if (extra) {
      std::string key = net::percentDecode(name.substr(kExtra.size()));
      for (char& c : key) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
      wanted.user.extra[key].emplace_back(value);
    } else {
      continue;
    }
    wanted.asked = true;
  }
  return wanted;
}

RequestInfo question(const std::string& group, const std::string& resource, const std::string& name) {
  RequestInfo info;
  info.isResource = true;
  info.verb = "impersonate";
  info.group = group;
  info.version = "v1";
  info.resource = resource;
  info.name = name;
  return info;
}

// Everything that the caller must be allowed to impersonate; gives a ServiceAccount without groups its own.
Result<std::vector<RequestInfo>> questions(UserInfo& other) {
  std::vector<RequestInfo> all;
  bool ownGroups = false;
  if (other.name.starts_with(kAccount)) {
    const auto colon = other.name.find(':', kAccount.size());
    if (colon == std::string::npos) return badRequest("Impersonate-User: not a service account name: " + other.name);
    all.push_back(question("", "serviceaccounts", other.name.substr(colon + 1)));
    all.back().ns = other.name.substr(kAccount.size(), colon - kAccount.size());
    ownGroups = other.groups.empty();
    if (ownGroups) other.groups = AccountTokens::userOf(all.back().ns, "", "").groups;
  } else {
    all.push_back(question("", "users", other.name));
  }
  for (const std::string& group : other.groups) {
    if (!ownGroups) all.push_back(question("", "groups", group));
  }
  for (const auto& [key, values] : other.extra) {
    for (const std::string& value : values) {
      all.push_back(question(kAuthentication, "userextras", value));
      all.back().subresource = key;
    }
  }
  if (!other.uid.empty()) all.push_back(question(kAuthentication, "uids", other.uid));
  return all;
}

}  // namespace

Result<UserInfo> impersonate(const net::Request& request, const UserInfo& user, const Authorizer& authorizer,
                             const Catalog& catalog) {
  Wanted wanted = wantedUser(request.headers);
  if (!wanted.asked) return user;
  if (wanted.user.name.empty())
    return badRequest("Impersonate-Group, -Uid and -Extra need Impersonate-User: requested impersonation without a user");
  SLIP_TRY(const auto all, questions(wanted.user));
  for (const RequestInfo& q : all) SLIP_CHECK(authorizer.check(user, q, catalog));
  if (wanted.user.name == "system:anonymous") {
    if (!wanted.user.inGroup("system:unauthenticated")) wanted.user.groups.emplace_back("system:unauthenticated");
  } else if (!wanted.user.inGroup("system:authenticated") && !wanted.user.inGroup("system:unauthenticated")) {
    wanted.user.groups.emplace_back("system:authenticated");
  }
  return std::move(wanted.user);
}

}  // namespace slipway::apiserver
