#include "kube/testing/fake_client.h"

#include "base/ids.h"
#include "data/selectors.h"

namespace slipway::kube {
namespace {

std::string qualified(const Kind& kind) {
  return kind.group.empty() ? std::string(kind.plural) : fmt::format("{}.{}", kind.plural, kind.group);
}

tl::unexpected<Error> notFound(const Kind& kind, const Key& key) {
  return fail(Code::NotFound, fmt::format("{} \"{}\" not found", qualified(kind), key.name));
}

tl::unexpected<Error> conflict(const Kind& kind, const Key& key) {
  return fail(Code::Conflict,
              fmt::format("Operation cannot be fulfilled on {} \"{}\": the object has been modified; please apply "
                          "your changes to the latest version and try again",
                          qualified(kind), key.name));
}

struct Selection {
  std::string ns;
  LabelSelector labels;
  FieldSelector fields;
  bool has(const Json& object) const {
    if (!ns.empty() && textAt(at(object, "metadata"), "namespace") != ns) return false;
    return labels.matches(at(object, "metadata", "labels")) && fields.matches(object);
  }
};

Result<Selection> selectionOf(const ListOptions& options) {
  SLIP_TRY(auto labels, LabelSelector::parse(options.labelSelector));
  SLIP_TRY(auto fields, FieldSelector::parse(options.fieldSelector));
  return Selection{options.ns, std::move(labels), std::move(fields)};
}

// What means a new generation when it changes: everything but metadata and status.
Json specOf(Json object) {
  object.erase("metadata");
  object.erase("status");
  return object;
}

}  // namespace

class FakeClient::FakeWatch final : public Watch {
 public:
  FakeWatch(FakeClient& api, std::string table, Selection selection, std::uint64_t after)
      : api_(api), table_(std::move(table)), selection_(std::move(selection)), after_(after), openedAt_(api.brokenAt_) {}

  Task<Result<WatchEvent>> next() override {
    while (true) {
      if (!initial_.empty()) {
        Json object = std::move(initial_.front());
        initial_.pop_front();
        co_return WatchEvent{WatchEvent::Type::Added, std::move(object)};
      }
      if (api_.brokenAt_ != openedAt_) co_return fail(Code::Unavailable, "watch closed");
      if (after_ < api_.compacted_) co_return fail(Code::Gone, fmt::format("too old resource version: {}", after_));
      for (const auto& change : api_.changes_) {
        if (change.revision <= after_) continue;
        after_ = change.revision;
        if (change.table != table_) continue;
        const bool now = selection_.has(change.object);
        const bool before = !change.old.is_null() && selection_.has(change.old);
        if (!now && !before) continue;
        auto type = change.type;
        if (type == WatchEvent::Type::Modified && !before) type = WatchEvent::Type::Added;
        if (type == WatchEvent::Type::Modified && !now) type = WatchEvent::Type::Deleted;
        co_return WatchEvent{type, change.object};
      }
      auto changed = api_.changed_;
      co_await changed->wait();
    }
  }

  std::deque<Json> initial_;

 private:
  FakeClient& api_;
  std::string table_;
  Selection selection_;
  std::uint64_t after_;
  std::uint64_t openedAt_;
};

FakeClient::FakeClient(Executor executor, Clock& clock)
    : executor_(executor), clock_(clock), changed_(std::make_shared<Signal>(executor)) {}
FakeClient::~FakeClient() = default;

std::string FakeClient::tableOf(const Kind& kind) { return qualified(kind); }

std::optional<Error> FakeClient::refuse(const FakeRequest& request) {
  if (request.verb != "get" && request.verb != "list" && request.verb != "watch") log_.push_back(request);
  if (!onRequest) return std::nullopt;
  return onRequest(request);
}

Task<Result<Json>> FakeClient::get(Kind kind, Key key) {
  if (auto error = refuse({"get", std::string(kind.plural), key, "", nullptr})) co_return fail(*error);
  Json found = peek(kind, key);
  if (found.is_null()) co_return notFound(kind, key);
  co_return found;
}

Task<Result<List>> FakeClient::list(Kind kind, ListOptions options) {
  if (auto error = refuse({"list", std::string(kind.plural), {options.ns, ""}, "", nullptr})) co_return fail(*error);
  SLIP_CO_TRY(auto selection, selectionOf(options));
  List out{std::to_string(revision_), {}};
  for (const auto& [key, object] : tables_[tableOf(kind)]) {
    if (selection.has(object)) out.items.push_back(object);
  }
  co_return out;
}

Task<Result<std::unique_ptr<Watch>>> FakeClient::watch(Kind kind, ListOptions options, std::string resourceVersion) {
  if (auto error = refuse({"watch", std::string(kind.plural), {options.ns, ""}, "", nullptr})) co_return fail(*error);
  SLIP_CO_TRY(auto selection, selectionOf(options));
  const bool fromNow = resourceVersion.empty() || resourceVersion == "0";
  const std::uint64_t after = fromNow ? revision_ : std::stoull(resourceVersion);
  if (after < compacted_) co_return fail(Code::Gone, fmt::format("too old resource version: {} ({})", after, compacted_));
  auto watch = std::make_unique<FakeWatch>(*this, tableOf(kind), selection, after);
  if (fromNow) {
    for (const auto& [key, object] : tables_[tableOf(kind)]) {
      if (selection.has(object)) watch->initial_.push_back(object);
    }
  }
  co_return std::unique_ptr<Watch>(std::move(watch));
}

Json FakeClient::store(const std::string& table, const Key& key, Json object) {
  Json& slot = tables_[table][key];
  Json old = slot;
  object["metadata"]["resourceVersion"] = std::to_string(++revision_);
  slot = object;
  changes_.push_back({revision_, table, old.is_null() ? WatchEvent::Type::Added : WatchEvent::Type::Modified, object, old});
  changed_->notifyAll();
  return object;
}

void FakeClient::erase(const std::string& table, const Key& key) {
  auto& rows = tables_[table];
  auto it = rows.find(key);
  if (it == rows.end()) return;
  Json object = std::move(it->second);
  rows.erase(it);
  Json old = object;
  object["metadata"]["resourceVersion"] = std::to_string(++revision_);
  changes_.push_back({revision_, table, WatchEvent::Type::Deleted, std::move(object), std::move(old)});
  changed_->notifyAll();
}

Task<Result<Json>> FakeClient::create(Kind kind, Json object, WriteOptions options) {
  Json& meta = object["metadata"];
  if (textAt(meta, "name").empty() && !textAt(meta, "generateName").empty()) {
    meta["name"] = textAt(meta, "generateName") + randomSuffix(5);
  }
  const Key key = keyOf(object);
  if (auto error = refuse({"create", std::string(kind.plural), key, options.subresource, object})) co_return fail(*error);
  if (key.name.empty()) co_return fail(Code::Invalid, "metadata.name: Required value: name or generateName is required");
  if (!peek(kind, key).is_null()) {
    co_return fail(Code::AlreadyExists, fmt::format("{} \"{}\" already exists", qualified(kind), key.name));
  }
  meta["uid"] = newUuid();
  meta["creationTimestamp"] = formatRfc3339(clock_.wall());
  meta["generation"] = 1;
  object["kind"] = kind.kind;
  object["apiVersion"] = kind.apiVersion();
  if (kind != kinds::kEvent) object.erase("status");
  if (options.dryRun) co_return object;
  ++writes_;
  co_return store(tableOf(kind), key, std::move(object));
}

Result<Json> FakeClient::write(const Kind& kind, const Key& key, Json next, const WriteOptions& options) {
  const Json live = peek(kind, key);
  const std::string rv = textAt(at(next, "metadata"), "resourceVersion");
  if (!rv.empty() && rv != textAt(at(live, "metadata"), "resourceVersion")) return conflict(kind, key);
  Json merged = live;
  if (options.subresource == "status") {
    merged["status"] = next.value("status", Json::object());
  } else if (options.subresource == "scale") {
    merged["spec"]["replicas"] = at(next, "spec", "replicas");
  } else {
    merged = next;
    merged.erase("status");
    if (live.contains("status")) merged["status"] = live["status"];
    for (const char* owned : {"uid", "creationTimestamp", "deletionTimestamp", "generation", "resourceVersion"}) {
      const Json& value = at(live, "metadata", owned);
      if (value.is_null())
        merged["metadata"].erase(owned);
      else
        merged["metadata"][owned] = value;
    }
  }
  if (merged == live) return live;
  if (specOf(merged) != specOf(live)) merged["metadata"]["generation"] = intAt(at(live, "metadata"), "generation") + 1;
  if (options.dryRun) return merged;
  ++writes_;
  const bool finished =
      at(merged, "metadata", "deletionTimestamp").is_string() && at(merged, "metadata", "finalizers").empty();
  if (finished && kind != kinds::kPod) {
    erase(tableOf(kind), key);
    if (autoCollect) collectGarbage();
    return merged;
  }
  return store(tableOf(kind), key, std::move(merged));
}

Task<Result<Json>> FakeClient::update(Kind kind, Json object, WriteOptions options) {
  const Key key = keyOf(object);
  if (auto error = refuse({"update", std::string(kind.plural), key, options.subresource, object})) co_return fail(*error);
  if (peek(kind, key).is_null()) co_return notFound(kind, key);
  co_return write(kind, key, std::move(object), options);
}

Task<Result<Json>> FakeClient::patch(Kind kind, Key key, PatchType type, Json patch, WriteOptions options) {
  if (auto error = refuse({"patch", std::string(kind.plural), key, options.subresource, patch})) co_return fail(*error);
  Json live = peek(kind, key);
  if (live.is_null()) {
    if (type != PatchType::Apply) co_return notFound(kind, key);
    log_.pop_back();  // create() records it again, as the same write
    patch["metadata"]["name"] = key.name;
    if (kind.namespaced) patch["metadata"]["namespace"] = key.ns;
    auto created = co_await create(kind, std::move(patch), options);
    co_return created;
  }
  if (type == PatchType::Json) {
    try {
      live = live.patch(patch);
    } catch (const Json::exception& e) {
      co_return fail(Code::Invalid, e.what());
    }
  } else {
    // A patch that names a resource version is conditional; one that does not takes the live one.
    live.merge_patch(patch);
  }
  co_return write(kind, key, std::move(live), options);
}

Task<Status> FakeClient::remove(Kind kind, Key key, DeleteOptions options) {
  if (auto error = refuse({"delete", std::string(kind.plural), key, "", nullptr})) co_return fail(*error);
  Json live = peek(kind, key);
  if (live.is_null()) co_return notFound(kind, key);
  if (!options.uid.empty() && options.uid != textAt(at(live, "metadata"), "uid")) co_return conflict(kind, key);
  ++writes_;
  const bool held = !at(live, "metadata", "finalizers").empty();
  const bool graceful = kind == kinds::kPod && podGrace && options.gracePeriodSeconds.value_or(30) > 0 &&
                        !textAt(at(live, "spec"), "nodeName").empty();
  if (held || graceful) {
    if (at(live, "metadata", "deletionTimestamp").is_string()) co_return Status{};
    live["metadata"]["deletionTimestamp"] = formatRfc3339(clock_.wall());
    store(tableOf(kind), key, std::move(live));
    co_return Status{};
  }
  erase(tableOf(kind), key);
  if (autoCollect) collectGarbage();
  co_return Status{};
}

Json FakeClient::put(Json object) {
  const std::string apiVersion = textAt(object, "apiVersion", "v1");
  const std::string kind = textAt(object, "kind");
  const auto slash = apiVersion.find('/');
  // The plural is all that matters; the table is found by the rule that every kind of ours follows, with its one exception.
  std::string plural = kind;
  std::transform(plural.begin(), plural.end(), plural.begin(), [](unsigned char c) { return std::tolower(c); });
  if (plural != "endpoints") plural += plural.ends_with('y') ? "" : "s";
  if (plural.ends_with('y')) plural.replace(plural.size() - 1, 1, "ies");
  if (plural.ends_with("sss")) plural.replace(plural.size() - 1, 1, "es");
  const std::string table = slash == std::string::npos ? plural : plural + "." + apiVersion.substr(0, slash);
  Json& meta = object["metadata"];
  const Json live = tables_[table].contains(keyOf(object)) ? tables_[table][keyOf(object)]["metadata"] : Json();
  if (!meta.contains("uid")) meta["uid"] = textAt(live, "uid", newUuid());
  if (!meta.contains("creationTimestamp"))
    meta["creationTimestamp"] = textAt(live, "creationTimestamp", formatRfc3339(clock_.wall()));
  if (!meta.contains("generation")) meta["generation"] = intAt(live, "generation") + 1;
  return store(table, keyOf(object), std::move(object));
}

void FakeClient::drop(const Kind& kind, const Key& key) { erase(tableOf(kind), key); }

Json FakeClient::peek(const Kind& kind, const Key& key) const {
  auto table = tables_.find(tableOf(kind));
  if (table == tables_.end()) return nullptr;
  auto it = table->second.find(key);
  return it == table->second.end() ? Json() : it->second;
}

std::vector<Json> FakeClient::all(const Kind& kind, const std::string& ns) const {
  std::vector<Json> out;
  auto table = tables_.find(tableOf(kind));
  if (table == tables_.end()) return out;
  for (const auto& [key, object] : table->second) {
    if (ns.empty() || key.ns == ns) out.push_back(object);
  }
  return out;
}

void FakeClient::setStatus(const Kind& kind, const Key& key, Json status) {
  Json live = peek(kind, key);
  if (live.is_null()) return;
  live["status"] = std::move(status);
  store(tableOf(kind), key, std::move(live));
}

std::size_t FakeClient::collectGarbage() {
  std::size_t gone = 0;
  for (bool again = true; again;) {
    again = false;
    std::set<std::string> uids;
    for (const auto& [name, table] : tables_) {
      for (const auto& [key, object] : table) uids.insert(textAt(at(object, "metadata"), "uid"));
    }
    std::vector<std::pair<std::string, Key>> orphans;
    for (const auto& [name, table] : tables_) {
      for (const auto& [key, object] : table) {
        const Json& owners = at(object, "metadata", "ownerReferences");
        if (owners.empty()) continue;
        const bool alive =
            std::any_of(owners.begin(), owners.end(), [&](const Json& o) { return uids.contains(textAt(o, "uid")); });
        if (!alive) orphans.emplace_back(name, key);
      }
    }
    for (const auto& [table, key] : orphans) erase(table, key);
    gone += orphans.size();
    again = !orphans.empty();
  }
  return gone;
}

void FakeClient::compact() {
  compacted_ = ++revision_;
  changes_.clear();
  changed_->notifyAll();
}

void FakeClient::breakWatches() {
  ++brokenAt_;
  changed_->notifyAll();
}

}  // namespace slipway::kube
