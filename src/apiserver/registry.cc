#include "apiserver/registry.h"

#include "apiserver/api_status.h"
#include "apiserver/builtin_admission.h"
#include "apiserver/list_rules.h"
#include "apiserver/write_rules.h"
#include "objects/schema/convert.h"

namespace slipway::apiserver {

Registry::Registry(Store& store, WatchHub& hub, std::shared_ptr<const Catalog> catalog, RegistryOptions options)
    : store_(store),
      hub_(hub),
      catalog_(std::move(catalog)),
      options_(std::move(options)),
      clock_(options_.clock ? options_.clock : std::make_shared<SystemClock>()) {
  std::vector<Admission> all = builtinAdmissions();
  std::move(options_.admissions.begin(), options_.admissions.end(), std::back_inserter(all));
  options_.admissions = std::move(all);
}

Registry::~Registry() = default;

const Resource* Registry::resource(std::string_view group, std::string_view version, std::string_view plural) const {
  return catalog_->find(group, version, plural);
}

const Resource& Registry::storageVersion(const Resource& resource) const {
  if (resource.storedAs.empty()) return resource;
  const Resource* stored = catalog_->findKind(resource.storedAs, resource.kind);
  return stored ? *stored : resource;
}

Result<EntryPtr> Registry::get(const Resource& resource, const std::string& ns, const std::string& name) const {
  EntryPtr entry = store_.get(bucketOf(resource), ns, name);
  if (!entry) return notFound(resource, name);
  return entry;
}

bool Registry::storedAs(const Resource& resource, const Entry& entry) {
  // Stored text begins with {"apiVersion":"…": keys are sorted.
  static constexpr std::string_view kBegin = "{\"apiVersion\":\"";
  std::string_view text = entry.text;
  if (!text.starts_with(kBegin)) return false;
  text.remove_prefix(kBegin.size());
  if (!resource.group.empty()) {
    if (!text.starts_with(resource.group) || text.substr(resource.group.size(), 1) != "/") return false;
    text.remove_prefix(resource.group.size() + 1);
  }
  return text.starts_with(resource.version) && text.substr(resource.version.size(), 1) == "\"";
}

std::string Registry::textFor(const Resource& resource, const Entry& entry) {
  if (storedAs(resource, entry)) return entry.text;
  return dumpJson(convertObject(entry.json(), resource.apiVersion()));
}

namespace {

constexpr const char* kPageExpired =
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without the "
    "continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing "
    "with "
    "the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time "
    "the "
    "first chunk was returned and now may show up in the list.";

ListPage pageOf(Snapshot snapshot, const Selector& selector, const ListStart& start, std::size_t limit) {
  ListPage page;
  page.revision = snapshot.revision;
  const std::pair<std::string, std::string> after{start.ns, start.name};
  for (EntryPtr& entry : snapshot.entries) {
    if (start.resumes && std::pair(entry->ns, entry->name) <= after) continue;
    if (!selector.matches(*entry)) continue;
    if (limit != 0 && page.entries.size() == limit)
      ++page.remaining;
    else
      page.entries.push_back(std::move(entry));
  }
  if (page.remaining != 0)
    page.continueToken = continueToken(page.revision, page.entries.back()->ns, page.entries.back()->name);
  return page;
}

}  // namespace

Result<ListPage> Registry::list(const Resource& resource, const ListQuery& query) const {
  SLIP_TRY(const Selector selector, Selector::parse(bucketOf(resource), query.labelSelector, query.fieldSelector));
  return pageOf(store_.list(bucketOf(resource), query.ns), selector, {}, 0);
}

Status Registry::checkReached(const std::string& resourceVersion) const {
  SLIP_TRY(const std::uint64_t revision, parseRevision(resourceVersion));
  if (revision > store_.revision()) return tooLargeRevision(revision, store_.revision());
  return {};
}

Task<Result<ListPage>> Registry::page(const Resource& resource, ListQuery query) const {
  SLIP_CO_TRY(const Selector selector, Selector::parse(bucketOf(resource), query.labelSelector, query.fieldSelector));
  SLIP_CO_TRY(const ListStart start, listStart(query));
  SLIP_CO_CHECK(checkReached(std::to_string(start.exactly.value_or(start.atLeast))));
  if (!start.exactly) co_return pageOf(store_.list(bucketOf(resource), query.ns), selector, start, query.limit);
  Result<Snapshot> snapshot = co_await store_.listAt(bucketOf(resource), query.ns, *start.exactly);
  if (snapshot) co_return pageOf(std::move(*snapshot), selector, start, query.limit);
  if (snapshot.error().code != Code::Gone) co_return fail(snapshot.error());
  if (!start.resumes) co_return listExpired("The resourceVersion for the provided list is too old.");
  co_return listExpired(kPageExpired, continueToken(std::nullopt, start.ns, start.name));
}

Result<WatchStart> Registry::watchStart(const Resource& resource, const WatchQuery& query) const {
  WatchStart start;
  SLIP_TRY(start.selector, Selector::parse(bucketOf(resource), query.labelSelector, query.fieldSelector));
  SLIP_TRY(start.revision, parseRevision(query.resourceVersion));
  SLIP_CHECK(checkReached(query.resourceVersion));
  if (query.onlyChanges && start.revision == 0) {
    start.revision = store_.revision();
  } else if (start.revision == 0 || query.sendInitialEvents) {
    Snapshot snapshot = store_.list(bucketOf(resource), query.ns);
    for (EntryPtr& entry : snapshot.entries) {
      if (!start.selector.matches(*entry)) continue;
      const std::uint64_t at = entry->revision;
      start.initial.push_back({kube::WatchEvent::Type::Added, std::move(entry), at});
    }
    start.revision = snapshot.revision;
    if (query.sendInitialEvents && query.bookmarks)
      start.initial.push_back({kube::WatchEvent::Type::Bookmark, nullptr, start.revision, true});
  } else if (start.revision < store_.compacted()) {
    return expired(start.revision, store_.compacted());
  }
  return start;
}

Result<std::unique_ptr<ObjectWatch>> Registry::watch(const Resource& resource, const WatchQuery& query) {
  SLIP_TRY(WatchStart start, watchStart(resource, query));
  return std::make_unique<ObjectWatch>(query.ns, std::move(start.selector),
                                       hub_.subscribe(bucketOf(resource), start.revision), std::move(start.initial));
}

Result<Json> Registry::scale(const Resource& resource, const std::string& ns, const std::string& name) const {
  SLIP_TRY(const EntryPtr entry, get(resource, ns, name));
  Json scale = scaleOf(resource, entry->json());
  if (scale.is_null()) return noSuchPath();
  return scale;
}

Result<Json> Registry::requestToken(const std::string& ns, const std::string& name, const Json& request) const {
  if (!tokenRequests_) return fail(Code::Unavailable, "this server issues no tokens");
  return tokenRequests_(ns, name, request);
}

// Runs `step(WriteRules&)` inside a transaction and carries its result out of the writer thread.
template <class Step>
Task<Result<Written>> Registry::write(WriteContext context, Step step) {
  struct Call {
    WriteContext context;
    Step step;
    Result<Written> result = Written{};
  };
  auto call = std::make_shared<Call>(Call{std::move(context), std::move(step)});
  const bool dryRun = call->context.dryRun;
  WriteFn run = [this, call](Txn& txn) -> Status {
    WriteRules rules(*this, call->context, txn);
    call->result = call->step(rules);
    if (!call->result) return fail(call->result.error());
    return {};
  };
  Status status = co_await store_.commit(std::move(run), dryRun);
  if (!status) co_return fail(status.error());
  co_return std::move(call->result);
}

Task<Result<Written>> Registry::create(WriteContext context, Json object) {
  auto step = [object = std::move(object)](WriteRules& rules) mutable { return rules.create(std::move(object)); };
  Result<Written> result = co_await write(std::move(context), std::move(step));
  co_return result;
}

Task<Result<Written>> Registry::update(WriteContext context, Json object) {
  auto step = [object = std::move(object)](WriteRules& rules) mutable { return rules.update(std::move(object)); };
  Result<Written> result = co_await write(std::move(context), std::move(step));
  co_return result;
}

Task<Result<Written>> Registry::patch(WriteContext context, kube::PatchType type, Json patch) {
  auto step = [type, patch = std::move(patch)](WriteRules& rules) { return rules.patch(type, patch); };
  Result<Written> result = co_await write(std::move(context), std::move(step));
  co_return result;
}

Task<Result<Written>> Registry::remove(WriteContext context, DeleteRequest request) {
  auto step = [request = std::move(request)](WriteRules& rules) { return rules.remove(request); };
  Result<Written> result = co_await write(std::move(context), std::move(step));
  co_return result;
}

}  // namespace slipway::apiserver
