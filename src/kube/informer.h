// Informer: a live, read-only copy of one kind. It lists, then watches, and lists again when the server says 410. Objects
// are immutable snapshots: keep the pointer as long as you like, nobody changes what it points to.
//
// Cache: one shared Informer per kind for everything that runs in a TaskScope. All of it lives on one executor.
//
//   Cache cache(client, clock, scope);
//   Informer& pods = cache.of(kinds::kPod);         // starts on first use
//   pods.onEvent([](const InformerEvent& e) { … });  // replays what is known, then follows
//   co_await cache.waitForSync();
#pragma once
#include <map>
#include <set>
#include <unordered_map>

#include "base/scope.h"
#include "kube/client.h"
#include "kube/signal.h"

namespace slipway::kube {

using Object = std::shared_ptr<const Json>;

struct InformerEvent {
  enum class Type { Added, Modified, Deleted } type;
  Object object;         // for Deleted the last known state
  Object old;            // only for Modified
  bool initial = false;  // from a list rather than a change seen on the watch
};

struct InformerOptions {
  ListOptions select;                    // which objects; empty: all of the kind
  std::vector<std::string> indexLabels;  // labels that withLabel() answers from an index
  Duration backoffBase = std::chrono::milliseconds(200);
  Duration backoffMax = std::chrono::seconds(30);  // after errors: base * 2^n, half of it random
};

class Informer {
 public:
  using Handler = std::function<void(const InformerEvent&)>;

  Informer(Client& client, Clock& clock, Executor executor, Kind kind, InformerOptions options = {});
  ~Informer();

  // List and watch until cancelled. Spawn it once (Cache does).
  Task<void> run();

  // Calls `handler` for every known object (Added, initial) now and for every later change, after the store has it.
  // Handlers must not block, and live as long as the informer.
  void onEvent(Handler handler);

  bool synced() const { return synced_; }
  Task<void> waitForSync();
  // Returns when the store shows resource version `rv` of this kind or a later one: for tests, and for reading your own
  // write.
  Task<void> waitFor(std::string rv);

  const Kind& kind() const { return kind_; }
  Object get(const Key& key) const;  // null when unknown
  std::vector<Object> list() const;  // ordered by namespace, then name
  std::vector<Object> inNamespace(const std::string& ns) const;
  std::vector<Object> ownedBy(const std::string& uid) const;  // any owner reference, not only the controller
  std::vector<Object> withLabel(const std::string& label, const std::string& value) const;  // label must be in indexLabels
  std::size_t size() const { return store_.size(); }
  // The version up to which the store is current (of events of this kind).
  const std::string& resourceVersion() const { return resourceVersion_; }
  std::uint64_t relists() const { return relists_; }

 private:
  Task<Status> listAll();
  Task<Status> follow();
  void apply(const WatchEvent& event);
  void put(const Key& key, Object object, bool initial);
  void erase(const Key& key, Object last, bool initial);
  void index(const Key& key, const Json& object, bool add);
  void emit(const InformerEvent& event);
  std::vector<Object> gather(const std::set<Key>* keys) const;

  Client& client_;
  Clock& clock_;
  Kind kind_;
  InformerOptions options_;
  std::map<Key, Object> store_;
  std::unordered_map<std::string, std::set<Key>> byOwner_;  // owner uid
  std::unordered_map<std::string, std::set<Key>> byLabel_;  // "label=value"
  std::vector<Handler> handlers_;
  std::string resourceVersion_;
  bool synced_ = false;
  std::uint64_t relists_ = 0;
  Signal changed_;
};

// Whether version `have` is `want` or a later one. Versions of one kind may be compared (KEP-5504); ours always could.
bool versionReached(const std::string& have, const std::string& want);

class Cache {
 public:
  Cache(Client& client, Clock& clock, TaskScope& scope) : client_(client), clock_(clock), scope_(scope) {}
  // The informer of every object of `kind`; started on first use. `indexLabels` count for the first call only.
  Informer& of(const Kind& kind, std::vector<std::string> indexLabels = {});
  Task<void> waitForSync();  // of everything asked for so far

 private:
  Client& client_;
  Clock& clock_;
  TaskScope& scope_;
  std::map<std::string, std::shared_ptr<Informer>> informers_;
};

}  // namespace slipway::kube
