#include "apiserver/revision_log.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apiserver/api_status.h"

namespace slipway::apiserver {
namespace {

// Version of the file's layout, kept in PRAGMA user_version: 1 was the first, 2 marks the file as ours (application_id).
constexpr int kFormat = 2;
const std::string kSecrets = "secrets";

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
    return noSpace(fmt::format("store {}: the disk is full; free space and try again (reads still work)", path_));
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

Result<std::unique_ptr<RevisionLog>> RevisionLog::open(LogOptions options) {
  makePrivate(options.path);
  std::unique_ptr<RevisionLog> log(new RevisionLog(std::move(options)));
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  const char* vfs = log->options_.vfs.empty() ? nullptr : log->options_.vfs.c_str();
  if (sqlite3_open_v2(log->path_.c_str(), &log->db_, flags, vfs) != SQLITE_OK) return log->fault("cannot open");
  SLIP_CHECK(log->prepare());
  return log;
}

Result<std::unique_ptr<RevisionLog>> RevisionLog::openAsIs(const std::string& path) {
  LogOptions options;
  options.path = path;
  options.asIs = true;
  return open(std::move(options));
}

RevisionLog::~RevisionLog() {
  dropBackup();
  for (auto& [sql, s] : statements_) sqlite3_finalize(s);
  sqlite3_close(db_);
}

Status RevisionLog::prepare() {
  // EXCLUSIVE before WAL: then no shared-memory file is needed and a second process gets SQLITE_BUSY.
  SLIP_CHECK(run("PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL;"));
  SLIP_CHECK(run(options_.fullSync ? "PRAGMA synchronous=FULL;" : "PRAGMA synchronous=NORMAL;"));
  SLIP_CHECK(
      run("PRAGMA cache_size=-1024; PRAGMA temp_store=MEMORY; PRAGMA wal_autocheckpoint=1000; PRAGMA "
          "journal_size_limit=16777216;"));
  // What was written over must not stay readable in free pages, above all Secrets of before they were sealed.
  if (options_.box) SLIP_CHECK(run("PRAGMA secure_delete=ON;"));
  SLIP_CHECK(upgrade());
  if (!options_.asIs) SLIP_CHECK(sealAll());
  SLIP_TRY(compacted_, number("SELECT value FROM meta WHERE key='compacted'"));
  SLIP_TRY(latest_, number("SELECT max(rv) FROM revisions"));
  latest_ = std::max(latest_, compacted_);
  return {};
}

// In one transaction; a file that is up to date is not written to, so that a full disk does not keep it from opening.
Status RevisionLog::upgrade() {
  SLIP_TRY(const std::uint64_t format, number("PRAGMA user_version"));
  if (format > kFormat) {
    return fail(Code::Unavailable,
                fmt::format("store {}: written by a newer version (format {}, this one knows {})", path_, format, kFormat));
  }
  if (format == kFormat) return {};
  SLIP_CHECK(run("BEGIN IMMEDIATE"));
  Status done = run(kSchema);
  if (done) done = run("PRAGMA application_id=1397510231; PRAGMA user_version=2;");  // "SLPW"
  if (done) done = run("COMMIT");
  if (!done) rollback();
  return done;
}

// Seals every Secret that is not sealed with the first key; without a box it only finds out that it should have one.
Status RevisionLog::sealAll() {
  SLIP_TRY(sqlite3_stmt * s,
           statement("SELECT rv,resource,ns,name,deleted,prev,created,value FROM revisions WHERE resource=?"));
  bindText(s, 1, kSecrets);
  std::vector<Row> rows;
  bool plain = false;  // some Secret is not sealed at all
  int rc = SQLITE_ROW;
  while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
    Row row = readRow(s);
    plain = plain || !SecretBox::isSealed(row.text);
    if (!options_.box && !SecretBox::isSealed(row.text)) continue;
    if (!options_.box || !options_.box->sealedWithFirst(row.text)) rows.push_back(std::move(row));
    if (!options_.box) break;
  }
  sqlite3_reset(s);
  if (rc != SQLITE_DONE && rc != SQLITE_ROW) return fault("cannot read");
  for (Row& row : rows) SLIP_CHECK(reveal(row));
  if (rows.empty()) return {};
  SLIP_TRY(sqlite3_stmt * u, statement("UPDATE revisions SET value=? WHERE rv=?"));
  SLIP_CHECK(run("BEGIN IMMEDIATE"));
  for (const Row& row : rows) {
    const std::string sealed = options_.box->seal(row.text, row.ns + "/" + row.name);
    sqlite3_bind_blob(u, 1, sealed.data(), static_cast<int>(sealed.size()), SQLITE_STATIC);
    sqlite3_bind_int64(u, 2, static_cast<sqlite3_int64>(row.revision));
    rc = sqlite3_step(u);
    sqlite3_reset(u);
    sqlite3_clear_bindings(u);
    if (rc != SQLITE_DONE) break;
  }
  const Status done = rc == SQLITE_DONE ? run("COMMIT") : Status(fault("cannot encrypt the Secrets"));
  if (!done) rollback();
  if (!done) return done;
  // What was deleted earlier may still lie in free space, and the log of writes holds the old text too.
  if (plain) SLIP_CHECK(run("VACUUM"));
  return run("PRAGMA wal_checkpoint(TRUNCATE)");
}

Status RevisionLog::reveal(Row& row, std::string* previousText) const {
  if (row.resource != kSecrets) return {};
  for (std::string* text : {&row.text, previousText}) {
    if (!text || !SecretBox::isSealed(*text)) continue;
    if (!options_.box) {
      return fail(
          Code::Forbidden,
          fmt::format("store {}: Secret {}/{} is encrypted with key {}; give the file of keys with --encryption-key-file",
                      path_, row.ns, row.name, SecretBox::keyOf(*text)));
    }
    auto opened = options_.box->open(*text, row.ns + "/" + row.name);
    if (!opened) return failIn("store " + path_, opened.error());
    *text = std::move(*opened);
  }
  return {};
}

std::uint64_t RevisionLog::usedBytes() {
  const auto pages = number("PRAGMA page_count");
  const auto unused = number("PRAGMA freelist_count");
  const auto size = number("PRAGMA page_size");
  return pages && unused && size ? (*pages - std::min(*pages, *unused)) * *size : 0;
}

void RevisionLog::dropBackup() {
  if (backup_) sqlite3_backup_finish(backup_);
  if (copy_) sqlite3_close(copy_);
  backup_ = nullptr;
  copy_ = nullptr;
}

Status RevisionLog::beginBackup(const std::string& path) {
  dropBackup();
  makePrivate(path);
  if (sqlite3_open(path.c_str(), &copy_) == SQLITE_OK) backup_ = sqlite3_backup_init(copy_, "main", db_, "main");
  if (backup_) return {};
  const std::string why = copy_ ? sqlite3_errmsg(copy_) : "out of memory";
  dropBackup();
  return fail(Code::Unavailable, fmt::format("cannot write the copy {}: {}", path, why));
}

Result<bool> RevisionLog::stepBackup(int pages) {
  if (!backup_) return fail(Code::Conflict, "another backup was begun; try again when it has ended");
  const int rc = sqlite3_backup_step(backup_, pages);
  if (rc == SQLITE_OK) return false;
  if (rc == SQLITE_DONE) {
    // One file, readable without a log of writes beside it.
    sqlite3_backup_finish(std::exchange(backup_, nullptr));
    const bool plain = sqlite3_exec(copy_, "PRAGMA journal_mode=DELETE", nullptr, nullptr, nullptr) == SQLITE_OK;
    dropBackup();
    if (plain) return true;
  }
  dropBackup();
  if (rc == SQLITE_FULL) return noSpace("the disk is full: no room for a copy of the store");
  return fail(Code::Unavailable, fmt::format("store {}: cannot be copied: {}", path_, sqlite3_errstr(rc)));
}

Status RevisionLog::skipRevisions(std::uint64_t by) {
  SLIP_CHECK(compact(latest_));
  SLIP_TRY(sqlite3_stmt * m, statement("INSERT OR REPLACE INTO meta VALUES('compacted',?)"));
  sqlite3_bind_int64(m, 1, static_cast<sqlite3_int64>(latest_ + by));
  const int rc = sqlite3_step(m);
  sqlite3_reset(m);
  if (rc != SQLITE_DONE) return fault("cannot write");
  latest_ = compacted_ = latest_ + by;
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

Status RevisionLog::forEachNewest(const std::function<void(Row)>& visit) {
  SLIP_TRY(sqlite3_stmt * s, statement("SELECT rv,resource,ns,name,deleted,prev,created,value FROM revisions"
                                       " WHERE rv NOT IN (SELECT prev FROM revisions) ORDER BY rv"));
  int rc = SQLITE_ROW;
  Status revealed;
  while (revealed && (rc = sqlite3_step(s)) == SQLITE_ROW) {
    Row row = readRow(s);
    revealed = reveal(row);
    if (revealed) visit(std::move(row));
  }
  sqlite3_reset(s);
  SLIP_CHECK(std::move(revealed));
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
  const bool secret = options_.box && row.resource == kSecrets;
  const std::string sealed = secret ? options_.box->seal(row.text, row.ns + "/" + row.name) : std::string();
  const std::string& text = secret ? sealed : row.text;
  sqlite3_bind_blob(s, 8, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
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
  for (HistoryRow& h : rows) SLIP_CHECK(reveal(h.row, &h.previousText));
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
