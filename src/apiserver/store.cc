#include "apiserver/store.h"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <future>

#include "apiserver/store_state.h"

namespace slipway::apiserver {
namespace asio = boost::asio;

Result<std::unique_ptr<Store>> Store::open(Executor executor, StoreOptions options) {
  auto state = std::make_shared<State>(std::move(executor), std::move(options));
  const StoreOptions& o = state->options;
  SLIP_TRY(state->log, RevisionLog::open({o.path, o.fullSync, o.box, o.vfs}));
  SLIP_CHECK(state->load());
  State* raw = state.get();
  state->writer = std::thread([raw] { raw->writerLoop(); });
  return std::unique_ptr<Store>(new Store(std::move(state)));
}

Store::~Store() {
  {
    std::lock_guard lock(state_->queueMutex);
    state_->closing = true;
  }
  state_->wake.notify_all();
  if (state_->writer.joinable()) state_->writer.join();
}

Status Store::State::load() {
  Status bad;
  SLIP_CHECK(log->forEachNewest([&](Row row) {
    Bucket& bucket = buckets[row.resource];
    ObjectName key{row.ns, row.name};
    if (row.deleted) {
      bucket.current.erase(key);
      return;
    }
    EntryPtr entry = entryFromText(row.resource, std::move(row.text), row.revision);
    if (!entry) {
      bad = fail(Code::Internal, fmt::format("store {}: revision {} of {} {}/{} is not JSON", options.path, row.revision,
                                             row.resource, row.ns, row.name));
      return;
    }
    bucket.current[std::move(key)] = std::move(entry);
  }));
  SLIP_CHECK(bad);
  revision = log->latest();
  compacted = log->compacted();
  loadedAt = revision;
  for (auto& [name, bucket] : buckets) bucket.droppedUpTo = loadedAt;
  return {};
}

bool Store::State::enqueue(Job job) {
  {
    std::lock_guard lock(queueMutex);
    if (closing || (job.write && queue.size() >= options.queueLimit)) return false;
    queue.push_back(std::move(job));
  }
  wake.notify_one();
  return true;
}

namespace {

// Starts an operation that the writer thread completes on the caller's executor.
template <class Start>
Task<Status> onWriter(Start start) {
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Status)>(
      [start = std::move(start)](auto handler) mutable {
        auto executor = asio::get_associated_executor(handler);
        auto work = std::make_shared<asio::executor_work_guard<decltype(executor)>>(executor);
        auto held = std::make_shared<decltype(handler)>(std::move(handler));
        start([executor, work, held](Status status) {
          asio::post(executor, [work, held, status = std::move(status)]() mutable { std::move (*held)(std::move(status)); });
        });
      },
      asio::use_awaitable);
}

}  // namespace

Task<Status> Store::commit(WriteFn fn, bool dryRun) {
  auto state = state_;
  auto begin = [state, fn = std::move(fn), dryRun](std::function<void(Status)> done) mutable {
    if (!state->enqueue(Job{std::move(fn), nullptr, dryRun, done})) {
      done(fail(Code::TooMany, "the store has too many writes waiting; try again"));
    }
  };
  Status status = co_await onWriter(std::move(begin));
  co_return status;
}

Task<Result<std::vector<Change>>> Store::history(std::string resource, std::uint64_t revision, std::size_t limit) {
  auto state = state_;
  auto changes = std::make_shared<Result<std::vector<Change>>>();
  auto job = [changes, resource, revision, limit](RevisionLog& log) {
    if (revision < log.compacted()) {
      *changes = fail(Code::Gone, fmt::format("too old resource version: {} ({})", revision, log.compacted()));
      return;
    }
    auto rows = log.since(resource, revision, static_cast<int>(limit));
    if (!rows) {
      *changes = fail(rows.error());
      return;
    }
    for (HistoryRow& h : *rows) {
      Change change;
      change.revision = h.row.revision;
      change.deleted = h.row.deleted;
      if (!h.previousText.empty()) change.before = entryFromText(resource, std::move(h.previousText), h.row.previous);
      change.after = entryFromText(resource, std::move(h.row.text), h.row.revision);
      if (change.after) (*changes)->push_back(std::move(change));
    }
  };
  auto begin = [state, job = std::move(job)](std::function<void(Status)> done) mutable {
    if (!state->enqueue(Job{nullptr, std::move(job), false, done})) done(fail(Code::Unavailable, "the store is closing"));
  };
  Status status = co_await onWriter(std::move(begin));
  if (!status) co_return fail(status.error());
  co_return std::move(*changes);
}

namespace {

constexpr std::size_t kHistoryChunk = 512;  // changes read at once
constexpr int kBackupPages = 512;           // copied between two batches of writes

using Undo = std::map<ObjectName, EntryPtr>;  // what an object was before; null: it was not there

// The state of which `changes` made the present one.
void undo(Snapshot& snapshot, const Undo& before) {
  std::map<ObjectName, EntryPtr> all;
  for (EntryPtr& entry : snapshot.entries) all.emplace(ObjectName{entry->ns, entry->name}, std::move(entry));
  for (const auto& [name, entry] : before) all[name] = entry;
  snapshot.entries.clear();
  for (auto& [name, entry] : all) {
    if (entry) snapshot.entries.push_back(std::move(entry));
  }
}

}  // namespace

Task<Result<Snapshot>> Store::listAt(std::string resource, std::string ns, std::uint64_t revision) {
  if (revision < compacted()) co_return fail(Code::Gone, "compacted");
  Snapshot snapshot = list(resource, ns);
  Undo before;
  std::uint64_t cursor = revision;
  while (cursor < snapshot.revision) {
    Result<std::vector<Change>> changes;
    if (auto chunk = recent(resource, cursor, kHistoryChunk)) {
      changes = std::move(*chunk);
    } else {
      changes = co_await history(resource, cursor, kHistoryChunk);
    }
    if (!changes) co_return fail(changes.error());
    if (changes->empty()) break;
    for (const Change& change : *changes) {
      cursor = change.revision;
      if (cursor > snapshot.revision) break;
      const EntryPtr& any = change.after;
      if (ns.empty() || any->ns == ns) before.emplace(ObjectName{any->ns, any->name}, change.before);
    }
  }
  undo(snapshot, before);
  snapshot.revision = revision;
  co_return snapshot;
}

Task<Status> Store::backup(std::string path) {
  auto state = state_;
  bool begun = false;
  for (;;) {
    auto outcome = std::make_shared<Result<bool>>(false);
    auto job = [outcome, path, begun](RevisionLog& log) {
      if (!begun) {
        if (Status started = log.beginBackup(path); !started) *outcome = fail(started.error());
      } else {
        *outcome = log.stepBackup(kBackupPages);
      }
    };
    auto begin = [state, job = std::move(job)](std::function<void(Status)> done) mutable {
      if (!state->enqueue(Job{nullptr, std::move(job), false, done})) done(fail(Code::Unavailable, "the store is closing"));
    };
    Status ran = co_await onWriter(std::move(begin));
    if (!ran) co_return ran;
    if (!*outcome) co_return fail(outcome->error());
    if (**outcome) co_return Status{};
    begun = true;
  }
}

EntryPtr Store::get(const std::string& resource, const std::string& ns, const std::string& name) const {
  std::shared_lock lock(state_->mutex);
  auto bucket = state_->buckets.find(resource);
  if (bucket == state_->buckets.end()) return nullptr;
  auto it = bucket->second.current.find({ns, name});
  return it == bucket->second.current.end() ? nullptr : it->second;
}

Snapshot Store::list(const std::string& resource, const std::string& ns) const {
  std::shared_lock lock(state_->mutex);
  Snapshot snapshot{state_->revision, {}};
  auto bucket = state_->buckets.find(resource);
  if (bucket == state_->buckets.end()) return snapshot;
  const auto& current = bucket->second.current;
  if (ns.empty()) snapshot.entries.reserve(current.size());
  for (auto it = ns.empty() ? current.begin() : current.lower_bound({ns, ""}); it != current.end(); ++it) {
    if (!ns.empty() && it->first.first != ns) break;
    snapshot.entries.push_back(it->second);
  }
  return snapshot;
}

std::vector<std::string> Store::resourcesInUse() const {
  std::shared_lock lock(state_->mutex);
  std::vector<std::string> names;
  for (const auto& [name, bucket] : state_->buckets) {
    if (!bucket.current.empty()) names.push_back(name);
  }
  return names;
}

std::size_t Store::count(const std::string& resource) const {
  std::shared_lock lock(state_->mutex);
  auto bucket = state_->buckets.find(resource);
  return bucket == state_->buckets.end() ? 0 : bucket->second.current.size();
}

const std::string& Store::path() const { return state_->options.path; }

std::uint64_t Store::revision() const {
  std::shared_lock lock(state_->mutex);
  return state_->revision;
}

std::uint64_t Store::compacted() const {
  std::shared_lock lock(state_->mutex);
  return state_->compacted;
}

std::optional<std::vector<Change>> Store::recent(const std::string& resource, std::uint64_t revision,
                                                 std::size_t limit) const {
  std::shared_lock lock(state_->mutex);
  std::vector<Change> changes;
  auto found = state_->buckets.find(resource);
  // Nothing of this kind is left, but its last object may have been deleted after `revision` and compacted since.
  if (found == state_->buckets.end() && revision < state_->loadedAt) return std::nullopt;
  if (found == state_->buckets.end()) return changes;
  const Bucket& bucket = found->second;
  if (revision < bucket.droppedUpTo) return std::nullopt;
  auto it = std::upper_bound(bucket.window.begin(), bucket.window.end(), revision,
                             [](std::uint64_t r, const Change& c) { return r < c.revision; });
  for (; it != bucket.window.end() && changes.size() < limit; ++it) changes.push_back(*it);
  return changes;
}

void Store::setListener(std::function<void(const Batch&)> listener) {
  std::unique_lock lock(state_->mutex);
  state_->listener = std::move(listener);
}

Status Store::compact(std::uint64_t upTo) {
  std::promise<Status> done;
  Status result;
  State* state = state_.get();
  auto job = [state, upTo, &result](RevisionLog&) { result = state->compactTo(upTo); };
  const bool accepted = state_->enqueue(Job{nullptr, job, false, [&done](Status s) { done.set_value(std::move(s)); }});
  if (!accepted) return fail(Code::Unavailable, "the store is closing");
  SLIP_CHECK(done.get_future().get());
  return result;
}

}  // namespace slipway::apiserver
