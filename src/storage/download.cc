#include "storage/download.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "base/ids.h"

namespace slipway::storage {
namespace fs = std::filesystem;

Error writeError(const fs::path& path, int error) {
  if (error == ENOSPC || error == EDQUOT) {
    std::error_code ignored;
    const auto space = fs::space(path.parent_path(), ignored);
    return Error{Code::TooLarge,
                 fmt::format("disk full while writing {}: {} are free; free some space or give the volume more",
                             path.string(), describeBytes(ignored ? 0 : space.available)),
                 {}};
  }
  return Error{error == EACCES || error == EROFS || error == EPERM ? Code::Forbidden : Code::Internal,
               fmt::format("cannot write {}: {}", path.string(), std::strerror(error)),
               {}};
}

Status checkSpace(const fs::path& folder, std::uint64_t bytes) {
  std::error_code error;
  const auto space = fs::space(folder, error);
  if (error || bytes <= space.available) return {};
  return fail(Code::TooLarge,
              fmt::format("not enough space in {}: {} are needed ({} bytes), {} are free ({} bytes)", folder.string(),
                          describeBytes(bytes), bytes, describeBytes(space.available), space.available));
}

Status withRetries(const TransferSettings& settings, Progress& progress, const std::function<Status()>& attempt) {
  for (std::size_t tried = 1;; ++tried) {
    auto done = attempt();
    if (done || !worthRetry(done.error().code) || tried >= settings.attempts) {
      if (!done && tried > 1)
        return fail(done.error().code, fmt::format("{} (after {} attempts)", done.error().message, tried));
      return done;
    }
    ++progress.retries;
    const auto wait = settings.firstBackoff * (1LL << std::min<std::size_t>(tried - 1, 6));
    const double jitter = 0.5 + static_cast<double>(randomU64() % 1000) / 1000;
    std::this_thread::sleep_for(std::chrono::duration_cast<std::chrono::microseconds>(wait * jitter));
  }
}

namespace {
// One object on its way to disk: a part file and, for objects of several parts, a note of the parts that are complete.
class Target {
 public:
  Target(const SourceObject& object, const fs::path& folder, std::uint64_t chunk)
      : object_(object), final_(folder / object.path) {
    const std::string name = sha256Hex(object.path).substr(0, 24);
    part_ = folder / ".slipway-parts" / name;
    notes_ = folder / ".slipway-parts" / (name + ".done");
    const bool divided = object.size && object.ranges && *object.size > chunk;
    pieces_ = divided ? (*object.size + chunk - 1) / chunk : 1;
    chunk_ = divided ? chunk : object.size.value_or(0);
    left_ = pieces_;
  }
  ~Target() {
    if (fd_ >= 0) ::close(fd_);
  }
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;

  // Opens the part file and recalls the parts that an earlier run completed.
  Status open(Progress& progress) {
    done_.assign(pieces_, false);
    if (pieces_ > 1) recall(progress);
    const bool fresh = left_ == pieces_;
    fd_ = ::open(part_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | (fresh ? O_TRUNC : 0), 0644);
    if (fd_ < 0) return fail(writeError(part_, errno));
    if (object_.size && *object_.size > 0) {
      const int failed = ::fallocate(fd_, 0, 0, static_cast<off_t>(*object_.size));  // a full disk shows here, not at 99 %
      if (failed != 0 && (errno == ENOSPC || errno == EDQUOT)) return fail(writeError(part_, errno));
    }
    return {};
  }

  bool isDone(std::size_t piece) {
    const std::lock_guard lock(mutex_);
    return done_[piece];
  }
  std::size_t pieces() const { return pieces_; }
  bool complete() const { return left_ == 0; }

  Status fetch(Source& source, HttpTransfer& http, std::size_t piece, const TransferSettings& settings, Progress& progress) {
    ByteRange range{piece * chunk_, {}};
    if (pieces_ > 1) range.to = std::min(*object_.size, (piece + 1) * chunk_);
    std::uint64_t at = range.from;
    auto fetched = withRetries(settings, progress, [&] { return attempt(source, http, range, at, progress); });
    if (!fetched) return fetched;
    return finishPiece(piece);
  }

  // True but for the first caller: two parts that end together must not both finish the file. Under the download's mutex.
  bool taken() { return std::exchange(taken_, true); }

  Status finish() {
    if (fd_ >= 0 && ::close(std::exchange(fd_, -1)) != 0) return fail(writeError(part_, errno));
    std::error_code error;
    fs::create_directories(final_.parent_path(), error);
    if (error) return fail(writeError(final_.parent_path(), error.value()));
    fs::rename(part_, final_, error);
    if (error) return fail(writeError(final_, error.value()));
    fs::remove(notes_, error);
    return {};
  }

 private:
  Status attempt(Source& source, HttpTransfer& http, const ByteRange& range, std::uint64_t& at, Progress& progress) {
    if (!object_.ranges && at > 0) {
      progress.bytes -= at;
      at = 0;
      if (::ftruncate(fd_, 0) != 0) return fail(writeError(part_, errno));
    }
    const std::uint64_t end = range.to.value_or(object_.size.value_or(UINT64_MAX));
    if (object_.size && at == end) return {};
    std::optional<Error> fault;
    const ByteSink sink = [&](std::string_view bytes) {
      if (bytes.size() > end - at) {
        fault = Error{
            Code::Conflict, fmt::format("{} is larger than its listing said ({} bytes)", object_.path, *object_.size), {}};
        return false;
      }
      fault = write(bytes, at);
      at += bytes.size();
      progress.bytes += bytes.size();
      return !fault;
    };
    auto read = source.read(http, object_, ByteRange{at, range.to}, sink);
    if (fault) return fail(std::move(*fault));
    if (!read) return read;
    if (object_.size && at != end)
      return fail(Code::Unavailable, fmt::format("{}: {} of {} bytes came", object_.path, at, end));
    return {};
  }

  std::optional<Error> write(std::string_view bytes, std::uint64_t at) const {
    while (!bytes.empty()) {
      const ssize_t wrote = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(at));
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) return writeError(part_, errno);
      bytes.remove_prefix(static_cast<std::size_t>(wrote));
      at += static_cast<std::uint64_t>(wrote);
    }
    return std::nullopt;
  }

  std::string header() const { return fmt::format("{} {} {}", object_.etag, *object_.size, chunk_); }

  void recall(Progress& progress) {
    std::ifstream in(notes_);
    std::string first;
    std::error_code error;
    if (object_.etag.empty() || !std::getline(in, first) || first != header() ||
        fs::file_size(part_, error) != *object_.size || error) {
      std::ofstream(notes_, std::ios::trunc) << header() << "\n";
      return;
    }
    std::size_t piece = 0;
    while (in >> piece)
      if (piece < pieces_ && !done_[piece]) {
        done_[piece] = true;
        --left_;
        progress.bytes += std::min(*object_.size, (piece + 1) * chunk_) - piece * chunk_;
      }
  }

  Status finishPiece(std::size_t piece) {
    // On disk before it is noted as done: the file has its full size from the start, so only the note tells.
    if (::fdatasync(fd_) != 0) return fail(writeError(part_, errno));
    const std::lock_guard lock(mutex_);
    done_[piece] = true;
    if (pieces_ > 1) {
      std::ofstream notes(notes_, std::ios::app);
      if (!(notes << piece << "\n") || !notes.flush()) return fail(writeError(notes_, errno));
    }
    --left_;  // last: once none is left another thread may remove the notes
    return {};
  }

  const SourceObject& object_;
  fs::path final_, part_, notes_;
  bool taken_ = false;
  std::uint64_t chunk_ = 0;
  std::size_t pieces_ = 1;
  std::atomic<std::size_t> left_{1};
  std::vector<bool> done_;
  int fd_ = -1;
  std::mutex mutex_;
};

// Hands out pieces in order, so that few files are open at a time; the first error stops all.
class Download {
 public:
  Download(Source& source, const std::vector<SourceObject>& objects, const fs::path& folder,
           const TransferSettings& settings, Progress& progress)
      : source_(source), objects_(objects), folder_(folder), settings_(settings), progress_(progress) {}

  Status run() {
    const std::size_t threads = std::min<std::size_t>(settings_.concurrency, 64);
    std::vector<std::thread> pool;
    for (std::size_t i = 1; i < threads; ++i) pool.emplace_back([this] { work(); });
    work();
    for (auto& t : pool) t.join();
    if (error_) return fail(*error_);
    return {};
  }

 private:
  struct Piece {
    std::shared_ptr<Target> target;
    std::size_t index = 0;
  };

  void work() {
    HttpTransfer http(settings_);
    while (true) {
      auto piece = next();
      if (!piece) return;
      auto done = piece->target->fetch(source_, http, piece->index, settings_, progress_);
      if (done) done = finishIfComplete(*piece->target);
      if (!done) return stop(done.error());
    }
  }

  std::optional<Piece> next() {
    const std::lock_guard lock(mutex_);
    while (!error_) {
      if (current_ && piece_ < current_->pieces()) {
        if (current_->isDone(piece_)) {
          ++piece_;
          continue;
        }
        return Piece{current_, piece_++};
      }
      if (object_ == objects_.size()) return std::nullopt;
      current_ = std::make_shared<Target>(objects_[object_++], folder_, settings_.chunkBytes);
      piece_ = 0;
      auto opened = current_->open(progress_);
      if (opened && current_->complete()) opened = finish(*current_);  // all parts were there already
      if (!opened) error_ = opened.error();
    }
    return std::nullopt;
  }

  Status finishIfComplete(Target& target) {
    const std::lock_guard lock(mutex_);
    return target.complete() && !target.taken() ? finish(target) : Status{};
  }
  Status finish(Target& target) {
    auto done = target.finish();
    if (done) ++progress_.files;
    return done;
  }
  void stop(const Error& error) {
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = error;
  }

  Source& source_;
  const std::vector<SourceObject>& objects_;
  const fs::path& folder_;
  const TransferSettings& settings_;
  Progress& progress_;
  std::mutex mutex_;
  std::shared_ptr<Target> current_;
  std::size_t object_ = 0, piece_ = 0;
  std::optional<Error> error_;
};
}  // namespace

Status downloadAll(Source& source, const std::vector<SourceObject>& objects, const fs::path& folder,
                   const TransferSettings& settings, Progress& progress) {
  std::error_code error;
  const fs::path parts = folder / ".slipway-parts";
  fs::create_directories(parts, error);
  if (error) return fail(writeError(parts, error.value()));
  std::uint64_t total = 0;
  for (const auto& object : objects) total += object.size.value_or(0);
  progress.total = total;
  std::uint64_t kept = 0;  // blocks that an earlier run already took
  for (const auto& entry : fs::directory_iterator(parts, error)) {
    struct stat info{};
    if (::stat(entry.path().c_str(), &info) == 0) kept += static_cast<std::uint64_t>(info.st_blocks) * 512;
  }
  SLIP_CHECK(checkSpace(folder, total - std::min(total, kept)));
  SLIP_CHECK(Download(source, objects, folder, settings, progress).run());
  fs::remove_all(parts, error);
  return {};
}

}  // namespace slipway::storage
