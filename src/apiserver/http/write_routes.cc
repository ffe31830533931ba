// The writing half of ResourceRoutes.
#include "apiserver/api_status.h"
#include "apiserver/http/resource_routes.h"

namespace slipway::apiserver {
namespace {

constexpr std::size_t kMaxFieldManager = 128;

// Without fieldManager in the query, a manager is named by its program: the User-Agent up to the first slash.
std::string managerOf(const net::Request& request) {
  if (const auto named = request.queryValue("fieldManager"); named && !named->empty()) return *named;
  const std::string agent(request.headers.getOr("User-Agent", "unknown"));
  const std::string name = agent.substr(0, agent.find('/')).substr(0, kMaxFieldManager);
  return name.empty() ? "unknown" : name;
}

Result<kube::PatchType> patchTypeOf(const net::Request& request, const Resource& resource) {
  const auto types = parseMediaTypes(request.headers.getOr("Content-Type", ""));
  const std::string type = types.empty() ? "" : types.front().type;
  if (type == "application/json-patch+json") return kube::PatchType::Json;
  if (type == "application/merge-patch+json") return kube::PatchType::Merge;
  if (type == "application/apply-patch+yaml") return kube::PatchType::Apply;
  if (type == "application/strategic-merge-patch+json" && !resource.custom) return kube::PatchType::Strategic;
  std::vector<std::string> accepted = {"application/json-patch+json", "application/merge-patch+json",
                                       "application/apply-patch+yaml"};
  if (!resource.custom) accepted.insert(accepted.begin() + 2, "application/strategic-merge-patch+json");
  return unsupportedMediaType(accepted);
}

Failure invalidOptions(const std::string& kind, const std::string& field, const std::string& reason,
                       const std::string& message) {
  Resource r;
  r.group = "meta.k8s.io";
  r.kind = kind;
  return invalid(r, "", {{reason, field, message}});
}

DeleteRequest deleteRequest(const Json& options, const net::Request& request) {
  DeleteRequest d;
  if (at(options, "gracePeriodSeconds").is_number_integer()) d.gracePeriodSeconds = intAt(options, "gracePeriodSeconds");
  d.propagationPolicy = textAt(options, "propagationPolicy");
  if (d.propagationPolicy.empty() && at(options, "orphanDependents").is_boolean()) {
    d.propagationPolicy = boolAt(options, "orphanDependents") ? "Orphan" : "Background";
  }
  d.uid = textAt(at(options, "preconditions"), "uid");
  d.resourceVersion = textAt(at(options, "preconditions"), "resourceVersion");
  if (const auto grace = request.queryValue("gracePeriodSeconds"); grace && !grace->empty())
    d.gracePeriodSeconds = std::atoll(grace->c_str());
  if (const auto policy = request.queryValue("propagationPolicy"); policy && !policy->empty()) d.propagationPolicy = *policy;
  return d;
}

}  // namespace

Result<WriteContext> ResourceRoutes::writeContext(const Call& call, const Resource& resource) const {
  WriteContext c;
  c.resource = &resource;
  c.ns = call.info.ns;
  c.name = call.info.name;
  c.subresource = call.info.subresource;
  c.user = call.user;
  c.fieldManager = managerOf(call.request);
  if (c.fieldManager.size() > kMaxFieldManager) {
    return invalidOptions("PatchOptions", "fieldManager", "FieldValueTooLong", "Too long: may not be more than 128 bytes");
  }
  c.force = queryFlag(call.request, "force");
  if (const auto dry = call.request.queryValue("dryRun"); dry && !dry->empty()) {
    if (*dry != "All") {
      return invalidOptions("PatchOptions", "dryRun", "FieldValueNotSupported",
                            fmt::format("Unsupported value: \"{}\": supported values: \"All\"", *dry));
    }
    c.dryRun = true;
  }
  const std::string validation = call.request.queryValue("fieldValidation").value_or("");
  if (validation == "Strict")
    c.validation = FieldValidation::Strict;
  else if (validation == "Ignore")
    c.validation = FieldValidation::Ignore;
  else if (!validation.empty() && validation != "Warn") {
    return invalidOptions(
        "CreateOptions", "fieldValidation", "FieldValueNotSupported",
        fmt::format("Unsupported value: \"{}\": supported values: \"Ignore\", \"Strict\", \"Warn\"", validation));
  }
  return c;
}

Result<net::Response> ResourceRoutes::writtenResponse(const Call& call, const Resource& resource,
                                                      const Result<Written>& written) const {
  if (!written) return fail(written.error());
  Resource scale;
  scale.group = "autoscaling";
  scale.version = "v1";
  const Resource& form = call.info.subresource == "scale" ? scale : resource;
  SLIP_TRY(net::Response response, objectResponse(written->created ? 201 : 200, call, form, *written->entry));
  addWarnings(response, written->warnings);
  return response;
}

Task<Result<net::Response>> ResourceRoutes::create(Call& call, const Resource& resource) {
  SLIP_CO_TRY(WriteContext context, writeContext(call, resource));
  SLIP_CO_TRY(ParsedBody body, parseBody(call.request.headers.getOr("Content-Type", ""), call.body));
  context.duplicateFields = std::move(body.duplicates);
  Result<Written> written = co_await registry_.create(std::move(context), std::move(body.object));
  co_return writtenResponse(call, resource, written);
}

Task<Result<net::Response>> ResourceRoutes::update(Call& call, const Resource& resource) {
  SLIP_CO_TRY(WriteContext context, writeContext(call, resource));
  SLIP_CO_TRY(ParsedBody body, parseBody(call.request.headers.getOr("Content-Type", ""), call.body));
  context.duplicateFields = std::move(body.duplicates);
  Result<Written> written = co_await registry_.update(std::move(context), std::move(body.object));
  co_return writtenResponse(call, resource, written);
}

Task<Result<net::Response>> ResourceRoutes::patch(Call& call, const Resource& resource) {
  SLIP_CO_TRY(const kube::PatchType type, patchTypeOf(call.request, resource));
  SLIP_CO_TRY(WriteContext context, writeContext(call, resource));
  const bool apply = type == kube::PatchType::Apply;
  if (apply && call.request.queryValue("fieldManager").value_or("").empty()) {
    co_return invalidOptions("PatchOptions", "fieldManager", "FieldValueRequired",
                             "Required value: is required for apply patch");
  }
  if (!apply && call.request.queryValue("force")) {
    co_return invalidOptions("PatchOptions", "force", "FieldValueForbidden",
                             "Forbidden: may not be specified for non-apply patch");
  }
  Json patch;
  if (apply) {
    SLIP_CO_TRY(patch, parseYamlOrJson(call.body));
  } else {
    SLIP_CO_TRY(ParsedBody body, parseBody("application/json", call.body));
    patch = std::move(body.object);
    if (patch.is_null()) co_return badRequest("unexpected end of JSON input");
  }
  Result<Written> written = co_await registry_.patch(std::move(context), type, std::move(patch));
  co_return writtenResponse(call, resource, written);
}

Task<Result<net::Response>> ResourceRoutes::remove(Call& call, const Resource& resource) {
  SLIP_CO_TRY(WriteContext context, writeContext(call, resource));
  SLIP_CO_TRY(ParsedBody body, parseBody(call.request.headers.getOr("Content-Type", ""), call.body));
  if (at(body.object, "dryRun") == Json::array({"All"})) context.dryRun = true;
  DeleteRequest request = deleteRequest(body.object, call.request);
  static const std::set<std::string> kPolicies = {"", "Background", "Foreground", "Orphan"};
  if (!kPolicies.count(request.propagationPolicy)) {
    co_return invalidOptions(
        "DeleteOptions", "propagationPolicy", "FieldValueNotSupported",
        fmt::format("Unsupported value: \"{}\": supported values: \"Background\", \"Foreground\", \"Orphan\"",
                    request.propagationPolicy));
  }
  Result<Written> written = co_await registry_.remove(std::move(context), std::move(request));
  if (!written) co_return fail(written.error());
  if (!written->removed) co_return objectResponse(200, call, resource, *written->entry);
  co_return jsonResponse(200, dumpJson(deletedStatus(resource, call.info.name, written->entry->uid)));
}

Task<Result<net::Response>> ResourceRoutes::removeCollection(Call& call, const Resource& resource) {
  SLIP_CO_TRY(WriteContext context, writeContext(call, resource));
  SLIP_CO_TRY(ParsedBody body, parseBody(call.request.headers.getOr("Content-Type", ""), call.body));
  if (at(body.object, "dryRun") == Json::array({"All"})) context.dryRun = true;
  // As upstream, what is deleted is what a list with these parameters shows, `limit` and `continue` included, and that list
  // is the answer. Upstream lists in pages to spare memory; ours are references to objects in memory anyway.
  SLIP_CO_TRY(ListQuery query, listQuery(call));
  const bool selects = !query.labelSelector.empty() || !query.fieldSelector.empty();
  Result<ListPage> page = co_await registry_.page(resource, std::move(query));
  if (!page) co_return fail(page.error());
  if (selects) page->remaining = 0;
  const DeleteRequest request = deleteRequest(body.object, call.request);
  const bool conditional = !request.uid.empty() || !request.resourceVersion.empty();
  for (const EntryPtr& entry : page->entries) {
    WriteContext one = context;
    one.ns = entry->ns;
    one.name = entry->name;
    DeleteRequest mine = request;
    if (mine.uid.empty()) mine.uid = entry->uid;  // not its successor of the same name
    Result<Written> written = co_await registry_.remove(std::move(one), std::move(mine));
    const bool gone =
        !written && (written.error().code == Code::NotFound || (written.error().code == Code::Conflict && !conditional));
    if (!written && !gone) co_return fail(written.error());
  }
  co_return listResponse(call, resource, std::move(*page));
}

}  // namespace slipway::apiserver
