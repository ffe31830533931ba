// The subresources of pods in ResourceRoutes: log, eviction, binding.
#include "apiserver/api_status.h"
#include "apiserver/http/resource_routes.h"

namespace slipway::apiserver {
namespace {

Failure invalidLogOption(const std::string& field, const std::string& message, const char* reason = "FieldValueInvalid") {
  Resource options;
  options.kind = "PodLogOptions";
  return invalid(options, "", {{reason, field, message}});
}

Result<std::optional<std::int64_t>> numberParameter(const net::Request& request, const char* name, std::int64_t least) {
  const auto text = request.queryValue(name);
  if (!text || text->empty()) return std::optional<std::int64_t>();
  char* end = nullptr;
  const long long value = std::strtoll(text->c_str(), &end, 10);
  if (*end != '\0') return badRequest(fmt::format("{}: \"{}\" is not a number", name, *text));
  if (value < least) {
    return invalidLogOption(name, fmt::format("Invalid value: {}: {}", *text,
                                              least == 0 ? "must be greater than or equal to 0" : "must be greater than 0"));
  }
  return std::optional<std::int64_t>(value);
}

Result<kube::LogOptions> logOptions(const net::Request& r) {
  kube::LogOptions options;
  options.follow = queryFlag(r, "follow");
  options.previous = queryFlag(r, "previous");
  options.timestamps = queryFlag(r, "timestamps");
  SLIP_TRY(options.tailLines, numberParameter(r, "tailLines", 0));
  SLIP_TRY(options.sinceSeconds, numberParameter(r, "sinceSeconds", 1));
  SLIP_TRY(options.limitBytes, numberParameter(r, "limitBytes", 1));
  options.sinceTime = r.queryValue("sinceTime").value_or("");
  WallTime time;
  if (!options.sinceTime.empty() && !parseRfc3339(options.sinceTime, &time))
    return badRequest(fmt::format("sinceTime: \"{}\" is not a time like 2026-01-31T12:00:00Z", options.sinceTime));
  if (!options.sinceTime.empty() && options.sinceSeconds)
    return invalidLogOption("", "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified",
                            "FieldValueForbidden");
  options.stream = r.queryValue("stream").value_or("");
  if (!options.stream.empty() && options.stream != "All" && options.stream != "Stdout" && options.stream != "Stderr")
    return invalidLogOption(
        "stream",
        fmt::format("Unsupported value: \"{}\": supported values: \"All\", \"Stderr\", \"Stdout\"", options.stream),
        "FieldValueNotSupported");
  if (options.tailLines && (options.stream == "Stdout" || options.stream == "Stderr"))
    return invalidLogOption("", "Forbidden: `tailLines` and specific `stream` are mutually exclusive for now",
                            "FieldValueForbidden");
  return options;
}

}  // namespace

Result<std::string> chooseContainer(const Json& pod, const std::string& asked) {
  std::string names;
  std::size_t count = 0;
  std::string first;
  for (const char* list : {"containers", "initContainers", "ephemeralContainers"}) {
    const Json& containers = at(pod, "spec", list);
    if (!containers.is_array()) continue;
    for (const Json& c : containers) {
      const std::string name = textAt(c, "name");
      if (name == asked) return asked;
      if (list != std::string_view("containers")) continue;
      if (count++ == 0) first = name;
      names += (names.empty() ? "" : " ") + name;
    }
  }
  const std::string podName = textAt(at(pod, "metadata"), "name");
  if (!asked.empty()) return badRequest(fmt::format("container {} is not valid for pod {}", asked, podName));
  if (count == 1) return first;
  const std::string preferred = textAt(at(pod, "metadata", "annotations"), "kubectl.kubernetes.io/default-container");
  if (!preferred.empty()) return preferred;
  return badRequest(fmt::format("a container name must be specified for pod {}, choose one of: [{}]", podName, names));
}

Task<Result<net::Response>> ResourceRoutes::podLog(Call& call, const Resource& resource) {
  if (call.info.verb != "get") co_return methodNotAllowed(call.request.method);
  SLIP_CO_TRY(const EntryPtr entry, registry_.get(resource, call.info.ns, call.info.name));
  Json pod = entry->json();
  const net::Request& r = call.request;
  SLIP_CO_TRY(kube::LogOptions options, logOptions(r));
  SLIP_CO_TRY(options.container, chooseContainer(pod, r.queryValue("container").value_or("")));
  if (textAt(at(pod, "spec"), "nodeName").empty()) co_return net::Response::text(200, "");
  if (!streams_) co_return fail(Code::Unavailable, "no node runs pods here: the server was started without a node agent");
  Result<net::Body> body = co_await streams_->logs(std::move(pod), std::move(options));
  if (!body) co_return fail(body.error());
  net::Response response;
  response.headers.set("Content-Type", "text/plain");
  response.body = std::move(*body);
  co_return response;
}

Task<Result<net::Response>> ResourceRoutes::evict(Call& call, const Resource& resource) {
  SLIP_CO_TRY(WriteContext context, writeContext(call, resource));
  SLIP_CO_TRY(const ParsedBody body, parseBody(call.request.headers.getOr("Content-Type", ""), call.body));
  context.subresource.clear();
  const Json& options = at(body.object, "deleteOptions");
  DeleteRequest request;
  if (at(options, "gracePeriodSeconds").is_number_integer())
    request.gracePeriodSeconds = intAt(options, "gracePeriodSeconds");
  if (at(options, "dryRun") == Json::array({"All"})) context.dryRun = true;
  Result<Written> written = co_await registry_.remove(std::move(context), std::move(request));
  if (!written) co_return fail(written.error());
  co_return jsonResponse(
      201, dumpJson(Json{{"kind", "Status"}, {"apiVersion", "v1"}, {"metadata", Json::object()}, {"status", "Success"}}));
}

Task<Result<net::Response>> ResourceRoutes::bind(Call& call, const Resource& resource) {
  SLIP_CO_TRY(WriteContext context, writeContext(call, resource));
  SLIP_CO_TRY(const ParsedBody body, parseBody(call.request.headers.getOr("Content-Type", ""), call.body));
  const std::string node = textAt(at(body.object, "target"), "name");
  if (node.empty()) co_return badRequest("target.name: the node to bind the pod to is required");
  SLIP_CO_TRY(const EntryPtr entry, registry_.get(resource, call.info.ns, call.info.name));
  const Json pod = entry->json();
  const std::string present = textAt(at(pod, "spec"), "nodeName");
  if (!present.empty())
    co_return conflict(resource, call.info.name,
                       fmt::format("pod {} is already assigned to node \"{}\"", call.info.name, present));
  context.subresource.clear();
  Json patch{{"metadata", {{"resourceVersion", std::to_string(entry->revision)}}}, {"spec", {{"nodeName", node}}}};
  Result<Written> written = co_await registry_.patch(std::move(context), kube::PatchType::Merge, std::move(patch));
  if (!written) co_return fail(written.error());
  co_return jsonResponse(
      201, dumpJson(Json{{"kind", "Status"}, {"apiVersion", "v1"}, {"metadata", Json::object()}, {"status", "Success"}}));
}

}  // namespace slipway::apiserver
