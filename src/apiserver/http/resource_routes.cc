#include "apiserver/http/resource_routes.h"

#include <deque>

#include "apiserver/api_status.h"
#include "apiserver/http/discovery.h"
#include "apiserver/http/protobuf.h"
#include "apiserver/http/tables.h"
#include "apiserver/http/watch_stream.h"
#include "apiserver/list_rules.h"
#include "data/json_text.h"

namespace slipway::apiserver {
namespace {

using Form = Accepted::Form;

Failure onlyJson() { return notAcceptable("only the following media types are accepted: application/json"); }

bool asProtobuf(const Call& call, const Resource& resource) {
  return call.accepted.protobuf && protobufKnows(resource.apiVersion(), resource.kind);
}

bool servesNone(const Call& call, const Resource& resource) {
  const bool none = call.accepted.form == Form::None || call.accepted.form == Form::Discovery;
  return none && !asProtobuf(call, resource);
}

Result<std::size_t> limitOf(const net::Request& request) {
  const auto text = request.queryValue("limit");
  if (!text || text->empty()) return 0;
  char* end = nullptr;
  const long long value = std::strtoll(text->c_str(), &end, 10);
  if (*end != '\0') return badRequest(fmt::format("limit: \"{}\" is not a number", *text));
  return value < 0 ? 0 : static_cast<std::size_t>(value);
}

bool knowsSubresource(const Resource& r, const std::string& name) {
  if (name.empty()) return true;
  const auto all = subresourcesOf(r);
  return std::any_of(all.begin(), all.end(), [&](const Subresource& s) { return s.name == name; });
}

}  // namespace

Task<net::Response> ResourceRoutes::handle(Call call, const Resource* resource) {
  if (!resource) co_return errorResponse(noSuchPath().value());
  if (!knowsSubresource(*resource, call.info.subresource)) {
    co_return errorResponse((resource->custom ? notFound(*resource, call.info.name) : noSuchPath()).value());
  }
  const bool needsNamespace =
      resource->namespaced && call.info.ns.empty() && (!call.info.name.empty() || call.info.verb == "create");
  if (needsNamespace || (!resource->namespaced && !call.info.ns.empty() && call.info.resource != "namespaces")) {
    co_return errorResponse(noSuchPath().value());
  }
  if (!resource->namespaced) call.info.ns.clear();
  const bool needsName = call.info.verb == "update" || call.info.verb == "patch";
  if (needsName && call.info.name.empty()) co_return errorResponse(methodNotAllowed(call.request.method).value());
  Result<net::Response> response = co_await route(call, *resource);
  if (!response) co_return errorResponse(response.error());
  co_return std::move(*response);
}

Task<Result<net::Response>> ResourceRoutes::route(Call& call, const Resource& resource) {
  const std::string& verb = call.info.verb;
  const std::string& sub = call.info.subresource;
  if (sub == "log") return podLog(call, resource);
  if (StreamRoutes::serves(call.info)) return connect(call, resource);
  if (verb == "create" && sub == "eviction") return evict(call, resource);
  if (verb == "create" && sub == "binding") return bind(call, resource);
  if (verb == "create" && call.info.name.empty()) return create(call, resource);
  if (verb == "update") return update(call, resource);
  if (verb == "patch") return patch(call, resource);
  if (verb == "delete" && sub.empty()) return remove(call, resource);
  if (verb == "deletecollection") return removeCollection(call, resource);
  return read(call, resource);
}

Task<Result<net::Response>> ResourceRoutes::connect(Call& call, const Resource& resource) {
  co_return podStreams_.handle(call, resource);
}

Task<Result<net::Response>> ResourceRoutes::read(Call& call, const Resource& resource) {
  const std::string& verb = call.info.verb;
  if (verb == "get") co_return get(call, resource);
  if (verb == "list") {
    if (servesNone(call, resource)) co_return onlyJson();
    SLIP_CO_TRY(ListQuery query, listQuery(call));
    Result<ListPage> page = co_await registry_.page(resource, query);
    if (!page) co_return fail(page.error());
    // How many are left is told only where it is known without looking at them, as on a cluster.
    if (!query.labelSelector.empty() || !query.fieldSelector.empty()) page->remaining = 0;
    co_return listResponse(call, resource, std::move(*page));
  }
  if (verb == "watch") co_return watch(call, resource);
  co_return methodNotAllowed(call.request.method);
}

Result<net::Response> ResourceRoutes::objectResponse(int status, const Call& call, const Resource& resource,
                                                     const Entry& entry) const {
  if (servesNone(call, resource)) return onlyJson();
  std::string text = Registry::textFor(resource, entry);
  if (asProtobuf(call, resource)) {
    auto encoded = protobufResponse(status, parseOwnJson(text));
    if (encoded || call.accepted.form == Form::None) return encoded;
  }
  if (call.accepted.form == Form::Object) return jsonResponse(status, std::move(text));
  const Json object = parseOwnJson(text);
  if (call.accepted.form == Form::Metadata) return jsonResponse(status, dumpJson(metadataOf(object, call.accepted.version)));
  const TableRequest request{&resource, call.accepted.version, call.request.queryValue("includeObject").value_or(""),
                             clock_->wall()};
  return jsonResponse(status,
                      dumpJson(tableOf(request, {object}, Json{{"resourceVersion", std::to_string(entry.revision)}})));
}

Result<net::Response> ResourceRoutes::get(const Call& call, const Resource& resource) const {
  if (call.info.subresource == "scale") {
    SLIP_TRY(const Json scale, registry_.scale(resource, call.info.ns, call.info.name));
    if (call.accepted.form != Form::Table) return jsonResponse(200, dumpJson(scale));
    Resource form;
    form.group = "autoscaling";
    form.version = "v1";
    form.kind = "Scale";
    const TableRequest request{&form, call.accepted.version, call.request.queryValue("includeObject").value_or(""),
                               clock_->wall()};
    return jsonResponse(
        200, dumpJson(tableOf(request, {scale}, Json{{"resourceVersion", at(scale, "metadata", "resourceVersion")}})));
  }
  if (!call.info.subresource.empty() && call.info.subresource != "status") return methodNotAllowed("GET");
  SLIP_CHECK(registry_.checkReached(call.request.queryValue("resourceVersion").value_or("")));
  SLIP_TRY(const EntryPtr entry, registry_.get(resource, call.info.ns, call.info.name));
  return objectResponse(200, call, resource, *entry);
}

Result<ListQuery> ResourceRoutes::listQuery(const Call& call) const {
  const net::Request& r = call.request;
  ListQuery query;
  query.ns = call.info.ns;
  query.labelSelector = r.queryValue("labelSelector").value_or("");
  query.fieldSelector = r.queryValue("fieldSelector").value_or("");
  query.continueToken = r.queryValue("continue").value_or("");
  query.resourceVersion = r.queryValue("resourceVersion").value_or("");
  query.resourceVersionMatch = r.queryValue("resourceVersionMatch").value_or("");
  SLIP_TRY(query.limit, limitOf(r));
  return query;
}

Result<net::Response> ResourceRoutes::listResponse(const Call& call, const Resource& resource, ListPage list) const {
  const ListPage* page = &list;
  Json meta{{"resourceVersion", std::to_string(page->revision)}};
  if (!page->continueToken.empty()) {
    meta["continue"] = page->continueToken;
    if (page->remaining != 0) meta["remainingItemCount"] = page->remaining;
  }
  if (asProtobuf(call, resource)) {
    Json all{{"apiVersion", resource.apiVersion()}, {"kind", resource.kind + "List"}, {"metadata", meta}};
    all["items"] = Json::array();
    for (const EntryPtr& e : page->entries) all["items"].push_back(parseOwnJson(Registry::textFor(resource, *e)));
    auto encoded = protobufResponse(200, all);
    if (encoded || call.accepted.form == Form::None) return encoded;
  }
  if (call.accepted.form == Form::Table) {
    std::vector<std::string_view> objects;
    std::deque<std::string> converted;
    objects.reserve(page->entries.size());
    for (const EntryPtr& e : page->entries) {
      const bool stored = Registry::storedAs(resource, *e);
      objects.push_back(stored ? e->text : converted.emplace_back(Registry::textFor(resource, *e)));
    }
    const TableRequest request{&resource, call.accepted.version, call.request.queryValue("includeObject").value_or(""),
                               clock_->wall()};
    return jsonResponse(200, tableText(request, objects, meta));
  }
  const bool partial = call.accepted.form == Form::Metadata;
  std::string body =
      "{\"apiVersion\":\"" + (partial ? "meta.k8s.io/" + call.accepted.version : resource.apiVersion()) + "\",\"items\":[";
  for (std::size_t i = 0; i < page->entries.size(); ++i) {
    if (i > 0) body += ',';
    const Entry& entry = *page->entries[i];
    if (!partial && Registry::storedAs(resource, entry)) {
      body += entry.text;
      continue;
    }
    const std::string text = Registry::textFor(resource, entry);
    body += partial ? dumpJson(metadataOf(parseOwnJson(text), call.accepted.version)) : text;
  }
  body += "],\"kind\":\"" + (partial ? std::string("PartialObjectMetadata") : resource.kind) +
          "List\",\"metadata\":" + dumpJson(meta) + "}";
  return jsonResponse(200, std::move(body));
}

Result<net::Response> ResourceRoutes::watch(const Call& call, const Resource& resource) {
  if (servesNone(call, resource)) return onlyJson();
  const net::Request& r = call.request;
  WatchQuery query;
  query.ns = call.info.ns;
  query.labelSelector = r.queryValue("labelSelector").value_or("");
  query.fieldSelector = r.queryValue("fieldSelector").value_or("");
  if (!call.info.name.empty())
    query.fieldSelector += (query.fieldSelector.empty() ? "" : ",") + ("metadata.name=" + call.info.name);
  query.resourceVersion = r.queryValue("resourceVersion").value_or("");
  query.bookmarks = queryFlag(r, "allowWatchBookmarks");
  query.sendInitialEvents = queryFlag(r, "sendInitialEvents");
  const bool initialAsked = r.queryValue("sendInitialEvents").has_value();
  query.onlyChanges = initialAsked && !query.sendInitialEvents;
  SLIP_CHECK(checkWatchOptions(r.queryValue("resourceVersionMatch").value_or(""), initialAsked));
  SLIP_TRY(WatchStart start, registry_.watchStart(resource, query));
  WatchStreamOptions options;
  options.resource = &resource;
  options.place = call.place;
  options.accepted = call.accepted;
  options.includeObject = r.queryValue("includeObject").value_or("");
  options.query = std::move(query);
  options.clock = clock_;
  if (const auto seconds = r.queryValue("timeoutSeconds"); seconds && std::atoll(seconds->c_str()) > 0) {
    options.timeout = std::chrono::seconds(std::atoll(seconds->c_str()));
  }
  options.accepted.protobuf = asProtobuf(call, resource);
  net::Response response = jsonResponse(200, "");
  if (options.accepted.protobuf) response.headers.set("Content-Type", std::string(kProtobufType) + ";stream=watch");
  response.body = net::Body(makeWatchStream(registry_, feeds_, std::move(start), std::move(options)));
  return response;
}

}  // namespace slipway::apiserver
