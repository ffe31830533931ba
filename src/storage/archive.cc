#include "storage/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/download.h"
#include "storage/source.h"

namespace slipway::storage {
namespace fs = std::filesystem;
namespace {
constexpr std::uint64_t kRatioFrom = 64 << 20;

class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  Fd(Fd&& o) noexcept : fd_(std::exchange(o.fd_, -1)) {}
  Fd& operator=(Fd&& o) noexcept {
    reset();
    fd_ = std::exchange(o.fd_, -1);
    return *this;
  }
  ~Fd() { reset(); }
  int get() const { return fd_; }
  void reset() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_;
};

struct Parts {
  std::vector<std::string> folders;
  std::string name;
};

Parts partsOf(const std::string& path) {
  Parts out;
  std::size_t from = 0;
  for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', from)) {
    out.folders.push_back(path.substr(from, slash - from));
    from = slash + 1;
  }
  out.name = path.substr(from);
  return out;
}

// Opens (and makes) the folder that holds `path`, step by step and never through a link: a link that the archive planted
// cannot redirect a later entry.
Result<Fd> openParent(const fs::path& root, const Parts& parts) {
  Fd at(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (at.get() < 0) return fail(writeError(root, errno));
  for (const auto& folder : parts.folders) {
    if (::mkdirat(at.get(), folder.c_str(), 0755) != 0 && errno != EEXIST) return fail(writeError(root / folder, errno));
    Fd next(::openat(at.get(), folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (next.get() < 0)
      return fail(Code::Invalid, fmt::format("its entry below '{}' would pass through a link or a file", folder));
    at = std::move(next);
  }
  return at;
}

// Link targets may climb with leading ".." parts only as far as the root, and not at all after that: a later part may be a
// link itself, whose ".." would lead elsewhere.
bool staysInside(const std::string& target, std::size_t depth) {
  if (target.empty() || target[0] == '/' || target.find('\0') != std::string::npos) return false;
  bool climbing = true;
  for (std::size_t from = 0; from <= target.size();) {
    const std::size_t slash = std::min(target.find('/', from), target.size());
    const std::string_view part(target.data() + from, slash - from);
    if (part == "..") {
      if (!climbing || depth == 0) return false;
      --depth;
    } else if (!part.empty() && part != ".") {
      climbing = false;
    }
    from = slash + 1;
  }
  return true;
}

class Unpacker {
 public:
  Unpacker(std::string name, fs::path root, const ArchiveLimits& limits)
      : name_(std::move(name)), root_(std::move(root)), limits_(limits) {
    reader_ = archive_read_new();
    archive_read_support_format_tar(reader_);
    archive_read_support_format_zip(reader_);
    archive_read_support_filter_gzip(reader_);
  }
  ~Unpacker() { archive_read_free(reader_); }
  Unpacker(const Unpacker&) = delete;
  Unpacker& operator=(const Unpacker&) = delete;

  Status openFile(const fs::path& path) {
    std::error_code error;
    packed_ = fs::file_size(path, error);
    if (archive_read_open_filename(reader_, path.c_str(), 256 << 10) != ARCHIVE_OK) return damaged();
    return {};
  }
  Status openBytes(std::string_view bytes) {
    packed_ = bytes.size();
    if (archive_read_open_memory(reader_, bytes.data(), bytes.size()) != ARCHIVE_OK) return damaged();
    return {};
  }

  Status run() {
    std::size_t entries = 0;
    while (true) {
      archive_entry* entry = nullptr;
      const int code = archive_read_next_header(reader_, &entry);
      if (code == ARCHIVE_EOF) break;
      if (code != ARCHIVE_OK && code != ARCHIVE_WARN) return damaged();
      if (++entries > limits_.entries)
        return refuse(Code::TooLarge, fmt::format("more than {} entries (STORAGE_MAX_ARCHIVE_ENTRIES)", limits_.entries));
      auto done = unpackEntry(entry);
      if (!done) return done;
    }
    if (files_ == 0) return refuse(Code::Invalid, "it holds no files");
    return {};
  }

 private:
  tl::unexpected<Error> refuse(Code code, const std::string& why) const {
    return fail(code, fmt::format("archive {}: {}", name_, why));
  }
  Status damaged() const {
    const char* said = archive_error_string(reader_);
    return refuse(Code::Invalid, fmt::format("damaged or not an archive: {}", said == nullptr ? "unknown fault" : said));
  }

  Status unpackEntry(archive_entry* entry) {
    const char* raw = archive_entry_pathname_utf8(entry);
    if (raw == nullptr) raw = archive_entry_pathname(entry);  // a name in no known encoding: its bytes as they are
    if (raw == nullptr) return refuse(Code::Invalid, "an entry has no name");
    std::string path = raw;
    while (path.starts_with("./")) path.erase(0, 2);
    while (path.ends_with('/')) path.pop_back();
    if (path.empty() || path == ".") return {};  // the root itself
    const auto safe = safeRelativePath(path);
    if (!safe) return refuse(Code::Invalid, safe.error().message);
    if (archive_entry_is_encrypted(entry) != 0) return refuse(Code::Invalid, fmt::format("entry '{}' is encrypted", path));
    const Parts parts = partsOf(path);
    if (parts.folders.size() > 64)
      return refuse(Code::Invalid, fmt::format("entry '{}' is nested deeper than 64 folders", path));
    auto parent = openParent(root_, parts);
    if (!parent) return refuse(parent.error().code, parent.error().message);
    if (archive_entry_hardlink(entry) != nullptr) return hardLink(entry, path, parts, parent->get());
    switch (archive_entry_filetype(entry)) {
      case AE_IFDIR: return makeFolder(parts, parent->get());
      case AE_IFREG: return writeFile(path, parts, parent->get());
      case AE_IFLNK: return symbolicLink(entry, path, parts, parent->get());
      default: return refuse(Code::Invalid, fmt::format("entry '{}' is a device, socket or pipe", path));
    }
  }

  Status makeFolder(const Parts& parts, int parent) const {
    if (::mkdirat(parent, parts.name.c_str(), 0755) != 0 && errno != EEXIST)
      return fail(writeError(root_ / parts.name, errno));
    return {};
  }

  Status writeFile(const std::string& path, const Parts& parts, int parent) {
    ::unlinkat(parent, parts.name.c_str(), 0);  // a later entry of the same name replaces the earlier one
    Fd file(::openat(parent, parts.name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (file.get() < 0) return fail(writeError(root_ / path, errno));
    ++files_;
    const void* data = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    std::int64_t end = 0;
    int code = ARCHIVE_OK;
    while ((code = archive_read_data_block(reader_, &data, &size, &offset)) == ARCHIVE_OK) {
      SLIP_CHECK(count(static_cast<std::uint64_t>(offset + static_cast<la_int64_t>(size) - end)));
      end = offset + static_cast<la_int64_t>(size);
      SLIP_CHECK(writeAll(file.get(), path, {static_cast<const char*>(data), size}, offset));
    }
    if (code != ARCHIVE_EOF) return damaged();
    return {};
  }

  // Holes of sparse entries count too: they are what a bomb is made of.
  Status count(std::uint64_t bytes) {
    unpacked_ += bytes;
    if (unpacked_ > limits_.bytes)
      return refuse(Code::TooLarge,
                    fmt::format("unpacks to more than {} (STORAGE_MAX_UNPACKED_BYTES)", describeBytes(limits_.bytes)));
    if (unpacked_ > kRatioFrom && unpacked_ / limits_.ratio > packed_)
      return refuse(Code::TooLarge, fmt::format("unpacks to more than {} times its size of {} (STORAGE_MAX_UNPACK_RATIO)",
                                                limits_.ratio, describeBytes(packed_)));
    return {};
  }

  Status writeAll(int fd, const std::string& path, std::string_view bytes, la_int64_t at) const {
    while (!bytes.empty()) {
      const ssize_t wrote = ::pwrite(fd, bytes.data(), bytes.size(), at);
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) return fail(writeError(root_ / path, errno));
      bytes.remove_prefix(static_cast<std::size_t>(wrote));
      at += wrote;
    }
    return {};
  }

  Status symbolicLink(archive_entry* entry, const std::string& path, const Parts& parts, int parent) const {
    const char* target = archive_entry_symlink(entry);
    if (target == nullptr || !staysInside(target, parts.folders.size()))
      return refuse(Code::Invalid,
                    fmt::format("link '{}' leads out of the archive, to '{}'", path, target == nullptr ? "" : target));
    char standing[4096];
    const ssize_t length = ::readlinkat(parent, parts.name.c_str(), standing, sizeof standing);
    if (length > 0 && std::string_view(standing, static_cast<std::size_t>(length)) == target)
      return {};  // of an earlier try
    if (::symlinkat(target, parent, parts.name.c_str()) != 0)
      return errno == EEXIST ? Status(refuse(Code::Invalid, fmt::format("link '{}' would replace an earlier entry", path)))
                             : Status(fail(writeError(root_ / path, errno)));
    return {};
  }

  Status hardLink(archive_entry* entry, const std::string& path, const Parts& parts, int parent) {
    std::string target = archive_entry_hardlink(entry);
    while (target.starts_with("./")) target.erase(0, 2);
    if (!safeRelativePath(target))
      return refuse(Code::Invalid, fmt::format("link '{}' leads out of the archive, to '{}'", path, target));
    const Parts from = partsOf(target);
    auto source = openParent(root_, from);
    if (!source) return refuse(Code::Invalid, fmt::format("link '{}': {}", path, source.error().message));
    // The target must be a plain file: a link to a link would move it to another depth, where its ".." leads elsewhere.
    struct stat info{};
    if (::fstatat(source->get(), from.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(info.st_mode))
      return refuse(Code::Invalid,
                    fmt::format("link '{}' to '{}', which is not a file before it in the archive", path, target));
    // What an unpacking that was killed half way left behind.
    struct stat standing{};
    if (target != path && ::fstatat(parent, parts.name.c_str(), &standing, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISREG(standing.st_mode))
      ::unlinkat(parent, parts.name.c_str(), 0);
    if (::linkat(source->get(), from.name.c_str(), parent, parts.name.c_str(), 0) != 0)
      return refuse(Code::Invalid, fmt::format("link '{}' to '{}': {}", path, target, std::strerror(errno)));
    ++files_;
    return {};
  }

  std::string name_;
  fs::path root_;
  ArchiveLimits limits_;
  struct archive* reader_;
  std::uint64_t packed_ = 0, unpacked_ = 0;
  std::size_t files_ = 0;
};
}  // namespace

bool isArchive(const std::string& fileName) {
  for (const char* extension : {".tar", ".tar.gz", ".tgz", ".zip"})
    if (fileName.ends_with(extension)) return true;
  return false;
}

Status unpackArchive(const fs::path& archive, const fs::path& folder, const ArchiveLimits& limits) {
  Unpacker unpacker(archive.filename(), folder, limits);
  SLIP_CHECK(unpacker.openFile(archive));
  return unpacker.run();
}

Status unpackBytes(std::string_view bytes, const std::string& name, const fs::path& folder, const ArchiveLimits& limits) {
  Unpacker unpacker(name, folder, limits);
  SLIP_CHECK(unpacker.openBytes(bytes));
  return unpacker.run();
}

}  // namespace slipway::storage
