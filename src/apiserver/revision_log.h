// RevisionLog: the table of revisions in SQLite, one row per write of any kind, the way kine keeps etcd's history.
//
//   revisions(rv PRIMARY KEY, resource, ns, name, deleted, prev, created, value)
//
// `value` is the object's JSON, of Secrets sealed when there is a SecretBox. `prev` is the revision that this row replaced
// (0: none). The file is opened exclusively: a second process is refused. Used by one thread, the store's writer. `path`
// ":memory:" keeps everything in memory, for tests.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "apiserver/secret_box.h"
#include "base/result.h"

struct sqlite3;
struct sqlite3_backup;
struct sqlite3_stmt;

namespace slipway::apiserver {

struct Row {
  std::uint64_t revision = 0;
  std::string resource, ns, name;
  bool deleted = false;
  std::uint64_t previous = 0;
  std::int64_t writtenAt = 0;  // seconds since 1970
  std::string text;
};

struct HistoryRow {
  Row row;
  std::string previousText;  // the state before; empty for a create
};

struct LogOptions {
  std::string path;
  bool fullSync =
      true;  // an fsync for every commit, so that an acknowledged write survives a power cut as well as a kill -9
  std::shared_ptr<const SecretBox> box = nullptr;  // null: Secrets are stored as they are
  std::string vfs = {};                            // SQLite's file layer; empty: the default. For tests of full disks
  bool asIs = false;                               // Secrets are neither checked nor sealed: see openAsIs
};

class RevisionLog {
 public:
  // Brings an older layout up to date and seals what the box would seal otherwise. Errors: Unavailable (in use by another
  // process, not writable, not a database of ours), each naming the path; Forbidden: sealed with a key that is not there.
  static Result<std::unique_ptr<RevisionLog>> open(LogOptions options);
  // Without looking at Secrets, so that it needs no keys; for commands that only move a file.
  static Result<std::unique_ptr<RevisionLog>> openAsIs(const std::string& path);
  ~RevisionLog();
  RevisionLog(const RevisionLog&) = delete;
  RevisionLog& operator=(const RevisionLog&) = delete;

  // The newest row of every object, and of those that were deleted too, oldest first. History is not read: it may be a
  // hundred times as much, and a start waits for this.
  Status forEachNewest(const std::function<void(Row)>& visit);
  std::uint64_t latest() const { return latest_; }        // the highest revision ever given out
  std::uint64_t compacted() const { return compacted_; }  // history up to here is gone

  Status begin();
  Status append(const Row& row);
  Status commit();
  void rollback();

  std::uint64_t usedBytes();  // of the file, without free pages

  // A copy of all into a new file, made `pages` at a time so that writes go on between; what is written meanwhile is in it.
  // One at a time: begin drops an unfinished one.
  Status beginBackup(const std::string& path);
  Result<bool> stepBackup(int pages);  // true: the copy is complete and closed
  // Gives out no revision up to latest() + `by`, and forgets all history: after a restore no client may go on from a
  // revision of the time that was undone.
  Status skipRevisions(std::uint64_t by);

  // Up to `limit` rows of `resource` after `revision`, oldest first.
  Result<std::vector<HistoryRow>> since(const std::string& resource, std::uint64_t revision, int limit);
  // Forgets what was superseded at or before `upTo` (always below latest()).
  Status compact(std::uint64_t upTo);
  // The newest revision written before `seconds`; 0 if none.
  Result<std::uint64_t> newestBefore(std::int64_t seconds);

 private:
  explicit RevisionLog(LogOptions options) : options_(std::move(options)), path_(options_.path) {}
  Status prepare();
  Status upgrade();
  Status sealAll();
  Status reveal(Row& row, std::string* previousText = nullptr) const;
  void dropBackup();
  Status run(const char* sql);
  Result<sqlite3_stmt*> statement(const char* sql);
  Result<std::uint64_t> number(const char* sql);
  tl::unexpected<Error> fault(const char* doing) const;

  LogOptions options_;
  std::string path_;
  sqlite3* db_ = nullptr;
  sqlite3* copy_ = nullptr;  // the backup under way
  sqlite3_backup* backup_ = nullptr;
  std::vector<std::pair<std::string, sqlite3_stmt*>> statements_;
  std::uint64_t latest_ = 0;
  std::uint64_t compacted_ = 0;
  std::uint64_t pending_ = 0;  // highest revision of the open transaction
};

}  // namespace slipway::apiserver
