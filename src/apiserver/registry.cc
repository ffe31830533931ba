#include "apiserver/registry.h"

#include <charconv>

#include "apiserver/api_status.h"
#include "apiserver/builtin_admission.h"
#include "apiserver/write_rules.h"
#include "data/base64.h"
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

// A continue token names the last object of the page before and the revision at which the list began.
std::string makeToken(std::uint64_t revision, const Entry& last) {
  return base64Encode(dumpJson(Json{{"v", "meta.k8s.io/v1"}, {"rv", revision}, {"start", last.ns + "/" + last.name}}));
}

struct Resume {
  std::uint64_t revision = 0;
  std::string ns, name;
};

Result<Resume> parseToken(const std::string& token) {
  const auto decoded = base64Decode(token);
  const Json json = decoded ? Json::parse(*decoded, nullptr, false) : Json();
  const std::string start = textAt(json, "start");
  const auto slash = start.find('/');
  if (slash == std::string::npos || !at(json, "rv").is_number_unsigned()) return badRequest("continue key is not valid");
  return Resume{at(json, "rv").get<std::uint64_t>(), start.substr(0, slash), start.substr(slash + 1)};
}

}  // namespace

Result<ListPage> Registry::list(const Resource& resource, const ListQuery& query) const {
  SLIP_TRY(const Selector selector, Selector::parse(bucketOf(resource), query.labelSelector, query.fieldSelector));
  Resume resume;
  if (!query.continueToken.empty()) {
    SLIP_TRY(resume, parseToken(query.continueToken));
    if (resume.revision < store_.compacted()) {
      return fail(
          Code::Gone,
          "The provided continue parameter is too old to display a consistent list result. Start a new list without it.");
    }
  }
  Snapshot snapshot = store_.list(bucketOf(resource), query.ns);
  ListPage page;
  // A list in pages tells the revision of its first page: a watch from there replays what changed between the pages.
  page.revision = query.continueToken.empty() ? snapshot.revision : resume.revision;
  const std::pair<std::string, std::string> after{resume.ns, resume.name};
  for (EntryPtr& entry : snapshot.entries) {
    if (!query.continueToken.empty() && std::pair(entry->ns, entry->name) <= after) continue;
    if (!selector.matches(*entry)) continue;
    if (query.limit != 0 && page.entries.size() == query.limit)
      ++page.remaining;
    else
      page.entries.push_back(std::move(entry));
  }
  if (page.remaining != 0) page.continueToken = makeToken(page.revision, *page.entries.back());
  return page;
}

Result<std::unique_ptr<ObjectWatch>> Registry::watch(const Resource& resource, const WatchQuery& query) {
  SLIP_TRY(Selector selector, Selector::parse(bucketOf(resource), query.labelSelector, query.fieldSelector));
  std::uint64_t revision = 0;
  const std::string& asked = query.resourceVersion;
  const auto parsed = std::from_chars(asked.data(), asked.data() + asked.size(), revision);
  if (!asked.empty() && (parsed.ec != std::errc() || parsed.ptr != asked.data() + asked.size())) {
    return badRequest(fmt::format("Invalid value for resourceVersion: \"{}\"", asked));
  }
  std::vector<WatchItem> initial;
  if (revision == 0 || query.sendInitialEvents) {
    Snapshot snapshot = store_.list(bucketOf(resource), query.ns);
    if (revision > snapshot.revision) {
      return fail(Code::Timeout, fmt::format("Too large resource version: {}, current: {}", revision, snapshot.revision));
    }
    for (EntryPtr& entry : snapshot.entries) {
      if (!selector.matches(*entry)) continue;
      const std::uint64_t at = entry->revision;
      initial.push_back({kube::WatchEvent::Type::Added, std::move(entry), at});
    }
    revision = snapshot.revision;
    if (query.sendInitialEvents) initial.push_back({kube::WatchEvent::Type::Bookmark, nullptr, revision, true});
  } else if (revision < store_.compacted()) {
    return expired(revision, store_.compacted());
  }
  SLIP_TRY(auto subscription, hub_.subscribe(bucketOf(resource), revision));
  return std::make_unique<ObjectWatch>(query.ns, std::move(selector), std::move(subscription), std::move(initial));
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
