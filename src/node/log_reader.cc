#include "node/log_reader.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <filesystem>

#include "node/shim/cri_log.h"
#include "node/shim/launch_file.h"

namespace slipway::node {
namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kChunk = 64 << 10;
constexpr std::int64_t kLongAgo = 1'000'000'000;  // seconds: before any log
// The end of a container shows in its log folder only if the log changed: look again now and then.
constexpr auto kRecheck = std::chrono::seconds(1);

// One file of a log: its name now and the file itself, which a rotation renames.
struct Part {
  std::string path;
  std::uint64_t inode = 0;
  bool operator==(const Part&) const = default;
};

std::uint64_t inodeOf(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

std::uint64_t inodeOf(int fd) {
  struct stat info{};
  return ::fstat(fd, &info) == 0 ? info.st_ino : 0;
}

// Oldest part first, the one that is being written last.
std::vector<Part> listParts(const std::string& path) {
  const fs::path whole(path);
  const std::string prefix = whole.filename().string() + ".";
  std::map<int, std::string, std::greater<>> rotated;
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(whole.parent_path(), ec)) {
    const std::string name = entry.path().filename().string();
    const int number = name.starts_with(prefix) ? std::atoi(name.c_str() + prefix.size()) : 0;
    if (number > 0 && name == prefix + std::to_string(number)) rotated[number] = entry.path().string();
  }
  std::vector<Part> parts;
  for (const auto& [number, name] : rotated) parts.push_back({name, inodeOf(name)});
  parts.push_back({path, inodeOf(path)});
  std::erase_if(parts, [](const Part& p) { return p.inode == 0; });
  return parts;
}

// As listParts, looked at between two rotations and not within one.
std::vector<Part> partsOf(const std::string& path) {
  std::vector<Part> parts = listParts(path);
  for (int tries = 0; tries < 100; ++tries) {
    std::vector<Part> again = listParts(path);
    if (again == parts) break;
    parts = std::move(again);
  }
  return parts;
}

struct Place {
  std::size_t part = 0;
  std::uint64_t offset = 0;
};

// Where the last `lines` whole lines of these files begin. Reads backwards in blocks.
Place tailStart(const std::vector<Part>& parts, std::int64_t lines) {
  if (parts.empty()) return {};
  if (lines <= 0) {
    std::error_code ec;
    const auto size = fs::file_size(parts.back().path, ec);
    return {parts.size() - 1, ec ? 0 : size};
  }
  std::int64_t seen = 0;
  for (std::size_t p = parts.size(); p-- > 0;) {
    const int fd = ::open(parts[p].path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue;
    std::vector<char> block(kChunk);
    const off_t size = ::lseek(fd, 0, SEEK_END);
    for (off_t end = size; end > 0;) {
      const off_t start = std::max<off_t>(0, end - static_cast<off_t>(block.size()));
      const ssize_t n = ::pread(fd, block.data(), static_cast<std::size_t>(end - start), start);
      for (ssize_t i = n - 1; i >= 0; --i) {
        if (block[static_cast<std::size_t>(i)] != '\n' || start + i + 1 == size) continue;
        // The line after this newline is a whole one unless it continues a P piece; pieces count as lines, as in the
        // kubelet.
        if (++seen == lines) {
          ::close(fd);
          return {p, static_cast<std::uint64_t>(start + i + 1)};
        }
      }
      end = start;
    }
    ::close(fd);
    if (size > 0 && ++seen == lines) return {p, 0};
  }
  return {0, 0};
}

class LogBody final : public net::BodyReader {
 public:
  LogBody(Executor executor, std::string path, kube::LogOptions options, WallTime now, std::function<bool()> running)
      : executor_(executor), path_(std::move(path)), options_(std::move(options)), running_(std::move(running)) {
    if (options_.stream == "Stdout") only_ = "stdout";
    if (options_.stream == "Stderr") only_ = "stderr";
    if (options_.sinceSeconds && *options_.sinceSeconds < kLongAgo)
      since_ = now - std::chrono::seconds(*options_.sinceSeconds);
    if (!options_.sinceTime.empty()) {
      WallTime t;
      if (parseRfc3339(options_.sinceTime, &t)) since_ = t;
    }
    if (options_.limitBytes) left_ = *options_.limitBytes;
    watch();
    openFirst();
  }
  ~LogBody() override {
    if (fd_ >= 0) ::close(fd_);
  }

  Task<Result<std::string>> read() override {
    while (left_ > 0) {
      std::string out = render(nextBytes());
      if (!out.empty()) {
        if (static_cast<std::int64_t>(out.size()) > left_) out.resize(static_cast<std::size_t>(left_));
        left_ -= static_cast<std::int64_t>(out.size());
        co_return out;
      }
      if (more_) continue;
      if (!options_.follow) break;
      // Ask first, read once more, then believe it: what was written before the end must not be lost.
      if (ending_) break;
      if (!running_()) {
        ending_ = true;
        continue;
      }
      co_await waitForChange();
    }
    co_return std::string();
  }

 private:
  void watch() {
    if (!options_.follow) return;
    const int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0) return;  // then only the recheck interval drives us
    const std::string folder = fs::path(path_).parent_path().string();
    ::inotify_add_watch(fd, folder.c_str(), IN_MODIFY | IN_CREATE | IN_MOVED_TO);
    inotify_ = std::make_unique<asio::posix::stream_descriptor>(executor_, fd);
  }

  Task<void> waitForChange() {
    using namespace asio::experimental::awaitable_operators;
    asio::steady_timer timer(executor_, kRecheck);
    if (!inotify_) {
      co_await timer.async_wait(asio::use_awaitable);
      co_return;
    }
    char buffer[4096];
    boost::system::error_code readError;
    boost::system::error_code timerError;
    auto got =
        co_await (inotify_->async_read_some(asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, readError)) ||
                  timer.async_wait(asio::redirect_error(asio::use_awaitable, timerError)));
    (void)got;
  }

  void openFirst() {
    for (int tries = 0; tries < 100 && fd_ < 0; ++tries) {
      const std::vector<Part> parts = partsOf(path_);
      if (parts.empty()) return;  // nothing written yet
      const Place start = options_.tailLines ? tailStart(parts, *options_.tailLines) : Place{};
      if (openPart(parts[start.part])) ::lseek(fd_, static_cast<off_t>(start.offset), SEEK_SET);
    }
  }

  // False when a rotation has renamed it meanwhile.
  bool openPart(const Part& part) {
    const int fd = ::open(part.path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    if (inodeOf(fd) != part.inode) {
      ::close(fd);
      return false;
    }
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
    inode_ = part.inode;
    return true;
  }

  // The next piece of the files; sets more_ when another call may give more at once.
  std::string nextBytes() {
    more_ = false;
    if (fd_ < 0) openFirst();
    if (fd_ < 0) return "";
    std::string bytes = readHere();
    if (bytes.empty() && !writtenTo()) {
      // Its file is no longer the one that is written. What came between our read and the rotation comes first.
      bytes = readHere();
      if (bytes.empty()) openNext();
      more_ = true;
    }
    more_ = more_ || !bytes.empty();
    return bytes;
  }

  std::string readHere() {
    std::string bytes(kChunk, '\0');
    const ssize_t n = ::read(fd_, bytes.data(), bytes.size());
    bytes.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return bytes;
  }

  // Whether what is being read is the newest file; so too while there is none, which a rotation makes soon.
  bool writtenTo() const {
    const std::uint64_t newest = inodeOf(path_);
    return newest == 0 || newest == inode_;
  }

  void openNext() {
    for (int tries = 0; tries < 100; ++tries) {
      const std::vector<Part> parts = partsOf(path_);
      std::size_t next = 0;  // ours was deleted: whatever is oldest now came after it
      for (std::size_t i = 0; i < parts.size(); ++i)
        if (parts[i].inode == inode_) next = i + 1;
      if (next >= parts.size() || openPart(parts[next])) return;
    }
  }

  std::string render(const std::string& bytes) {
    pending_ += bytes;
    std::string out;
    std::size_t from = 0;
    for (std::size_t newline = pending_.find('\n'); newline != std::string::npos; newline = pending_.find('\n', from)) {
      CriLine line;
      if (parseCriLine(std::string_view(pending_).substr(from, newline - from), &line) && wanted(line)) {
        if (options_.timestamps && !inLine_) out.append(line.time).append(" ");
        out.append(line.text);
        if (line.complete) out += '\n';
        inLine_ = !line.complete;
      }
      from = newline + 1;
    }
    pending_.erase(0, from);
    return out;
  }

  bool wanted(const CriLine& line) {
    if (!only_.empty() && line.stream != only_) return false;
    if (!since_) return true;
    WallTime t;
    if (parseRfc3339(std::string(line.time), &t) && t < *since_) return false;
    since_.reset();  // times only grow
    return true;
  }

  Executor executor_;
  std::string path_;
  kube::LogOptions options_;
  std::function<bool()> running_;
  std::string_view only_;  // the one stream that is wanted; empty: both
  int fd_ = -1;
  std::uint64_t inode_ = 0;
  std::optional<WallTime> since_;
  std::int64_t left_ = std::numeric_limits<std::int64_t>::max();
  std::string pending_;
  bool inLine_ = false;
  bool more_ = false;
  bool ending_ = false;
  std::unique_ptr<asio::posix::stream_descriptor> inotify_;
};

}  // namespace

std::string lastLogText(const std::string& path, std::size_t maxBytes, std::size_t maxLines) {
  const auto parts = partsOf(path);
  const auto [part, offset] = tailStart(parts, static_cast<std::int64_t>(maxLines));
  std::string text;
  for (std::size_t i = part; i < parts.size(); ++i) {
    std::string raw = readWholeFile(parts[i].path).value_or("");
    if (i == part) raw.erase(0, offset);
    std::size_t from = 0;
    for (std::size_t newline = raw.find('\n'); newline != std::string::npos; newline = raw.find('\n', from)) {
      CriLine line;
      if (parseCriLine(std::string_view(raw).substr(from, newline - from), &line))
        text.append(line.text).append(line.complete ? "\n" : "");
      from = newline + 1;
    }
  }
  if (text.size() > maxBytes) text.erase(0, text.size() - maxBytes);
  return text;
}

net::Body openLog(Executor executor, const std::string& path, const kube::LogOptions& options, WallTime now,
                  std::function<bool()> stillRunning) {
  return net::Body(std::make_unique<LogBody>(executor, path, options, now, std::move(stillRunning)));
}

}  // namespace slipway::node
