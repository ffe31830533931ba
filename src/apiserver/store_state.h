// The inside of Store, shared by store.cc (callers' side) and store_writer.cc (writer thread). Not for other files.
#pragma once
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <thread>

#include "apiserver/revision_log.h"
#include "apiserver/store.h"

namespace slipway::apiserver {

using ObjectName = std::pair<std::string, std::string>;  // namespace, name

struct Bucket {
  std::map<ObjectName, EntryPtr> current;
  std::deque<Change> window;      // oldest first
  std::uint64_t droppedUpTo = 0;  // revision of the newest change that left the window
};

// One accepted call: a write closure, or a job that needs the writer's connection.
struct Job {
  WriteFn write;
  std::function<void(RevisionLog&)> job;
  bool dryRun = false;
  std::function<void(Status)> done;
};

struct PendingWrite {
  std::string resource;
  EntryPtr before, after;
  bool deleted = false;
};

struct Store::State {
  State(Executor e, StoreOptions o) : executor(std::move(e)), options(std::move(o)) {
    if (!options.clock) options.clock = std::make_shared<SystemClock>();
  }

  Executor executor;
  StoreOptions options;
  std::unique_ptr<RevisionLog> log;  // writer thread only, once started
  std::function<void(const Store::Batch&)> listener;

  mutable std::shared_mutex mutex;  // guards what readers see
  std::map<std::string, Bucket> buckets;
  std::deque<Bucket*> windowOrder;  // one entry per change in any window, oldest first
  std::size_t windowBytes = 0;
  std::uint64_t revision = 0;
  std::uint64_t compacted = 0;
  std::uint64_t loadedAt = 0;  // revision of the start: what was before is only in the table

  std::mutex queueMutex;
  std::condition_variable wake;
  std::deque<Job> queue;
  bool closing = false;
  std::thread writer;
  std::int64_t lastCompaction = 0;  // seconds since 1970
  std::int64_t lastSqueeze = 0;     // likewise, of a compaction because the quota is reached
  bool failing = false;             // the last write failed, and it was told

  std::int64_t wallSeconds() const;
  Status load();
  bool enqueue(Job job);
  void writerLoop();
  void runBatch(std::vector<Job>& jobs);
  Status quota();
  Status persist(const std::vector<PendingWrite>& writes);
  void publish(const std::vector<PendingWrite>& writes);
  void trimWindow();
  void compactIfDue();
  Status compactTo(std::uint64_t upTo);
};

}  // namespace slipway::apiserver
