// FakeClient: a small in-memory API for tests of reconcilers: get, list, watch, create, update, patch (merge, JSON for the
// plain operations; Apply and Strategic behave as merge) and delete, with uids, resource versions, generations, the status
// split, finalizers, pod grace and optional owner garbage collection. No schemas, no defaults, no admission: where those
// matter use the embedded server (apiserver/testing).
//
//   FakeClient api(executor, clock);
//   api.put(pod);                                   // as a user would
//   api.onRequest = [](const FakeRequest& r) -> std::optional<Error> { … };   // fault injection
//   EXPECT_EQ(api.writes(), before);                // "the second run writes nothing"
#pragma once
#include <deque>
#include <map>

#include "base/clock.h"
#include "base/scope.h"
#include "kube/client.h"
#include "kube/signal.h"

namespace slipway::kube {

struct FakeRequest {
  std::string verb;  // get list watch create update patch delete
  std::string plural;
  Key key;  // name is empty for list and watch
  std::string subresource;
  Json body;
};

class FakeClient final : public Client {
 public:
  FakeClient(Executor executor, Clock& clock);
  ~FakeClient() override;

  Task<Result<Json>> get(Kind kind, Key key) override;
  Task<Result<List>> list(Kind kind, ListOptions options) override;
  Task<Result<std::unique_ptr<Watch>>> watch(Kind kind, ListOptions options, std::string resourceVersion) override;
  Task<Result<Json>> create(Kind kind, Json object, WriteOptions options) override;
  Task<Result<Json>> update(Kind kind, Json object, WriteOptions options) override;
  Task<Result<Json>> patch(Kind kind, Key key, PatchType type, Json patch, WriteOptions options) override;
  Task<Status> remove(Kind kind, Key key, DeleteOptions options) override;

  // Test side, without faults and not counted. put() creates or replaces, status included.
  Json put(Json object);
  void drop(const Kind& kind, const Key& key);        // gone at once, whatever its finalizers
  Json peek(const Kind& kind, const Key& key) const;  // null when absent
  std::vector<Json> all(const Kind& kind, const std::string& ns = "") const;
  void setStatus(const Kind& kind, const Key& key, Json status);
  // Deletes what has owner references and no living owner; returns how many went.
  std::size_t collectGarbage();
  // Watches that start before the current revision, and those now open, answer 410.
  void compact();
  // Open watches break with Unavailable.
  void breakWatches();

  std::function<std::optional<Error>(const FakeRequest&)> onRequest;  // an error here is the answer
  bool podGrace = false;                            // a pod with a node is only marked on delete, as by kube-apiserver
  bool autoCollect = false;                         // collectGarbage() after each delete
  std::uint64_t writes() const { return writes_; }  // requests that changed something
  const std::vector<FakeRequest>& log() const { return log_; }  // write requests, in order
  void clearLog() { log_.clear(); }
  std::uint64_t revision() const { return revision_; }

 private:
  class FakeWatch;
  using Table = std::map<Key, Json>;
  struct Change {
    std::uint64_t revision;
    std::string table;
    WatchEvent::Type type;
    Json object, old;
  };

  std::optional<Error> refuse(const FakeRequest& request);
  Result<Json> write(const Kind& kind, const Key& key, Json next, const WriteOptions& options);
  Json store(const std::string& table, const Key& key, Json object);
  void erase(const std::string& table, const Key& key);
  static std::string tableOf(const Kind& kind);

  Executor executor_;
  Clock& clock_;
  std::map<std::string, Table> tables_;
  std::deque<Change> changes_;
  std::uint64_t revision_ = 100;
  std::uint64_t compacted_ = 0;
  std::uint64_t brokenAt_ = 0;
  std::uint64_t writes_ = 0;
  std::vector<FakeRequest> log_;
  std::shared_ptr<Signal> changed_;
};

}  // namespace slipway::kube
