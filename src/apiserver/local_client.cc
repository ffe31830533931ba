#include "apiserver/local_client.h"

#include "apiserver/api_status.h"
#include "objects/schema/convert.h"

namespace slipway::apiserver {
namespace {

Json objectOf(const Resource& resource, const Entry& entry) {
  Json object = entry.json();
  const bool other = textAt(object, "kind") == resource.kind && textAt(object, "apiVersion") != resource.apiVersion();
  return other ? convertObject(std::move(object), resource.apiVersion()) : object;
}

class LocalWatch final : public kube::Watch {
 public:
  LocalWatch(const Resource& resource, std::unique_ptr<ObjectWatch> watch) : resource_(resource), watch_(std::move(watch)) {}

  Task<Result<kube::WatchEvent>> next() override {
    while (pending_.empty()) {
      Result<std::vector<WatchItem>> items = co_await watch_->next();
      if (!items) co_return fail(items.error());
      if (items->empty()) co_return fail(Code::Unavailable, "the API server is shutting down");
      for (WatchItem& item : *items) pending_.push_back(std::move(item));
    }
    WatchItem item = std::move(pending_.front());
    pending_.pop_front();
    if (!item.entry) {
      co_return kube::WatchEvent{item.type, Json{{"kind", resource_.kind},
                                                 {"apiVersion", resource_.apiVersion()},
                                                 {"metadata", {{"resourceVersion", std::to_string(item.revision)}}}}};
    }
    Json object = objectOf(resource_, *item.entry);
    object["metadata"]["resourceVersion"] = std::to_string(item.revision);
    co_return kube::WatchEvent{item.type, std::move(object)};
  }

 private:
  const Resource& resource_;
  std::unique_ptr<ObjectWatch> watch_;
  std::deque<WatchItem> pending_;
};

}  // namespace

Result<const Resource*> LocalClient::resourceOf(const Kind& kind) const {
  const Resource* resource = registry_.resource(kind.group, kind.version, kind.plural);
  if (!resource) return fail(Code::NotFound, fmt::format("the API serves no {} in {}", kind.plural, kind.apiVersion()));
  return resource;
}

WriteContext LocalClient::context(const Resource& resource, const kube::Key& key, const kube::WriteOptions& options) const {
  WriteContext c;
  c.resource = &resource;
  c.ns = resource.namespaced ? key.ns : "";
  c.name = key.name;
  c.subresource = options.subresource;
  c.user = user_;
  c.fieldManager = options.fieldManager;
  c.dryRun = options.dryRun;
  c.force = options.force;
  return c;
}

Task<Result<Json>> LocalClient::get(Kind kind, kube::Key key) {
  SLIP_CO_TRY(const Resource* resource, resourceOf(kind));
  SLIP_CO_TRY(EntryPtr entry, registry_.get(*resource, resource->namespaced ? key.ns : "", key.name));
  co_return objectOf(*resource, *entry);
}

Task<Result<kube::List>> LocalClient::list(Kind kind, kube::ListOptions options) {
  SLIP_CO_TRY(const Resource* resource, resourceOf(kind));
  SLIP_CO_TRY(ListPage page, registry_.list(*resource, {options.ns, options.labelSelector, options.fieldSelector}));
  kube::List list;
  list.resourceVersion = std::to_string(page.revision);
  list.items.reserve(page.entries.size());
  for (const EntryPtr& entry : page.entries) list.items.push_back(objectOf(*resource, *entry));
  co_return list;
}

Task<Result<std::unique_ptr<kube::Watch>>> LocalClient::watch(Kind kind, kube::ListOptions options,
                                                              std::string resourceVersion) {
  SLIP_CO_TRY(const Resource* resource, resourceOf(kind));
  const WatchQuery query{options.ns, options.labelSelector, options.fieldSelector, std::move(resourceVersion)};
  SLIP_CO_TRY(auto watch, registry_.watch(*resource, query));
  co_return std::make_unique<LocalWatch>(*resource, std::move(watch));
}

namespace {
Result<Json> resultOf(const Resource& resource, const Result<Written>& written) {
  if (!written) return fail(written.error());
  return objectOf(resource, *written->entry);
}
}  // namespace

Task<Result<Json>> LocalClient::create(Kind kind, Json object, kube::WriteOptions options) {
  SLIP_CO_TRY(const Resource* resource, resourceOf(kind));
  kube::Key key = kube::keyOf(object);
  if (options.subresource == "token" && resource->plural == "serviceaccounts") {
    co_return registry_.requestToken(key.ns, key.name, object);
  }
  Result<Written> written = co_await registry_.create(context(*resource, key, options), std::move(object));
  co_return resultOf(*resource, written);
}

Task<Result<Json>> LocalClient::update(Kind kind, Json object, kube::WriteOptions options) {
  SLIP_CO_TRY(const Resource* resource, resourceOf(kind));
  kube::Key key = kube::keyOf(object);
  Result<Written> written = co_await registry_.update(context(*resource, key, options), std::move(object));
  co_return resultOf(*resource, written);
}

Task<Result<Json>> LocalClient::patch(Kind kind, kube::Key key, kube::PatchType type, Json patch,
                                      kube::WriteOptions options) {
  SLIP_CO_TRY(const Resource* resource, resourceOf(kind));
  Result<Written> written = co_await registry_.patch(context(*resource, key, options), type, std::move(patch));
  co_return resultOf(*resource, written);
}

Task<Status> LocalClient::remove(Kind kind, kube::Key key, kube::DeleteOptions options) {
  SLIP_CO_TRY(const Resource* resource, resourceOf(kind));
  DeleteRequest request;
  request.propagationPolicy = options.propagationPolicy;
  if (options.gracePeriodSeconds) request.gracePeriodSeconds = *options.gracePeriodSeconds;
  request.uid = options.uid;
  Result<Written> written = co_await registry_.remove(context(*resource, key, {}), std::move(request));
  if (!written) co_return fail(written.error());
  co_return Status{};
}

}  // namespace slipway::apiserver
