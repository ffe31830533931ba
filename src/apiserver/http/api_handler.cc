#include "apiserver/http/api_handler.h"

#include <boost/system/system_error.hpp>

#include "apiserver/api_status.h"
#include "base/ids.h"
#include "base/log.h"

namespace slipway::apiserver {
namespace {

constexpr std::size_t kKeyBytes = 32;

bool carriesBody(const std::string& method) {
  return method == "POST" || method == "PUT" || method == "PATCH" || method == "DELETE";
}

struct InflightCount {
  explicit InflightCount(std::size_t& n) : count(n) { ++count; }
  ~InflightCount() { --count; }
  std::size_t& count;
};

}  // namespace

ApiHandler::ApiHandler(Registry& registry, std::shared_ptr<Clock> clock, HttpOptions options)
    : registry_(registry),
      options_(std::move(options)),
      tokens_(registry.store(), clock, options_.accountKey.empty() ? randomHex(kKeyBytes) : options_.accountKey),
      authenticator_(options_.tokens, &tokens_),
      authorizer_(registry.store()),
      discovery_(registry.catalog()),
      resources_(registry, clock),
      reviews_(registry, authenticator_, authorizer_, tokens_) {}

Task<net::Response> ApiHandler::handle(net::Request request) {
  try {
    net::Response response = co_await serve(std::move(request));
    co_return response;
  } catch (const boost::system::system_error&) {
    throw;  // the client left: cancellation goes on
  } catch (const std::exception& e) {
    logError("apiserver: {}", e.what());
    co_return errorResponse(Error{Code::Internal, fmt::format("internal error: {}", e.what()), ""});
  }
}

std::optional<net::Response> ApiHandler::health(const std::string& path) const {
  const auto is = [&](const std::string& name) { return path == name || path.compare(0, name.size() + 1, name + "/") == 0; };
  if (is("/healthz") || is("/livez")) return net::Response::text(200, "ok");
  if (is("/readyz"))
    return net::Response::text(ready_ ? 200 : 503, ready_ ? "ok" : "not ready: the server is shutting down");
  return std::nullopt;
}

Result<UserInfo> ApiHandler::impersonate(const net::Request& request, UserInfo user) const {
  const auto name = request.headers.get("Impersonate-User");
  UserInfo other;
  for (const auto& [header, value] : request.headers) {
    if (net::iequals(header, "Impersonate-Group")) other.groups.emplace_back(value);
  }
  if (!name) {
    if (other.groups.empty()) return user;
    return badRequest("Impersonate-Group without Impersonate-User");
  }
  other.name = std::string(*name);
  RequestInfo info;
  info.isResource = true;
  info.verb = "impersonate";
  info.version = "v1";
  info.resource = "users";
  info.name = other.name;
  bool accountGroups = false;  // filled in here rather than asked for by the client
  constexpr std::string_view kAccount = "system:serviceaccount:";
  if (other.name.compare(0, kAccount.size(), kAccount) == 0) {
    const auto colon = other.name.find(':', kAccount.size());
    if (colon == std::string::npos) return badRequest("Impersonate-User: not a service account name: " + other.name);
    info.resource = "serviceaccounts";
    info.ns = other.name.substr(kAccount.size(), colon - kAccount.size());
    info.name = other.name.substr(colon + 1);
    accountGroups = other.groups.empty();
    if (accountGroups) other.groups = {"system:serviceaccounts", "system:serviceaccounts:" + info.ns};
  }
  SLIP_CHECK(authorizer_.check(user, info, registry_.catalog()));
  for (const std::string& group : other.groups) {
    if (accountGroups) continue;
    RequestInfo g = info;
    g.resource = "groups";
    g.ns.clear();
    g.name = group;
    SLIP_CHECK(authorizer_.check(user, g, registry_.catalog()));
  }
  if (!other.inGroup("system:authenticated")) other.groups.emplace_back("system:authenticated");
  return other;
}

Result<UserInfo> ApiHandler::identify(const net::Request& request, const RequestInfo& info) const {
  SLIP_TRY(std::optional<UserInfo> user, authenticator_.authenticate(request));
  if (!user) return unauthorized();
  SLIP_TRY(UserInfo acting, impersonate(request, std::move(*user)));
  SLIP_CHECK(authorizer_.check(acting, info, registry_.catalog()));
  return acting;
}

Task<net::Response> ApiHandler::serve(net::Request request) {
  Call call;
  call.info = parseRequestInfo(request);
  if (auto healthy = health(call.info.path)) co_return std::move(*healthy);
  Result<UserInfo> user = identify(request, call.info);
  if (!user) co_return errorResponse(user.error());
  call.user = std::move(*user);
  call.accepted = negotiate(request.headers);
  const bool streams = call.info.verb == "watch" || call.info.subresource == "log";
  if (!streams && inflight_ >= options_.maxInflight) {
    co_return errorResponse(Error{Code::TooMany, "too many requests at once, please try again", ""});
  }
  InflightCount counted(inflight_);
  if (carriesBody(request.method)) {
    Result<std::string> body = co_await request.body.readAll(options_.maxBodyBytes);
    if (!body && body.error().code == Code::TooLarge) {
      co_return errorResponse(Error{
          Code::TooLarge, fmt::format("request body is larger than the limit of {} bytes", options_.maxBodyBytes), ""});
    }
    if (!body) co_return errorResponse(body.error());
    call.body = std::move(*body);
  }
  call.request = std::move(request);
  if (!call.info.isResource) co_return other(call);
  if (ReviewRoutes::serves(call.info)) {
    Result<net::Response> response = reviews_.handle(call);
    co_return response ? std::move(*response) : errorResponse(response.error());
  }
  const Resource* resource = registry_.resource(call.info.group, call.info.version, call.info.resource);
  net::Response response = co_await resources_.handle(std::move(call), resource);
  co_return response;
}

net::Response ApiHandler::other(const Call& call) const {
  if (call.request.method != "GET" && call.request.method != "HEAD")
    return errorResponse(methodNotAllowed(call.request.method).value());
  if (call.info.path == "/version" || call.info.path == "/version/")
    return jsonResponse(200, dumpJson(Discovery::serverVersion()));
  if (auto response = discovery(call)) return std::move(*response);
  if (auto response = openApi(call)) return std::move(*response);
  return errorResponse(noSuchPath().value());
}

}  // namespace slipway::apiserver
