#include <boost/asio/post.hpp>

#include "apiserver/api_status.h"
#include "apiserver/store_state.h"
#include "base/log.h"

namespace slipway::apiserver {
namespace asio = boost::asio;
namespace {

// The least time between two compactions by age; by count they happen as often as a quarter of the bound was written.
constexpr std::int64_t kCompactionSeconds = 60;

using BatchOverlay = std::map<std::string, std::map<ObjectName, EntryPtr>>;  // null: removed in this batch

// The view of one closure: what it wrote, over what its batch wrote, over what is committed.
class BatchTxn final : public Txn {
 public:
  BatchTxn(const std::map<std::string, Bucket>& base, const BatchOverlay& batch, std::uint64_t next, bool dryRun)
      : base_(base), batch_(batch), next_(next), dryRun_(dryRun) {}

  EntryPtr get(const std::string& resource, const std::string& ns, const std::string& name) const override {
    for (auto it = writes_.rbegin(); it != writes_.rend(); ++it) {
      if (it->resource == resource && it->after->name == name && it->after->ns == ns)
        return it->deleted ? nullptr : it->after;
    }
    const ObjectName key{ns, name};
    if (auto in = batch_.find(resource); in != batch_.end()) {
      if (auto it = in->second.find(key); it != in->second.end()) return it->second;
    }
    auto bucket = base_.find(resource);
    if (bucket == base_.end()) return nullptr;
    auto it = bucket->second.current.find(key);
    return it == bucket->second.current.end() ? nullptr : it->second;
  }

  std::vector<EntryPtr> list(const std::string& resource, const std::string& ns) const override {
    std::map<ObjectName, EntryPtr> all;
    if (auto bucket = base_.find(resource); bucket != base_.end()) all = bucket->second.current;
    if (auto in = batch_.find(resource); in != batch_.end()) {
      for (const auto& [key, entry] : in->second) all[key] = entry;
    }
    for (const PendingWrite& w : writes_) {
      if (w.resource == resource) all[{w.after->ns, w.after->name}] = w.deleted ? nullptr : w.after;
    }
    std::vector<EntryPtr> entries;
    for (auto& [key, entry] : all) {
      if (entry && (ns.empty() || entry->ns == ns)) entries.push_back(std::move(entry));
    }
    return entries;
  }

  EntryPtr put(const std::string& resource, Json object) override { return write(resource, std::move(object), false); }
  EntryPtr remove(const std::string& resource, Json last) override { return write(resource, std::move(last), true); }

  std::vector<PendingWrite> takeWrites() { return std::move(writes_); }

 private:
  EntryPtr write(const std::string& resource, Json object, bool deleted) {
    const Json& meta = at(object, "metadata");
    EntryPtr before = get(resource, textAt(meta, "namespace"), textAt(meta, "name"));
    EntryPtr after = makeEntry(resource, std::move(object), dryRun_ ? 0 : next_ + writes_.size());
    writes_.push_back({resource, std::move(before), after, deleted});
    return after;
  }

  const std::map<std::string, Bucket>& base_;
  const BatchOverlay& batch_;
  std::uint64_t next_;
  bool dryRun_;
  std::vector<PendingWrite> writes_;
};

// What is still written when the quota is reached: it leads to less.
bool onTheWayOut(const PendingWrite& w) { return w.deleted || w.after->deleting; }

Status runGuarded(const WriteFn& fn, Txn& txn) {
  try {
    return fn(txn);
  } catch (const std::exception& e) {
    return fail(Code::Internal, fmt::format("internal error: {}", e.what()));
  }
}

}  // namespace

std::int64_t Store::State::wallSeconds() const {
  return std::chrono::duration_cast<std::chrono::seconds>(options.clock->wall().time_since_epoch()).count();
}

void Store::State::writerLoop() {
  std::vector<Job> jobs;
  for (;;) {
    {
      std::unique_lock lock(queueMutex);
      wake.wait(lock, [this] { return closing || !queue.empty(); });
      if (queue.empty()) return;
      while (!queue.empty() && jobs.size() < options.batchLimit) {
        jobs.push_back(std::move(queue.front()));
        queue.pop_front();
      }
    }
    runBatch(jobs);
    jobs.clear();
    compactIfDue();
  }
}

void Store::State::runBatch(std::vector<Job>& jobs) {
  BatchOverlay overlay;
  std::vector<PendingWrite> writes;
  std::vector<Status> results(jobs.size());
  const Status room = quota();
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (!jobs[i].write) continue;
    // Only this thread changes the buckets, so it reads them without the lock.
    BatchTxn txn(buckets, overlay, revision + writes.size() + 1, jobs[i].dryRun);
    results[i] = runGuarded(jobs[i].write, txn);
    if (!results[i] || jobs[i].dryRun) continue;
    std::vector<PendingWrite> mine = txn.takeWrites();
    if (!room && !std::all_of(mine.begin(), mine.end(), onTheWayOut)) {
      results[i] = room;
      continue;
    }
    for (PendingWrite& w : mine) {
      overlay[w.resource][{w.after->ns, w.after->name}] = w.deleted ? nullptr : w.after;
      writes.push_back(std::move(w));
    }
  }
  const Status stored = persist(writes);
  if (stored) publish(writes);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (jobs[i].job) jobs[i].job(*log);
    if (!stored && jobs[i].write && results[i] && !jobs[i].dryRun) results[i] = stored;
    jobs[i].done(std::move(results[i]));
  }
}

Status Store::State::persist(const std::vector<PendingWrite>& writes) {
  if (writes.empty()) return {};
  const std::int64_t now = wallSeconds();
  Status status = log->begin();
  for (std::size_t i = 0; status && i < writes.size(); ++i) {
    const PendingWrite& w = writes[i];
    status = log->append(Row{w.after->revision, w.resource, w.after->ns, w.after->name, w.deleted,
                             w.before ? w.before->revision : 0, now, w.after->text});
  }
  if (status) status = log->commit();
  if (!status) log->rollback();
  // Told once, not for every write that meets a full disk.
  if (!status && !failing) logError("{}", status.error().message);
  if (status && failing) logInfo("store {}: writes work again", options.path);
  failing = !status;
  return status;
}

// An error when the file has reached its bound. History goes first: it can be had back only by writing.
Status Store::State::quota() {
  if (options.maxBytes == 0 || log->usedBytes() < options.maxBytes) return {};
  const std::int64_t now = wallSeconds();
  if (now != lastSqueeze) {
    lastSqueeze = now;
    if (Status done = compactTo(revision); !done) logWarn("{}", done.error().message);
    if (log->usedBytes() < options.maxBytes) return {};
  }
  return noSpace(
      fmt::format("database space exceeded: store {} has reached its quota of {} bytes (--db-quota-megabytes); delete "
                  "objects or raise it (reads and deletes still work)",
                  options.path, options.maxBytes));
}

void Store::State::publish(const std::vector<PendingWrite>& writes) {
  if (writes.empty()) return;
  auto batch = std::make_shared<Batch>();
  std::function<void(const Batch&)> notify;
  {
    std::unique_lock lock(mutex);
    for (const PendingWrite& w : writes) {
      auto [place, fresh] = buckets.try_emplace(w.resource);
      Bucket& bucket = place->second;
      if (fresh) bucket.droppedUpTo = loadedAt;
      const ObjectName key{w.after->ns, w.after->name};
      if (w.deleted)
        bucket.current.erase(key);
      else
        bucket.current[key] = w.after;
      Change change{w.after->revision, w.before, w.after, w.deleted};
      windowBytes += w.after->text.size();
      bucket.window.push_back(change);
      windowOrder.push_back(&bucket);
      revision = w.after->revision;
      batch->emplace_back(w.resource, std::move(change));
    }
    trimWindow();
    notify = listener;
  }
  if (notify) asio::post(executor, [notify = std::move(notify), batch] { notify(*batch); });
}

void Store::State::trimWindow() {
  while (!windowOrder.empty() && (windowOrder.size() > options.windowChanges || windowBytes > options.windowBytes)) {
    Bucket& bucket = *windowOrder.front();
    windowOrder.pop_front();
    windowBytes -= bucket.window.front().after->text.size();
    bucket.droppedUpTo = bucket.window.front().revision;
    bucket.window.pop_front();
  }
}

void Store::State::compactIfDue() {
  const std::int64_t now = wallSeconds();
  const std::size_t kept = revision - std::min(revision, log->compacted());
  const bool byCount = kept > options.historyRevisions + options.historyRevisions / 4;
  // A clock that was put back starts the minute anew.
  const bool byAge = now - lastCompaction >= kCompactionSeconds || now < lastCompaction;
  if (!byCount && !byAge) return;
  lastCompaction = now;
  std::uint64_t upTo = revision > options.historyRevisions ? revision - options.historyRevisions : 0;
  if (auto old = log->newestBefore(now - options.historyAge.count()); old) upTo = std::max(upTo, *old);
  if (Status done = compactTo(upTo); !done) logWarn("{}", done.error().message);
}

Status Store::State::compactTo(std::uint64_t upTo) {
  SLIP_CHECK(log->compact(upTo));
  std::unique_lock lock(mutex);
  compacted = log->compacted();
  return {};
}

}  // namespace slipway::apiserver
