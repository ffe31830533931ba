#include "apiserver/backup.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>

#include "apiserver/revision_log.h"

namespace slipway::apiserver {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kRestoreGap = 1'000'000;  // revisions that a server gave out after the copy was made, at most

using Database = std::unique_ptr<sqlite3, decltype(&sqlite3_close)>;
using Statement = std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)>;

tl::unexpected<Error> wrong(const std::string& path, const std::string& why) {
  return fail(Code::Invalid, fmt::format("{}: {}", path, why));
}

// The first column of the first row as text.
Result<std::string> ask(sqlite3* db, const std::string& path, const char* sql) {
  sqlite3_stmt* raw = nullptr;
  const int prepared = sqlite3_prepare_v2(db, sql, -1, &raw, nullptr);
  const Statement statement(raw, sqlite3_finalize);
  if (prepared != SQLITE_OK) return wrong(path, fmt::format("not a store of ours: {}", sqlite3_errmsg(db)));
  const int rc = sqlite3_step(raw);
  if (rc != SQLITE_ROW) return wrong(path, fmt::format("cannot be read: {}", sqlite3_errmsg(db)));
  const unsigned char* text = sqlite3_column_text(raw, 0);
  return std::string(text ? reinterpret_cast<const char*>(text) : "");
}

Result<std::uint64_t> count(sqlite3* db, const std::string& path, const char* sql) {
  SLIP_TRY(const std::string text, ask(db, path, sql));
  return std::strtoull(text.c_str(), nullptr, 10);
}

// On disk for good, with the name it has now.
Status sync(const std::string& path) {
  for (const std::string& name : {path, fs::path(path).parent_path().string()}) {
    const int fd = ::open(name.empty() ? "." : name.c_str(), O_RDONLY | O_CLOEXEC);
    const bool done = fd >= 0 && ::fsync(fd) == 0;
    const std::string why = std::strerror(errno);
    if (fd >= 0) ::close(fd);
    if (!done) return fail(Code::Unavailable, fmt::format("cannot write {} to disk: {}", name, why));
  }
  return {};
}

Status moveFile(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) == 0) return {};
  return fail(Code::Unavailable, fmt::format("cannot move {} to {}: {}", from, to, std::strerror(errno)));
}

}  // namespace

Result<StoreFacts> inspectStore(const std::string& path) {
  std::error_code ec;
  if (!fs::is_regular_file(path, ec)) return fail(Code::NotFound, fmt::format("{}: no such file", path));
  sqlite3* raw = nullptr;
  const int opened = sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READONLY, nullptr);
  const Database db(raw, sqlite3_close);
  if (opened != SQLITE_OK) return wrong(path, raw ? sqlite3_errmsg(raw) : "out of memory");
  SLIP_TRY(const std::uint64_t format, count(raw, path, "PRAGMA user_version"));
  if (format == 0 || format > 2)
    return wrong(path, format == 0 ? "not a store of ours" : fmt::format("written by a newer version (format {})", format));
  SLIP_TRY(const std::string healthy, ask(raw, path, "PRAGMA integrity_check(1)"));
  if (healthy != "ok") return wrong(path, "damaged: " + healthy);
  StoreFacts facts;
  SLIP_TRY(facts.revision, count(raw, path, "SELECT max(rv) FROM revisions"));
  SLIP_TRY(facts.objects, count(raw, path,
                                "SELECT count(*) FROM (SELECT max(rv), deleted FROM revisions GROUP BY resource, ns, name) "
                                "WHERE deleted=0"));
  SLIP_TRY(
      const std::uint64_t sealed,
      count(raw, path,
            "SELECT count(*) FROM revisions WHERE resource='secrets' AND substr(value,1,11)=CAST('slipway:enc' AS BLOB)"));
  facts.sealed = sealed != 0;
  facts.bytes = fs::file_size(path, ec);
  return facts;
}

Status copyStore(const std::string& from, const std::string& to) {
  sqlite3* source = nullptr;
  const int opened = sqlite3_open_v2(from.c_str(), &source, SQLITE_OPEN_READWRITE, nullptr);
  const Database reads(source, sqlite3_close);
  if (opened != SQLITE_OK) return wrong(from, source ? sqlite3_errmsg(source) : "out of memory");
  const int file = ::open(to.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return fail(Code::Unavailable, fmt::format("cannot write {}: {}", to, std::strerror(errno)));
  ::close(file);
  sqlite3* target = nullptr;
  int rc = sqlite3_open(to.c_str(), &target);
  const Database writes(target, sqlite3_close);
  sqlite3_backup* backup = rc == SQLITE_OK ? sqlite3_backup_init(target, "main", source, "main") : nullptr;
  if (backup) {
    sqlite3_backup_step(backup, -1);
    rc = sqlite3_backup_finish(backup);
  }
  if (rc == SQLITE_OK) rc = sqlite3_exec(target, "PRAGMA journal_mode=DELETE", nullptr, nullptr, nullptr);
  if (rc != SQLITE_OK)
    return fail(Code::Unavailable, fmt::format("cannot copy {} to {}: {}", from, to, sqlite3_errmsg(target)));
  return sync(to);
}

Status restoreStore(const std::string& from, const std::string& to) {
  const std::string fresh = to + ".restoring";
  std::error_code ec;
  for (const char* tail : {"", "-wal", "-shm", "-journal"}) fs::remove(fresh + tail, ec);
  // The copy may lie where nothing can be written: it is only read.
  if (!fs::copy_file(from, fresh, fs::copy_options::overwrite_existing, ec))
    return fail(Code::Unavailable, fmt::format("cannot copy {} to {}: {}", from, fresh, ec.message()));
  {
    SLIP_TRY(auto log, RevisionLog::openAsIs(fresh));
    SLIP_CHECK(log->skipRevisions(kRestoreGap));
  }
  if (fs::exists(to, ec)) {
    {
      SLIP_TRY(auto old, RevisionLog::openAsIs(to));
    }  // closing it brings its log of writes into the file
    SLIP_CHECK(moveFile(to, to + ".before-restore"));
  }
  for (const char* tail : {"-wal", "-shm", "-journal"}) fs::remove(to + tail, ec);
  SLIP_CHECK(moveFile(fresh, to));
  return sync(to);
}

}  // namespace slipway::apiserver
