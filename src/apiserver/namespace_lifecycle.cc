#include "apiserver/namespace_lifecycle.h"

#include "base/log.h"
#include "kube/errors.h"

namespace slipway::apiserver {

NamespaceLifecycle::NamespaceLifecycle(Registry& registry, Executor executor, std::string caPem,
                                       std::chrono::milliseconds retry)
    : registry_(registry), work_(executor), caPem_(std::move(caPem)), retry_(retry) {
  std::set<std::string> seen;
  for (const Resource& r : registry.catalog().resources()) {
    if (r.namespaced && r.storedAs.empty() && seen.insert(r.qualified()).second) namespaced_.push_back(&r);
  }
  registry.hub().observe([this](const Store::Batch& batch) { onBatch(batch); });
  for (const EntryPtr& entry : registry.store().list("namespaces").entries) work_.add(entry->name);
}

void NamespaceLifecycle::onBatch(const Store::Batch& batch) {
  for (const auto& [resource, change] : batch) {
    if (resource == "namespaces") {
      if (!change.deleted && (!change.before || change.after->deleting)) work_.add(change.after->name);
    } else if (change.deleted && !change.after->ns.empty()) {
      const EntryPtr ns = registry_.store().get("namespaces", "", change.after->ns);
      const bool furniture = (resource == "serviceaccounts" && change.after->name == "default") ||
                             (resource == "configmaps" && change.after->name == "kube-root-ca.crt");
      if (ns && (ns->deleting || furniture)) work_.add(ns->name);
    }
  }
}

WriteContext NamespaceLifecycle::context(const Resource* resource, const std::string& ns, const std::string& name) const {
  WriteContext c;
  c.resource = resource;
  c.ns = ns;
  c.name = name;
  c.fieldManager = "slipway-namespaces";
  c.validation = FieldValidation::Ignore;
  return c;
}

Task<void> NamespaceLifecycle::run() {
  for (;;) {
    std::string name = co_await work_.take();
    co_await process(name);
  }
}

Task<void> NamespaceLifecycle::process(std::string name) {
  const EntryPtr entry = registry_.store().get("namespaces", "", name);
  if (!entry) co_return;
  if (entry->deleting) {
    co_await empty(name);
  } else {
    co_await furnish(name);
  }
}

Task<void> NamespaceLifecycle::furnish(std::string name) {
  const Resource* accounts = registry_.resource("", "v1", "serviceaccounts");
  if (accounts && !registry_.store().get("serviceaccounts", name, "default")) {
    auto made = co_await registry_.create(context(accounts, name, "default"), Json{{"metadata", {{"name", "default"}}}});
    if (!made) retryLater(name, "its default service account", made.error());
  }
  const Resource* maps = registry_.resource("", "v1", "configmaps");
  if (!caPem_.empty() && maps && !registry_.store().get("configmaps", name, "kube-root-ca.crt")) {
    Json object{{"metadata", {{"name", "kube-root-ca.crt"}}}, {"data", {{"ca.crt", caPem_}}}};
    auto made = co_await registry_.create(context(maps, name, "kube-root-ca.crt"), std::move(object));
    if (!made) retryLater(name, "its kube-root-ca.crt", made.error());
  }
}

Task<void> NamespaceLifecycle::empty(std::string name) {
  bool left = false;
  for (const Resource* resource : namespaced_) {
    const Snapshot content = registry_.store().list(resource->qualified(), name);
    for (const EntryPtr& entry : content.entries) {
      if (!entry->deleting) {
        DeleteRequest request;
        request.propagationPolicy = "Background";
        auto removed = co_await registry_.remove(context(resource, name, entry->name), std::move(request));
        if (!removed) retryLater(name, resource->plural + " " + entry->name, removed.error());
      }
      left = left || registry_.store().get(resource->qualified(), name, entry->name) != nullptr;
    }
  }
  // What is left has finalizers or a grace period; its removal brings us back here.
  if (!left) {
    co_await finalize(name);
  }
}

Task<void> NamespaceLifecycle::finalize(std::string name) {
  const EntryPtr entry = registry_.store().get("namespaces", "", name);
  if (!entry) co_return;
  WriteContext c = context(registry_.resource("", "v1", "namespaces"), "", name);
  c.subresource = "finalize";
  Json object = entry->json();
  object["spec"]["finalizers"] = Json::array();
  auto written = co_await registry_.update(std::move(c), std::move(object));
  if (!written) retryLater(name, "its finalizer", written.error());
}

// What is gone or already there needs nothing, and nothing is made any more in a namespace that ends: its deletion brings us
// here. A conflict is looked at again at once.
void NamespaceLifecycle::retryLater(const std::string& name, const std::string& what, const Error& error) {
  if (error.code == Code::NotFound || error.code == Code::AlreadyExists || kube::isNamespaceTerminating(error)) return;
  if (error.code == Code::Conflict) {
    work_.add(name);
    return;
  }
  logWarn("namespace {}: {}: {}; trying again", name, what, error.message);
  work_.addAfter(name, retry_);
}

}  // namespace slipway::apiserver
