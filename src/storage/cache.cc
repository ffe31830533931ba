#include "storage/cache.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <openssl/evp.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "base/ids.h"
#include "base/log.h"
#include "storage/download.h"
#include "storage/source.h"

namespace slipway::storage {
namespace fs = std::filesystem;
namespace {
// flock on a file for the life of this object. The kernel drops it when the process dies.
class FileLock {
 public:
  static Result<FileLock> take(const fs::path& path, int operation) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) return fail(writeError(path, errno));
    FileLock lock(fd);
    while (::flock(fd, operation) != 0)
      if (errno != EINTR) return fail(writeError(path, errno));
    return lock;
  }
  FileLock(FileLock&& o) noexcept : fd_(std::exchange(o.fd_, -1)) {}
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock() {
    if (fd_ >= 0) ::close(fd_);
  }

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_;
};

struct Line {
  std::string sha256;
  std::uint64_t size = 0;
  std::string path;
};

// A manifest's lines; none when it is not there or was written by something else.
std::vector<Line> readManifest(const fs::path& path) {
  std::ifstream in(path);
  std::vector<Line> out;
  Line line;
  while (in >> line.sha256 >> line.size && in.get() == ' ' && std::getline(in, line.path))
    if (line.sha256.size() == 64 && safeRelativePath(line.path)) out.push_back(line);
  return out;
}

Status copyFile(int from, const fs::path& target) {
  const int to = ::open(target.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (to < 0) return fail(writeError(target, errno));
  std::string buffer(1 << 20, '\0');
  Status result;
  for (ssize_t got = 0; result && (got = ::read(from, buffer.data(), buffer.size())) > 0;)
    for (ssize_t at = 0; at < got;) {
      const ssize_t wrote = ::write(to, buffer.data() + at, static_cast<std::size_t>(got - at));
      if (wrote < 0) {
        result = fail(writeError(target, errno));
        break;
      }
      at += wrote;
    }
  if (::close(to) != 0 && result) result = fail(writeError(target, errno));
  return result;
}

// Gives `target` the content of `blob`: a reflink, else a hard link, else a copy. False when the blob is gone.
Result<bool> giveFile(const fs::path& blob, const fs::path& target) {
  std::error_code error;
  fs::create_directories(target.parent_path(), error);
  if (error) return fail(writeError(target.parent_path(), error.value()));
  fs::remove(target, error);
  const int from = ::open(blob.c_str(), O_RDONLY | O_CLOEXEC);
  if (from < 0) return false;
  const int to = ::open(target.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (to < 0) {
    ::close(from);
    return fail(writeError(target, errno));
  }
  const bool cloned = ::ioctl(to, FICLONE, from) == 0;
  ::close(to);
  Status result;
  if (!cloned) {
    fs::remove(target, error);
    if (::link(blob.c_str(), target.c_str()) != 0) result = copyFile(from, target);  // another file system
  }
  ::close(from);
  if (!result) return fail(std::move(result).error());
  return true;
}
}  // namespace

Result<std::string> sha256OfFile(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail(Code::Internal, fmt::format("cannot read {}: {}", path.string(), std::strerror(errno)));
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  EVP_DigestInit_ex(context, EVP_sha256(), nullptr);
  std::string buffer(1 << 20, '\0');
  ssize_t got = 0;
  while ((got = ::read(fd, buffer.data(), buffer.size())) > 0)
    EVP_DigestUpdate(context, buffer.data(), static_cast<std::size_t>(got));
  ::close(fd);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_DigestFinal_ex(context, digest, &size);
  EVP_MD_CTX_free(context);
  if (got < 0) return fail(Code::Internal, fmt::format("cannot read {}: {}", path.string(), std::strerror(errno)));
  std::string out;
  for (unsigned i = 0; i < size; ++i) fmt::format_to(std::back_inserter(out), "{:02x}", digest[i]);
  return out;
}

Status ModelCache::prepare() const {
  for (const char* name : {"blobs", "manifests", "staging", "locks"}) {
    std::error_code error;
    fs::create_directories(folder_ / name, error);
    if (error) return failIn("model cache", writeError(folder_ / name, error.value()));
  }
  return {};
}

bool ModelCache::has(const std::string& key) const {
  std::error_code error;
  return fs::exists(manifest(key), error);
}

Status ModelCache::provide(const std::string& key, const fs::path& target,
                           const std::function<Status(const fs::path&)>& fill) {
  SLIP_CHECK(prepare());
  SLIP_TRY(const bool already, handOut(key, target));
  if (already) return {};
  {
    SLIP_TRY(const auto turn, FileLock::take(lockOf(key), LOCK_EX));
    SLIP_TRY(const bool meanwhile, handOut(key, target));  // another process did it while we waited
    if (meanwhile) return {};
    const fs::path staging = folder_ / "staging" / key;
    std::error_code error;
    fs::create_directories(staging, error);
    if (error) return fail(writeError(staging, error.value()));
    SLIP_CHECK(fill(staging));
    SLIP_TRY(const auto shared, FileLock::take(folder_ / "lock", LOCK_SH));  // no eviction between store and hand-out
    SLIP_CHECK(store(key, staging));
    fs::remove_all(staging, error);
    for (const Line& line : readManifest(manifest(key))) {
      SLIP_TRY(const bool given, giveFile(folder_ / "blobs" / line.sha256, target / line.path));
      if (!given)
        return fail(Code::Internal, fmt::format("model cache {}: file {} vanished", folder_.string(), line.sha256));
    }
  }
  evict();
  return {};
}

Result<bool> ModelCache::handOut(const std::string& key, const fs::path& target) const {
  if (!has(key)) return false;
  SLIP_TRY(const auto shared, FileLock::take(folder_ / "lock", LOCK_SH));
  const auto lines = readManifest(manifest(key));
  std::error_code error;
  for (const Line& line : lines) {
    const fs::path blob = folder_ / "blobs" / line.sha256;
    if (fs::file_size(blob, error) != line.size || error) {  // cut short by a power failure, or removed by hand
      fs::remove(manifest(key), error);
      fs::remove(blob, error);
      return false;
    }
  }
  for (const Line& line : lines) {
    SLIP_TRY(const bool given, giveFile(folder_ / "blobs" / line.sha256, target / line.path));
    if (!given) return false;
  }
  fs::last_write_time(manifest(key), fs::file_time_type::clock::now(), error);
  return !lines.empty();
}

Status ModelCache::store(const std::string& key, const fs::path& staging) const {
  std::string text;
  std::error_code error;
  for (fs::recursive_directory_iterator it(staging, error), end; it != end; it.increment(error)) {
    if (error) break;
    if (it->is_directory() && !it->is_symlink()) continue;
    // A link inside an archive becomes the file it leads to: the archive's unpacker has checked that it stays inside.
    if (!fs::is_regular_file(it->path(), error)) continue;
    SLIP_TRY(const std::string sum, sha256OfFile(it->path()));
    const std::string relative = fs::relative(it->path(), staging).string();
    if (relative.find('\n') != std::string::npos) return fail(Code::Invalid, "a file name holds a line break");
    text += fmt::format("{} {} {}\n", sum, fs::file_size(it->path(), error), relative);
    const fs::path blob = folder_ / "blobs" / sum;
    const auto kept = fs::file_size(blob, error);
    if (!error && kept == fs::file_size(it->path(), error)) continue;
    fs::remove(blob, error);  // absent, or cut short by a power failure
    const fs::path source = it->is_symlink() ? fs::canonical(it->path(), error) : it->path();
    fs::permissions(source, fs::perms::owner_read | fs::perms::group_read | fs::perms::others_read, error);
    if (::link(source.c_str(), blob.c_str()) != 0 && errno != EEXIST) return failIn("model cache", writeError(blob, errno));
  }
  if (text.empty()) return fail(Code::NotFound, "the model has no files");
  const fs::path fresh = folder_ / "staging" / (key + "." + randomHex(6));
  {
    std::ofstream out(fresh);
    if (!(out << text) || !out.flush()) return failIn("model cache", writeError(fresh, errno));
  }
  fs::rename(fresh, manifest(key), error);
  if (error) return failIn("model cache", writeError(manifest(key), error.value()));
  return {};
}

std::uint64_t ModelCache::bytes() const {
  std::uint64_t total = 0;
  std::error_code error;
  for (const auto& blob : fs::directory_iterator(folder_ / "blobs", error)) {
    const std::uint64_t size = blob.file_size(error);
    if (!error) total += size;
  }
  return total;
}

// Lock files stay: one that is removed while another process waits for it would let two in. Keys share 4096 of them.
fs::path ModelCache::lockOf(const std::string& key) const { return folder_ / "locks" / key.substr(0, 3); }

// Downloads that broke off more than a day ago and that nobody came back for.
void ModelCache::sweepStaging() const {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder_ / "staging", error)) {
    const auto age = fs::file_time_type::clock::now() - fs::last_write_time(entry.path(), error);
    if (error || age < std::chrono::hours(24)) continue;
    const auto lock = FileLock::take(lockOf(entry.path().filename()), LOCK_EX | LOCK_NB);
    if (lock) fs::remove_all(entry.path(), error);
  }
}

void ModelCache::evict() {
  sweepStaging();
  if (bytes() <= maxBytes_) return;
  auto alone = FileLock::take(folder_ / "lock", LOCK_EX);
  if (!alone) return;
  struct Used {
    fs::file_time_type at;
    fs::path manifest;
    std::vector<Line> lines;
  };
  std::vector<Used> all;
  std::map<std::string, std::size_t> references;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder_ / "manifests", error)) {
    all.push_back({fs::last_write_time(entry.path(), error), entry.path(), readManifest(entry.path())});
    for (const Line& line : all.back().lines) ++references[line.sha256];
  }
  for (const auto& blob : fs::directory_iterator(folder_ / "blobs", error))  // left by a crash before its manifest
    if (references.find(blob.path().filename()) == references.end()) fs::remove(blob.path(), error);
  std::sort(all.begin(), all.end(), [](const Used& a, const Used& b) { return a.at < b.at; });
  std::uint64_t total = bytes();
  for (const Used& used : all) {
    if (total <= maxBytes_) break;
    fs::remove(used.manifest, error);
    for (const Line& line : used.lines)
      if (--references[line.sha256] == 0 && fs::remove(folder_ / "blobs" / line.sha256, error))
        total -= std::min(total, line.size);
  }
  logInfo("model cache {}: trimmed to {} (bound {}, SLIPWAY_STORAGE_CACHE_BYTES)", folder_.string(), describeBytes(total),
          describeBytes(maxBytes_));
}

}  // namespace slipway::storage
