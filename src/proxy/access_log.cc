#include "proxy/access_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/clock.h"
#include "net/http.h"

namespace slipway::proxy {
namespace {

constexpr std::size_t kBuffer = 64 << 10;

// In the text form a control character or quote of a client must not make a second line or field.
std::string plain(std::string_view text) {
  if (text.empty()) return "-";
  std::string out(text);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == '"') c = '_';
  }
  return out;
}

int openFile(const std::string& path) { return ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640); }

}  // namespace

Result<std::shared_ptr<AccessLog>> AccessLog::open(AccessLogOptions options) {
  std::shared_ptr<AccessLog> log(new AccessLog(std::move(options)));
  if (log->options_.path == "-") return log;
  log->file_ = openFile(log->options_.path);
  if (log->file_ < 0) {
    return fail(Code::Invalid, "cannot open access log '" + log->options_.path + "': " + std::string(strerror(errno)));
  }
  struct stat info{};
  if (::fstat(log->file_, &info) == 0) log->size_ = static_cast<std::uint64_t>(info.st_size);
  return log;
}

AccessLog::~AccessLog() {
  flush();
  if (file_ >= 0) ::close(file_);
}

void AccessLog::write(const AccessEntry& e) {
  const auto time = formatRfc3339Micro(std::chrono::system_clock::now());
  const double ms = static_cast<double>(e.duration.count()) / 1e6;
  std::string line;
  if (options_.format == LogFormat::Json) {
    using net::jsonQuote;
    line = fmt::format(
        R"({{"time":"{}","id":{},"client":{},"method":{},"host":{},"path":{},"route":{},"endpoint":{},"status":{},"bytes":{},"ms":{:.3f})",
        time, jsonQuote(e.id), jsonQuote(e.client), jsonQuote(e.method), jsonQuote(e.host), jsonQuote(e.path),
        jsonQuote(e.route), jsonQuote(e.endpoint), e.status, e.bytes, ms);
    if (!e.note.empty()) line += ",\"note\":" + jsonQuote(e.note);
    line += "}\n";
  } else {
    line =
        fmt::format("{} {} \"{} {}\" {} {} {:.3f}ms host={} route={} endpoint={} id={}{}{}\n", time, plain(e.client),
                    plain(e.method), plain(e.path), e.status, e.bytes, ms, plain(e.host), plain(e.route), plain(e.endpoint),
                    plain(e.id), e.note.empty() ? "" : " note=", e.note.empty() ? "" : net::jsonQuote(e.note));
  }
  std::lock_guard lock(mutex_);
  buffer_ += line;
  if (buffer_.size() >= kBuffer) flushLocked();
}

void AccessLog::flush() {
  std::lock_guard lock(mutex_);
  flushLocked();
}

void AccessLog::flushLocked() {
  if (buffer_.empty()) return;
  const bool toFile = options_.path != "-";
  if (toFile && size_ > 0 && size_ + buffer_.size() > options_.maxBytes) {
    std::rename(options_.path.c_str(), (options_.path + ".1").c_str());
    const int fresh = openFile(options_.path);
    if (fresh >= 0) {
      ::close(file_);
      file_ = fresh;
      size_ = 0;
    }
  }
  std::string_view rest = buffer_;
  while (!rest.empty()) {
    const auto n = ::write(toFile ? file_ : STDERR_FILENO, rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;  // a full disk costs log lines, never requests
    rest.remove_prefix(static_cast<std::size_t>(n));
    size_ += static_cast<std::uint64_t>(n);
  }
  buffer_.clear();
}

}  // namespace slipway::proxy
