// Store: every object and one global revision, on SQLite, with the current state and the newest changes in memory.
//
// Writes are closures. One writer thread runs those that wait in a single transaction (group commit), commits it to disk,
// publishes the result to readers and only then resumes the callers: an acknowledged write is durable. A closure sees the
// writes of those before it, so read-check-write needs no retry. Reads never touch the disk and are safe from any thread.
//
//   auto written = co_await store.commit([&](Txn& txn) -> Status {
//     if (txn.get("pods", "default", "web")) return fail(Code::AlreadyExists, "…");
//     stored = txn.put("pods", pod);   return {};
//   });
#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apiserver/entry.h"
#include "apiserver/secret_box.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/scope.h"
#include "base/task.h"

namespace slipway::apiserver {

struct StoreOptions {
  std::string path = ":memory:";
  bool fullSync = true;                  // fsync for each commit
  std::size_t historyRevisions = 10000;  // kept in the table for watches that resume
  std::chrono::seconds historyAge{3600};
  std::size_t windowChanges = 2000;  // kept in memory, over all resources
  std::size_t windowBytes = 4 << 20;
  std::size_t queueLimit = 4096;                   // writes that wait; further ones get TooMany
  std::size_t batchLimit = 256;                    // writes in one transaction
  std::uint64_t maxBytes = 2ULL << 30;             // of the file; beyond, only what deletes is written. 0: no bound
  std::shared_ptr<const SecretBox> box = nullptr;  // seals Secrets in the file; null: they are stored as they are
  std::string vfs = {};                            // as LogOptions
  std::shared_ptr<Clock> clock = nullptr;          // whose wall time ages history; null: the system's
};

struct Snapshot {
  std::uint64_t revision = 0;     // of the whole store when the entries were read
  std::vector<EntryPtr> entries;  // ordered by namespace, then name
};

// What a write closure may do. Valid only inside the closure, on the writer thread.
class Txn {
 public:
  virtual ~Txn() = default;
  virtual EntryPtr get(const std::string& resource, const std::string& ns, const std::string& name) const = 0;
  virtual std::vector<EntryPtr> list(const std::string& resource, const std::string& ns) const = 0;
  // Creates or replaces the object named by its metadata; the entry carries the new revision.
  virtual EntryPtr put(const std::string& resource, Json object) = 0;
  // Removes it; `last` is the final state that watches see.
  virtual EntryPtr remove(const std::string& resource, Json last) = 0;
};

using WriteFn = std::function<Status(Txn&)>;

class Store {
 public:
  // Loads the file. `executor` is where listeners run. Errors as RevisionLog::open.
  static Result<std::unique_ptr<Store>> open(Executor executor, StoreOptions options = {});
  ~Store();  // finishes what was accepted, then closes

  // Runs fn on the writer thread. Its error, or an exception it throws, undoes what it wrote; the others of its batch stand.
  // With dryRun nothing is kept in any case. Errors of our own: TooMany (queue full), Unavailable (closed), Internal with
  // the Status of noSpace (disk full, quota reached: what deletes is still written).
  Task<Status> commit(WriteFn fn, bool dryRun = false);

  EntryPtr get(const std::string& resource, const std::string& ns, const std::string& name) const;
  Snapshot list(const std::string& resource, const std::string& ns = "") const;  // ns "": all
  std::vector<std::string> resourcesInUse() const;                               // that hold at least one object
  std::size_t count(const std::string& resource) const;
  const std::string& path() const;
  std::uint64_t revision() const;
  std::uint64_t compacted() const;  // watches from before this get Gone

  // Changes of `resource` after `revision` from memory, at most `limit`; nullopt when memory does not reach back that far.
  std::optional<std::vector<Change>> recent(const std::string& resource, std::uint64_t revision, std::size_t limit) const;
  // The same from the table. Gone when compacted.
  Task<Result<std::vector<Change>>> history(std::string resource, std::uint64_t revision, std::size_t limit);

  // The objects of a resource as they were at `revision`. Gone when that is compacted.
  Task<Result<Snapshot>> listAt(std::string resource, std::string ns, std::uint64_t revision);
  // A consistent copy of the store in a new file, while reads and writes go on.
  Task<Status> backup(std::string path);

  // Called on the executor once per batch, in order, with what was committed. Set before the first write.
  using Batch = std::vector<std::pair<std::string, Change>>;  // resource, change
  void setListener(std::function<void(const Batch&)> listener);
  Status compact(std::uint64_t upTo);  // blocks; the writer does it by itself, this is for tests

 private:
  struct State;
  explicit Store(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

}  // namespace slipway::apiserver
