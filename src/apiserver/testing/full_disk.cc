#include "apiserver/testing/full_disk.h"

#include <sqlite3.h>

namespace slipway::apiserver {

std::atomic<long> FullDisk::writesLeft{FullDisk::kRoom};

namespace {

// The real file lies right behind this one.
struct File {
  sqlite3_file base;
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

sqlite3_file* real(sqlite3_file* f) { return reinterpret_cast<File*>(f)->real(); }

int write(sqlite3_file* f, const void* bytes, int size, sqlite3_int64 at) {
  if (FullDisk::writesLeft == 0) return SQLITE_FULL;
  if (FullDisk::writesLeft > 0) --FullDisk::writesLeft;
  return real(f)->pMethods->xWrite(real(f), bytes, size, at);
}

// Version 1: no shared memory, which exclusive locking does without.
const sqlite3_io_methods kMethods = {
    1,
    [](sqlite3_file* f) { return real(f)->pMethods ? real(f)->pMethods->xClose(real(f)) : SQLITE_OK; },
    [](sqlite3_file* f, void* to, int size, sqlite3_int64 at) { return real(f)->pMethods->xRead(real(f), to, size, at); },
    write,
    [](sqlite3_file* f, sqlite3_int64 size) { return real(f)->pMethods->xTruncate(real(f), size); },
    [](sqlite3_file* f, int flags) { return real(f)->pMethods->xSync(real(f), flags); },
    [](sqlite3_file* f, sqlite3_int64* size) { return real(f)->pMethods->xFileSize(real(f), size); },
    [](sqlite3_file* f, int level) { return real(f)->pMethods->xLock(real(f), level); },
    [](sqlite3_file* f, int level) { return real(f)->pMethods->xUnlock(real(f), level); },
    [](sqlite3_file* f, int* held) { return real(f)->pMethods->xCheckReservedLock(real(f), held); },
    [](sqlite3_file* f, int op, void* arg) { return real(f)->pMethods->xFileControl(real(f), op, arg); },
    [](sqlite3_file* f) { return real(f)->pMethods->xSectorSize(real(f)); },
    [](sqlite3_file* f) { return real(f)->pMethods->xDeviceCharacteristics(real(f)); },
    nullptr,
    nullptr,
    nullptr,
    nullptr,
    nullptr,
    nullptr,
};

int openFile(sqlite3_vfs*, const char* name, sqlite3_file* f, int flags, int* out) {
  sqlite3_vfs* under = sqlite3_vfs_find(nullptr);
  f->pMethods = nullptr;
  const int rc = under->xOpen(under, name, real(f), flags, out);
  if (rc == SQLITE_OK) f->pMethods = &kMethods;
  return rc;
}

}  // namespace

void FullDisk::install() {
  static sqlite3_vfs vfs = [] {
    sqlite3_vfs copy = *sqlite3_vfs_find(nullptr);
    copy.zName = "full-disk";
    copy.pNext = nullptr;
    copy.szOsFile += static_cast<int>(sizeof(File));
    copy.xOpen = openFile;
    return copy;
  }();
  sqlite3_vfs_register(&vfs, 0);
}

}  // namespace slipway::apiserver
