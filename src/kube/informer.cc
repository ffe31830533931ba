#include "kube/informer.h"

#include "base/ids.h"
#include "base/log.h"

namespace slipway::kube {
namespace {

std::string versionOf(const Json& object) { return textAt(at(object, "metadata"), "resourceVersion"); }

Duration jittered(Duration d) {
  const auto half = d.count() / 2;
  return Duration(half + static_cast<std::int64_t>(randomU64() % static_cast<std::uint64_t>(half + 1)));
}

}  // namespace

bool versionReached(const std::string& have, const std::string& want) {
  if (have.size() != want.size()) return have.size() > want.size();  // decimal numbers without leading zeros
  return have >= want;
}

Informer::Informer(Client& client, Clock& clock, Executor executor, Kind kind, InformerOptions options)
    : client_(client), clock_(clock), kind_(kind), options_(std::move(options)), changed_(std::move(executor)) {}
Informer::~Informer() = default;

Task<void> Informer::run() {
  Duration backoff = options_.backoffBase;
  bool needList = true;
  while (true) {
    Status status;
    const auto started = clock_.now();
    if (needList) {
      status = co_await listAll();
      needList = !status.has_value();
    }
    if (status) {
      status = co_await follow();
      if (!status && status.error().code == Code::Gone) {
        logDebug("watch of {}: {}; listing again", kind_.plural, status.error().message);
        needList = true;
        ++relists_;
      }
    }
    // A stream that lived a while and then closed is normal (servers end watches after some minutes): no back-off for it.
    if (clock_.now() - started >= std::chrono::seconds(1)) backoff = options_.backoffBase;
    const bool immediate = !status && status.error().code == Code::Gone && backoff == options_.backoffBase;
    if (!immediate) {
      const std::string why = status ? "closed" : status.error().message;
      logDebug("watch of {}: {}", kind_.plural, why);
      if (backoff >= std::chrono::seconds(1)) logWarn("cannot follow {}: {}; trying again", kind_.plural, why);
      co_await clock_.sleepFor(jittered(backoff));
    }
    backoff = std::min(backoff * 2, options_.backoffMax);
  }
}

Task<Status> Informer::listAll() {
  auto listed = co_await client_.list(kind_, options_.select);
  if (!listed) co_return fail(listed.error());
  std::set<Key> seen;
  for (auto& item : listed->items) {
    if (!item.contains("kind")) item["kind"] = kind_.kind;  // items of a list may omit them
    if (!item.contains("apiVersion")) item["apiVersion"] = kind_.apiVersion();
    const Key key = keyOf(item);
    seen.insert(key);
    auto known = store_.find(key);
    const bool same = known != store_.end() && versionOf(*known->second) == versionOf(item);
    if (!same) put(key, std::make_shared<const Json>(std::move(item)), true);
  }
  std::vector<Key> gone;
  for (const auto& [key, object] : store_) {
    if (!seen.contains(key)) gone.push_back(key);
  }
  for (const auto& key : gone) erase(key, store_.at(key), true);
  resourceVersion_ = listed->resourceVersion;
  synced_ = true;
  changed_.notifyAll();
  co_return Status{};
}

Task<Status> Informer::follow() {
  auto opened = co_await client_.watch(kind_, options_.select, resourceVersion_);
  if (!opened) co_return fail(opened.error());
  auto watch = std::move(*opened);
  while (true) {
    auto event = co_await watch->next();
    if (!event) co_return fail(event.error());
    apply(*event);
  }
}

void Informer::apply(const WatchEvent& event) {
  const std::string version = versionOf(event.object);
  if (event.type != WatchEvent::Type::Bookmark) {
    const Key key = keyOf(event.object);
    auto object = std::make_shared<const Json>(event.object);
    if (event.type == WatchEvent::Type::Deleted)
      erase(key, std::move(object), false);
    else
      put(key, std::move(object), false);
  }
  if (!version.empty()) resourceVersion_ = version;
  changed_.notifyAll();
}

void Informer::put(const Key& key, Object object, bool initial) {
  Object old;
  auto& slot = store_[key];
  if (slot) {
    old = slot;
    index(key, *old, false);
  }
  slot = object;
  index(key, *object, true);
  // A new uid under the same name is another object: handlers see the old one go.
  const bool replaced = old && textAt(at(*old, "metadata"), "uid") != textAt(at(*object, "metadata"), "uid");
  if (replaced) emit({InformerEvent::Type::Deleted, old, nullptr, initial});
  const bool added = !old || replaced;
  emit({added ? InformerEvent::Type::Added : InformerEvent::Type::Modified, object, added ? nullptr : old, initial});
}

void Informer::erase(const Key& key, Object last, bool initial) {
  auto it = store_.find(key);
  if (it == store_.end()) return;
  index(key, *it->second, false);
  store_.erase(it);
  emit({InformerEvent::Type::Deleted, std::move(last), nullptr, initial});
}

void Informer::index(const Key& key, const Json& object, bool add) {
  auto touch = [&](auto& table, const std::string& value) {
    if (add) {
      table[value].insert(key);
      return;
    }
    auto it = table.find(value);
    if (it == table.end()) return;
    it->second.erase(key);
    if (it->second.empty()) table.erase(it);
  };
  const Json& meta = at(object, "metadata");
  for (const auto& owner : at(meta, "ownerReferences")) touch(byOwner_, textAt(owner, "uid"));
  for (const auto& label : options_.indexLabels) {
    const Json& value = at(meta, "labels", label);
    if (value.is_string()) touch(byLabel_, label + "=" + value.get<std::string>());
  }
}

void Informer::emit(const InformerEvent& event) {
  for (std::size_t i = 0; i < handlers_.size(); ++i) handlers_[i](event);
}

void Informer::onEvent(Handler handler) {
  for (const auto& [key, object] : store_) handler({InformerEvent::Type::Added, object, nullptr, true});
  handlers_.push_back(std::move(handler));
}

Task<void> Informer::waitForSync() {
  while (!synced_) {
    co_await changed_.wait();
  }
}

Task<void> Informer::waitFor(std::string rv) {
  while (!synced_ || !versionReached(resourceVersion_, rv)) {
    co_await changed_.wait();
  }
}

Object Informer::get(const Key& key) const {
  auto it = store_.find(key);
  return it == store_.end() ? nullptr : it->second;
}

std::vector<Object> Informer::list() const {
  std::vector<Object> out;
  out.reserve(store_.size());
  for (const auto& [key, object] : store_) out.push_back(object);
  return out;
}

std::vector<Object> Informer::inNamespace(const std::string& ns) const {
  std::vector<Object> out;
  for (auto it = store_.lower_bound(Key{ns, ""}); it != store_.end() && it->first.ns == ns; ++it) out.push_back(it->second);
  return out;
}

std::vector<Object> Informer::gather(const std::set<Key>* keys) const {
  std::vector<Object> out;
  if (keys == nullptr) return out;
  for (const auto& key : *keys) out.push_back(store_.at(key));
  return out;
}

std::vector<Object> Informer::ownedBy(const std::string& uid) const {
  auto it = byOwner_.find(uid);
  return gather(it == byOwner_.end() ? nullptr : &it->second);
}

std::vector<Object> Informer::withLabel(const std::string& label, const std::string& value) const {
  auto it = byLabel_.find(label + "=" + value);
  return gather(it == byLabel_.end() ? nullptr : &it->second);
}

Informer& Cache::of(const Kind& kind, std::vector<std::string> indexLabels) {
  auto& slot = informers_[kind.apiVersion() + "/" + std::string(kind.plural)];
  if (!slot) {
    slot = std::make_shared<Informer>(client_, clock_, scope_.executor(), kind,
                                      InformerOptions{.indexLabels = std::move(indexLabels)});
    scope_.spawn("informer " + std::string(kind.plural), [informer = slot] { return informer->run(); });
  }
  return *slot;
}

Task<void> Cache::waitForSync() {
  std::vector<std::shared_ptr<Informer>> all;
  for (const auto& [name, informer] : informers_) all.push_back(informer);
  for (const auto& informer : all) {
    co_await informer->waitForSync();
  }
}

}  // namespace slipway::kube
