#include "apiserver/http/api_handler.h"

#include <boost/system/system_error.hpp>

#include "apiserver/api_status.h"
#include "apiserver/http/impersonation.h"
#include "base/log.h"

namespace slipway::apiserver {
namespace {

constexpr const char* kBackupPath = "/slipway/backup";

bool carriesBody(const std::string& method) {
  return method == "POST" || method == "PUT" || method == "PATCH" || method == "DELETE";
}

}  // namespace

ApiHandler::ApiHandler(Registry& registry, std::shared_ptr<Clock> clock, HttpOptions options)
    : registry_(registry),
      options_(std::move(options)),
      tokens_(registry.store(), clock),
      authenticator_(options_.tokens, &tokens_),
      authorizer_(registry.hub()),
      discovery_(registry.catalog()),
      resources_(registry, clock),
      reviews_(authenticator_, authorizer_, tokens_),
      inflight_(options_.maxInflight, options_.maxInflightPerUser, options_.systemReserve),
      watches_(options_.maxWatches, options_.maxWatchesPerUser, 0, kWatchTexts),
      clock_(std::move(clock)),
      metrics_(registry) {}

void ApiHandler::setPodStreams(kube::PodStreams* streams) {
  resources_.setPodStreams(streams);
  metrics_.setPodStreams(streams);
  discovery_.setMetrics(streams != nullptr);
}

Status ApiHandler::open() {
  if (options_.audit.path.empty()) return {};
  SLIP_TRY(audit_, AuditLog::open(options_.audit, clock_));
  return {};
}

Task<net::Response> ApiHandler::handle(net::Request request) {
  if (!audit_) {
    AuditRecord unused;
    net::Response response = co_await guarded(std::move(request), unused);
    co_return response;
  }
  AuditRecord record = audit_->begin(request);
  net::Response response = co_await guarded(std::move(request), record);
  response.headers.set("Audit-Id", record.id);
  audit_->write(record, response);
  co_return response;
}

Task<net::Response> ApiHandler::guarded(net::Request request, AuditRecord& record) {
  try {
    net::Response response = co_await serve(std::move(request), record);
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
  if (is("/readyz")) return net::Response::text(ready_ ? 200 : 503, ready_ ? "ok" : "not ready: " + notReady_);
  return std::nullopt;
}

Result<UserInfo> ApiHandler::identify(const net::Request& request, const RequestInfo& info, AuditRecord& record) const {
  SLIP_TRY(std::optional<UserInfo> user, authenticator_.authenticate(request));
  if (!user) return unauthorized();
  record.user = *user;
  SLIP_TRY(UserInfo acting, impersonate(request, *user, authorizer_, registry_.catalog()));
  if (request.headers.has("Impersonate-User")) record.acting = acting;
  auto decision = authorizer_.decideOrRefuse(acting, info, registry_.catalog());
  record.decision = decision ? *decision : rbac::Decision{};
  if (!decision) return fail(decision.error());
  if (StreamRoutes::serves(info) && info.verb == "get") {
    // A WebSocket begins with GET, which alone must not let readers run programs.
    RequestInfo create = info;
    create.verb = "create";
    auto may = authorizer_.decideOrRefuse(acting, create, registry_.catalog());
    if (!may) {
      record.decision = rbac::Decision{};
      return fail(may.error());
    }
  }
  return acting;
}

Task<net::Response> ApiHandler::serve(net::Request request, AuditRecord& record) {
  Call call;
  call.info = parseRequestInfo(request);
  record.info = call.info;
  if (auto healthy = health(call.info.path)) co_return std::move(*healthy);
  Result<UserInfo> user = identify(request, call.info, record);
  if (!user) co_return errorResponse(user.error());
  call.user = std::move(*user);
  call.accepted = negotiate(request.headers);
  Inflight::Place place;
  if (call.info.verb == "watch") {
    auto entered = watches_.enter(call.user);
    if (!entered) co_return errorResponse(entered.error());
    call.place = std::move(*entered);
  } else if (call.info.subresource != "log") {
    auto entered = inflight_.enter(call.user);
    if (!entered) co_return errorResponse(entered.error());
    place = std::move(*entered);
  }
  if (carriesBody(request.method)) {
    Result<std::string> body = co_await request.body.readAll(options_.maxBodyBytes);
    if (!body && body.error().code == Code::TooLarge) {
      co_return errorResponse(Error{
          Code::TooLarge,
          fmt::format("Request entity too large: limit is {} bytes (--max-request-bytes)", options_.maxBodyBytes), ""});
    }
    if (!body) co_return errorResponse(body.error());
    call.body = std::move(*body);
    if (audit_ && audit_->wantsBody(record)) {
      record.bodyType = std::string(request.headers.getOr("Content-Type", ""));
      record.body = call.body;
    }
  }
  call.request = std::move(request);
  net::Response response = co_await dispatch(std::move(call));
  co_return response;
}

Task<net::Response> ApiHandler::dispatch(Call call) {
  if (call.info.path == kBackupPath) {
    Result<net::Response> response = co_await backup(call);
    co_return response ? std::move(*response) : errorResponse(response.error());
  }
  if (!call.info.isResource) co_return other(call);
  if (ReviewRoutes::serves(call.info)) {
    Result<net::Response> response = reviews_.handle(call);
    co_return response ? std::move(*response) : errorResponse(response.error());
  }
  if (metrics_.serves(call.info)) {
    Result<net::Response> response = metrics_.handle(call);
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
    return jsonResponse(200, Discovery::serverVersion().dump(2));
  if (auto response = discovery(call)) return std::move(*response);
  if (auto response = openApi(call)) return std::move(*response);
  if (auto response = issuer(call)) return std::move(*response);
  return errorResponse(noSuchPath().value());
}

}  // namespace slipway::apiserver
