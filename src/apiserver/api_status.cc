#include "apiserver/api_status.h"

namespace slipway::apiserver {
namespace {

const char* reasonOf(Code code) {
  switch (code) {
    case Code::BadRequest: return "BadRequest";
    case Code::Unauthorized: return "Unauthorized";
    case Code::Forbidden: return "Forbidden";
    case Code::NotFound: return "NotFound";
    case Code::MethodNotAllowed: return "MethodNotAllowed";
    case Code::AlreadyExists: return "AlreadyExists";
    case Code::Conflict: return "Conflict";
    case Code::Gone: return "Expired";
    case Code::TooLarge: return "RequestEntityTooLarge";
    case Code::UnsupportedMedia: return "UnsupportedMediaType";
    case Code::Invalid: return "Invalid";
    case Code::TooMany: return "TooManyRequests";
    case Code::Unavailable: return "ServiceUnavailable";
    case Code::Timeout: return "Timeout";
    default: return "InternalError";
  }
}

Json failure(Code code, const std::string& message) {
  return Json{{"kind", "Status"},   {"apiVersion", "v1"},       {"metadata", Json::object()}, {"status", "Failure"},
              {"message", message}, {"reason", reasonOf(code)}, {"code", httpStatus(code)}};
}

Failure withStatus(Code code, const std::string& message, const Json& details = nullptr) {
  Json status = failure(code, message);
  if (!details.is_null()) status["details"] = details;
  return fail(code, message, dumpJson(status));
}

Json detailsOf(const Resource& resource, const std::string& name, const std::string& kind) {
  Json details = Json::object();
  if (!name.empty()) details["name"] = name;
  if (!resource.group.empty()) details["group"] = resource.group;
  if (!kind.empty()) details["kind"] = kind;
  return details;
}

}  // namespace

Failure notFound(const Resource& r, const std::string& name) {
  return withStatus(Code::NotFound, fmt::format("{} \"{}\" not found", r.qualified(), name), detailsOf(r, name, r.plural));
}

Failure alreadyExists(const Resource& r, const std::string& name) {
  return withStatus(Code::AlreadyExists, fmt::format("{} \"{}\" already exists", r.qualified(), name),
                    detailsOf(r, name, r.plural));
}

Failure conflict(const Resource& r, const std::string& name, const std::string& why) {
  return withStatus(Code::Conflict, fmt::format("Operation cannot be fulfilled on {} \"{}\": {}", r.qualified(), name, why),
                    detailsOf(r, name, r.plural));
}

Failure modifiedConflict(const Resource& r, const std::string& name) {
  return conflict(r, name, "the object has been modified; please apply your changes to the latest version and try again");
}

Failure forbidden(const Resource& r, const std::string& name, const std::string& why) {
  const std::string subject = name.empty() ? r.qualified() : fmt::format("{} \"{}\"", r.qualified(), name);
  return withStatus(Code::Forbidden, fmt::format("{} is forbidden: {}", subject, why), detailsOf(r, name, r.plural));
}

Failure namespaceTerminating(const Resource& r, const std::string& name, const std::string& ns) {
  const std::string why = fmt::format("unable to create new content in namespace {} because it is being terminated", ns);
  const std::string subject = name.empty() ? r.qualified() : fmt::format("{} \"{}\"", r.qualified(), name);
  Json details = detailsOf(r, name, r.plural);
  details["causes"] = Json::array({{{"reason", "NamespaceTerminating"},
                                    {"message", fmt::format("namespace {} is being terminated", ns)},
                                    {"field", "metadata.namespace"}}});
  return withStatus(Code::Forbidden, fmt::format("{} is forbidden: {}", subject, why), details);
}

Failure invalid(const Resource& r, const std::string& name, const std::vector<FieldError>& causes) {
  std::string list;
  Json items = Json::array();
  for (const FieldError& c : causes) {
    list += (list.empty() ? "" : ", ") + c.field + ": " + c.message;
    items.push_back({{"reason", c.reason}, {"message", c.message}, {"field", c.field}});
  }
  if (causes.size() > 1) list = "[" + list + "]";
  const std::string kind = r.group.empty() ? r.kind : r.kind + "." + r.group;
  Json details = detailsOf(r, name, r.kind);
  details["causes"] = items;
  return withStatus(Code::Invalid, fmt::format("{} \"{}\" is invalid: {}", kind, name, list), details);
}

Failure invalidPatch(const std::string& patched, const std::string& why) {
  return invalid(Resource{}, "",
                 {{"FieldValueInvalid", "patch", fmt::format("Invalid value: {}: {}", dumpJson(Json(patched)), why)}});
}

Failure rejectedPatch(const std::string& why) { return withStatus(Code::Invalid, why, Json::object()); }
Failure badRequest(const std::string& message) { return withStatus(Code::BadRequest, message); }
Failure unauthorized() { return withStatus(Code::Unauthorized, "Unauthorized"); }

Failure noSuchPath() {
  return withStatus(Code::NotFound, "the server could not find the requested resource", Json::object());
}

Failure methodNotAllowed(const std::string& method) {
  return withStatus(Code::MethodNotAllowed, "the server does not allow this method on the requested resource",
                    Json::object());
}

Failure expired(std::uint64_t revision, std::uint64_t oldest) {
  return withStatus(Code::Gone, fmt::format("too old resource version: {} ({})", revision, oldest));
}

Failure tooLargeRevision(std::uint64_t asked, std::uint64_t current) {
  const Json causes = Json::array({{{"reason", "ResourceVersionTooLarge"}, {"message", "Too large resource version"}}});
  return withStatus(Code::Timeout, fmt::format("Timeout: Too large resource version: {}, current: {}", asked, current),
                    Json{{"retryAfterSeconds", 1}, {"causes", causes}});
}

Failure listExpired(const std::string& message, const std::string& continueToken) {
  Json status = failure(Code::Gone, message);
  if (!continueToken.empty()) status["metadata"]["continue"] = continueToken;
  return fail(Code::Gone, message, dumpJson(status));
}

Failure noSpace(const std::string& message) {
  Json status = failure(Code::Internal, message);
  status.erase("reason");
  return fail(Code::Internal, message, dumpJson(status));
}

Failure notAcceptable(const std::string& message) {
  Json status = failure(Code::BadRequest, message);
  status["code"] = 406;
  status["reason"] = "NotAcceptable";
  return fail(Code::BadRequest, message, dumpJson(status));
}

Failure unsupportedMediaType(const std::vector<std::string>& accepted) {
  std::string list;
  for (const std::string& type : accepted) list += (list.empty() ? "" : ", ") + type;
  return withStatus(Code::UnsupportedMedia,
                    "the body of the request was in an unknown format - accepted media types include: " + list);
}

Json toStatus(const Error& error) {
  if (!error.detail.empty()) {
    Json status = Json::parse(error.detail, nullptr, false);
    if (status.is_object() && textAt(status, "kind") == "Status") return status;
  }
  return failure(error.code, error.message);
}

Json deletedStatus(const Resource& r, const std::string& name, const std::string& uid) {
  Json details = detailsOf(r, name, r.plural);
  details["uid"] = uid;
  return Json{
      {"kind", "Status"}, {"apiVersion", "v1"}, {"metadata", Json::object()}, {"status", "Success"}, {"details", details}};
}

}  // namespace slipway::apiserver
