#include "apiserver/revision_log.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

namespace slipway::apiserver {
namespace {

// Version of the file's layout, kept in PRAGMA user_version.
constexpr int kFormat = 1;

constexpr const char* kSchema =
    "CREATE TABLE IF NOT EXISTS revisions(rv INTEGER PRIMARY KEY, resource TEXT NOT NULL, ns TEXT NOT NULL, name TEXT NOT "
    "NULL,"
    " deleted INTEGER NOT NULL, prev INTEGER NOT NULL, created INTEGER NOT NULL, value BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL);";

std::string columnText(sqlite3_stmt* s, int i) {
  const void* bytes = sqlite3_column_blob(s, i);
  const int size = sqlite3_column_bytes(s, i);
  return bytes ? std::string(static_cast<const char*>(bytes), static_cast<std::size_t>(size)) : std::string();
}

Row readRow(sqlite3_stmt* s) {
  Row row;
  row.revision = static_cast<std::uint64_t>(sqlite3_column_int64(s, 0));
  row.resource = columnText(s, 1);
  row.ns = columnText(s, 2);
  row.name = columnText(s, 3);
  row.deleted = sqlite3_column_int(s, 4) != 0;
  row.previous = static_cast<std::uint64_t>(sqlite3_column_int64(s, 5));
  row.writtenAt = sqlite3_column_int64(s, 6);
  row.text = columnText(s, 7);
  return row;
}

void bindText(sqlite3_stmt* s, int i, const std::string& text) {
  sqlite3_bind_text(s, i, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
}

}  // namespace

tl::unexpected<Error> RevisionLog::fault(const char* doing) const {
  const int code = db_ ? sqlite3_errcode(db_) : SQLITE_NOMEM;
  if (code == SQLITE_BUSY || code == SQLITE_LOCKED) {
    return fail(Code::Unavailable,
                fmt::format("store {}: in use by another process; stop it or choose another --data-dir", path_));
  }
  if (code == SQLITE_FULL) {
    return fail(Code::Unavailable,
                fmt::format("store {}: the disk is full; free space and try again (reads still work)", path_));
  }
  return fail(Code::Unavailable, fmt::format("store {}: {}: {}", path_, doing, db_ ? sqlite3_errmsg(db_) : "out of memory"));
}

namespace {

// The file holds Secrets: nobody but its owner may read it, whatever the umask is. SQLite gives its -wal the same mode.
void makePrivate(const std::string& path) {
  if (path == ":memory:") return;
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return;  // opening it as a database says why
  (void)::fchmod(fd, 0600);
  ::close(fd);
}

}  // namespace

Result<std::unique_ptr<RevisionLog>> RevisionLog::open(const std::string& path, bool fullSync) {
  makePrivate(path);
  std::unique_ptr<RevisionLog> log(new RevisionLog(path));
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  if (sqlite3_open_v2(path.c_str(), &log->db_, flags, nullptr) != SQLITE_OK) return log->fault("cannot open");
  SLIP_CHECK(log->prepare(fullSync));
  return log;
}

RevisionLog::~RevisionLog() {
  for (auto& [sql, s] : statements_) sqlite3_finalize(s);
  sqlite3_close(db_);
}

Status RevisionLog::prepare(bool fullSync) {
  // EXCLUSIVE before WAL: then no shared-memory file is needed and a second process gets SQLITE_BUSY.
  SLIP_CHECK(run("PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL;"));
  SLIP_CHECK(run(fullSync ? "PRAGMA synchronous=FULL;" : "PRAGMA synchronous=NORMAL;"));
  SLIP_CHECK(
      run("PRAGMA cache_size=-1024; PRAGMA temp_store=MEMORY; PRAGMA wal_autocheckpoint=1000; PRAGMA "
          "journal_size_limit=16777216;"));
  SLIP_TRY(const std::uint64_t format, number("PRAGMA user_version"));
  if (format > kFormat) {
    return fail(Code::Unavailable,
                fmt::format("store {}: written by a newer version (format {}, this one knows {})", path_, format, kFormat));
  }
  SLIP_CHECK(run(kSchema));
  SLIP_CHECK(run("PRAGMA user_version=1;"));
  SLIP_TRY(compacted_, number("SELECT value FROM meta WHERE key='compacted'"));
  SLIP_TRY(latest_, number("SELECT max(rv) FROM revisions"));
  latest_ = std::max(latest_, compacted_);
  return {};
}

Status RevisionLog::run(const char* sql) {
  if (sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return fault("cannot run");
  return {};
}

Result<sqlite3_stmt*> RevisionLog::statement(const char* sql) {
  for (auto& [text, s] : statements_) {
    if (text == sql) {
      sqlite3_reset(s);
      return s;
    }
  }
  sqlite3_stmt* s = nullptr;
  if (sqlite3_prepare_v3(db_, sql, -1, SQLITE_PREPARE_PERSISTENT, &s, nullptr) != SQLITE_OK) return fault("cannot prepare");
  statements_.emplace_back(sql, s);
  return s;
}

Result<std::uint64_t> RevisionLog::number(const char* sql) {
  SLIP_TRY(sqlite3_stmt * s, statement(sql));
  const int rc = sqlite3_step(s);
  const std::uint64_t value = rc == SQLITE_ROW ? static_cast<std::uint64_t>(sqlite3_column_int64(s, 0)) : 0;
  sqlite3_reset(s);
  if (rc != SQLITE_ROW && rc != SQLITE_DONE) return fault("cannot read");
  return value;
}

Status RevisionLog::forEach(const std::function<void(Row)>& visit) {
  SLIP_TRY(sqlite3_stmt * s, statement("SELECT rv,resource,ns,name,deleted,prev,created,value FROM revisions ORDER BY rv"));
  int rc = SQLITE_ROW;
  while ((rc = sqlite3_step(s)) == SQLITE_ROW) visit(readRow(s));
  sqlite3_reset(s);
  if (rc != SQLITE_DONE) return fault("cannot read");
  return {};
}

Status RevisionLog::begin() {
  pending_ = latest_;
  return run("BEGIN IMMEDIATE");
}

Status RevisionLog::append(const Row& row) {
  SLIP_TRY(sqlite3_stmt * s, statement("INSERT INTO revisions VALUES(?,?,?,?,?,?,?,?)"));
  sqlite3_bind_int64(s, 1, static_cast<sqlite3_int64>(row.revision));
  bindText(s, 2, row.resource);
  bindText(s, 3, row.ns);
  bindText(s, 4, row.name);
  sqlite3_bind_int(s, 5, row.deleted ? 1 : 0);
  sqlite3_bind_int64(s, 6, static_cast<sqlite3_int64>(row.previous));
  sqlite3_bind_int64(s, 7, row.writtenAt);
  sqlite3_bind_blob(s, 8, row.text.data(), static_cast<int>(row.text.size()), SQLITE_STATIC);
  const int rc = sqlite3_step(s);
  sqlite3_reset(s);
  sqlite3_clear_bindings(s);
  if (rc != SQLITE_DONE) return fault("cannot write");
  pending_ = row.revision;
  return {};
}

Status RevisionLog::commit() {
  SLIP_CHECK(run("COMMIT"));
  latest_ = pending_;
  return {};
}

void RevisionLog::rollback() { sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr); }

Result<std::vector<HistoryRow>> RevisionLog::since(const std::string& resource, std::uint64_t revision, int limit) {
  SLIP_TRY(sqlite3_stmt * s,
           statement("SELECT r.rv,r.resource,r.ns,r.name,r.deleted,r.prev,r.created,r.value,p.value FROM revisions r"
                     " LEFT JOIN revisions p ON p.rv=r.prev WHERE r.rv>? AND r.resource=? ORDER BY r.rv LIMIT ?"));
  sqlite3_bind_int64(s, 1, static_cast<sqlite3_int64>(revision));
  bindText(s, 2, resource);
  sqlite3_bind_int(s, 3, limit);
  std::vector<HistoryRow> rows;
  int rc = SQLITE_ROW;
  while ((rc = sqlite3_step(s)) == SQLITE_ROW) rows.push_back({readRow(s), columnText(s, 8)});
  sqlite3_reset(s);
  sqlite3_clear_bindings(s);
  if (rc != SQLITE_DONE) return fault("cannot read");
  return rows;
}

Status RevisionLog::compact(std::uint64_t upTo) {
  if (latest_ == 0) return {};
  upTo = std::min(upTo, latest_ - 1);  // the last row stays: it is what keeps revisions from going back
  if (upTo <= compacted_) return {};
  SLIP_TRY(sqlite3_stmt * s,
           statement("DELETE FROM revisions WHERE rv IN (SELECT prev FROM revisions WHERE rv>?1 AND rv<=?2 AND prev>0"
                     " UNION ALL SELECT rv FROM revisions WHERE rv>?1 AND rv<=?2 AND deleted=1)"));
  SLIP_TRY(sqlite3_stmt * m, statement("INSERT OR REPLACE INTO meta VALUES('compacted',?)"));
  SLIP_CHECK(run("BEGIN IMMEDIATE"));
  sqlite3_bind_int64(s, 1, static_cast<sqlite3_int64>(compacted_));
  sqlite3_bind_int64(s, 2, static_cast<sqlite3_int64>(upTo));
  sqlite3_bind_int64(m, 1, static_cast<sqlite3_int64>(upTo));
  const bool done = sqlite3_step(s) == SQLITE_DONE && sqlite3_step(m) == SQLITE_DONE;
  sqlite3_reset(s);
  sqlite3_reset(m);
  const Status committed = done ? run("COMMIT") : Status(fault("cannot compact"));
  if (!committed) {
    rollback();
    return committed;
  }
  compacted_ = upTo;
  return {};
}

Result<std::uint64_t> RevisionLog::newestBefore(std::int64_t seconds) {
  // Rows are in time order but for clock steps: walk from the oldest kept one.
  SLIP_TRY(sqlite3_stmt * s, statement("SELECT rv FROM revisions WHERE rv>? AND created>=? ORDER BY rv LIMIT 1"));
  sqlite3_bind_int64(s, 1, static_cast<sqlite3_int64>(compacted_));
  sqlite3_bind_int64(s, 2, seconds);
  const int rc = sqlite3_step(s);
  const std::uint64_t first = rc == SQLITE_ROW ? static_cast<std::uint64_t>(sqlite3_column_int64(s, 0)) : latest_ + 1;
  sqlite3_reset(s);
  if (rc != SQLITE_ROW && rc != SQLITE_DONE) return fault("cannot read");
  return first - 1;
}

}  // namespace slipway::apiserver
