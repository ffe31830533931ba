#include "node/shim/cri_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

namespace slipway::node {
namespace {

std::string formatNanos(WallTime now) {
  const std::int64_t n = std::chrono::duration_cast<std::chrono::nanoseconds>(now.time_since_epoch()).count();
  const std::time_t seconds = n / 1000000000;
  std::tm tm{};
  gmtime_r(&seconds, &tm);
  char buffer[48];
  const std::size_t used = std::strftime(buffer, sizeof buffer, "%Y-%m-%dT%H:%M:%S", &tm);
  std::snprintf(buffer + used, sizeof buffer - used, ".%09ldZ", static_cast<long>(n % 1000000000));
  return buffer;
}

}  // namespace

CriLog::CriLog(std::string path, std::uint64_t maxBytes, int maxFiles)
    : path_(std::move(path)), maxBytes_(std::max<std::uint64_t>(maxBytes, 4096)), maxFiles_(std::max(maxFiles, 1)) {}

CriLog::~CriLog() {
  if (fd_ >= 0) ::close(fd_);
}

Status CriLog::open() {
  fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
  if (fd_ < 0) return fail(Code::Internal, fmt::format("cannot open log {}: {}", path_, std::strerror(errno)));
  struct stat info{};
  size_ = ::fstat(fd_, &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
  return {};
}

void CriLog::append(Stream stream, std::string_view bytes, WallTime now) {
  std::string& partial = partial_[static_cast<std::size_t>(stream)];
  while (!bytes.empty()) {
    const std::size_t newline = bytes.find('\n');
    if (newline != std::string_view::npos && partial.size() + newline <= kMaxLogLine) {
      partial.append(bytes.substr(0, newline));
      addLine(stream, partial, true, now);
      partial.clear();
      bytes.remove_prefix(newline + 1);
      continue;
    }
    const std::size_t take = std::min(bytes.size(), kMaxLogLine - partial.size());
    partial.append(bytes.substr(0, take));
    bytes.remove_prefix(take);
    if (partial.size() == kMaxLogLine && !(!bytes.empty() && bytes[0] == '\n')) {
      addLine(stream, partial, false, now);
      partial.clear();
    }
  }
  flush();
}

void CriLog::finish(WallTime now) {
  for (std::size_t i = 0; i < partial_.size(); ++i) {
    if (!partial_[i].empty()) addLine(static_cast<Stream>(i), partial_[i], true, now);
    partial_[i].clear();
  }
  flush();
}

void CriLog::addLine(Stream stream, std::string_view text, bool complete, WallTime now) {
  batch_ += formatNanos(now);
  batch_ += stream == Stream::Stdout ? " stdout " : " stderr ";
  batch_ += complete ? "F " : "P ";
  batch_ += text;
  batch_ += '\n';
  if (size_ + batch_.size() >= maxBytes_) {
    flush();
    rotate();
  }
}

void CriLog::flush() {
  std::string_view rest = batch_;
  while (!rest.empty() && fd_ >= 0) {
    const ssize_t n = ::write(fd_, rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;  // a full disk: the lines are lost, the container goes on
    size_ += static_cast<std::uint64_t>(n);
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  batch_.clear();
}

void CriLog::rotate() {
  for (int i = maxFiles_ - 1; i >= 1; --i) {
    const std::string from = i == 1 ? path_ : fmt::format("{}.{}", path_, i - 1);
    ::rename(from.c_str(), fmt::format("{}.{}", path_, i).c_str());
  }
  if (maxFiles_ == 1) ::unlink(path_.c_str());
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
  size_ = 0;
  (void)open();
}

bool parseCriLine(std::string_view line, CriLine* out) {
  const std::size_t first = line.find(' ');
  if (first == std::string_view::npos) return false;
  const std::size_t second = line.find(' ', first + 1);
  if (second == std::string_view::npos || second + 2 >= line.size() || line[second + 2] != ' ') return false;
  out->time = line.substr(0, first);
  out->stream = line.substr(first + 1, second - first - 1);
  out->complete = line[second + 1] != 'P';
  out->text = line.substr(second + 3);
  return true;
}

}  // namespace slipway::node
