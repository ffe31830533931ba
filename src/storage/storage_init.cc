#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <thread>

#include "base/clock.h"
#include "storage/fetch.h"

namespace slipway::storage {
namespace {
using Deadline = std::optional<std::chrono::steady_clock::time_point>;

// Prints how far a fetch is, every two seconds, until it goes. At the deadline it ends the process: whatever the fetch is
// waiting for, and with the finished parts left for the next attempt to resume, as after a kill.
class Reporter {
 public:
  Reporter(std::string uri, const Progress& progress, Deadline deadline, std::chrono::seconds timeout)
      : uri_(std::move(uri)), progress_(progress), deadline_(deadline), timeout_(timeout), thread_([this] { run(); }) {}
  ~Reporter() {
    {
      const std::lock_guard lock(mutex_);
      done_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }
  Reporter(const Reporter&) = delete;
  Reporter& operator=(const Reporter&) = delete;

 private:
  void run() {
    std::unique_lock lock(mutex_);
    std::uint64_t before = 0;
    for (;;) {
      const auto now = std::chrono::steady_clock::now();
      const auto next = now + std::chrono::seconds(2);
      if (wake_.wait_until(lock, deadline_ ? std::min(*deadline_, next) : next, [this] { return done_; })) return;
      if (deadline_ && std::chrono::steady_clock::now() >= *deadline_) giveUp();
      const std::uint64_t bytes = progress_.bytes, total = progress_.total;
      const std::string share = total == 0 ? "" : fmt::format("{} % of {}, ", bytes * 100 / total, describeBytes(total));
      std::printf("%s: %s%s so far, %s/s\n", uri_.c_str(), share.c_str(), describeBytes(bytes).c_str(),
                  describeBytes((bytes - std::min(before, bytes)) / 2).c_str());
      std::fflush(stdout);
      before = bytes;
    }
  }

  [[noreturn]] void giveUp() const {
    std::fflush(stdout);
    std::fprintf(stderr,
                 "%s: not fetched within %lld s (%s came): check the source, or raise STORAGE_INITIALIZER_TIMEOUT, which "
                 "the annotation serving.kserve.io/storage-initializer-timeout sets\n",
                 uri_.c_str(), static_cast<long long>(timeout_.count()), describeBytes(progress_.bytes).c_str());
    std::fflush(stderr);
    std::_Exit(1);
  }

  std::string uri_;
  const Progress& progress_;
  Deadline deadline_;
  std::chrono::seconds timeout_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool done_ = false;
  std::thread thread_;
};

std::string describe(const FetchReport& report, const Progress& progress) {
  if (report.linked) return "linked";
  std::string out = fmt::format("{} file{}, {}", report.files, report.files == 1 ? "" : "s",
                                describeBytes(std::max<std::uint64_t>(report.bytes, progress.bytes)));
  if (report.cached) out += ", from the node's cache";
  if (progress.retries > 0) out += fmt::format(", {} retries", progress.retries.load());
  return out;
}

// One line, whatever the message holds: the last line of the log becomes the pod's termination message.
std::string oneLine(std::string text) {
  std::replace_if(text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  std::size_t end = 2000;
  if (text.size() <= end) return text;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;  // not within a character
  return text.substr(0, end) + "…";
}

// Without what may be secret: "https://user:token@host/m?sig=x" -> "https://host/m?…".
std::string shown(const std::string& uri) {
  std::string out = uri;
  const auto scheme = out.find("://");
  if (scheme == std::string::npos) return out;
  const auto host = scheme + 3, path = std::min(out.find('/', host), out.size());
  if (const auto user = out.rfind('@', path); user != std::string::npos && user >= host) out.erase(host, user + 1 - host);
  const auto query = out.find('?');
  return query == std::string::npos ? out : out.substr(0, query) + "?…";
}

std::string withoutSecrets(std::string text, const std::string& uri) {
  const std::string safe = shown(uri);
  if (safe == uri) return text;
  for (auto at = text.find(uri); at != std::string::npos; at = text.find(uri, at + safe.size()))
    text.replace(at, uri.size(), safe);
  return text;
}
}  // namespace

int storageInit(const std::vector<std::string>& arguments, const Environment& environment) {
  if (arguments.empty() || arguments.size() % 2 != 0) {
    std::fprintf(stderr, "storage-init: expected pairs of source and folder, got %zu arguments\n", arguments.size());
    return 2;
  }
  const auto settings = Settings::fromEnvironment(environment);
  if (!settings) {
    std::fprintf(stderr, "storage-init: %s\n", oneLine(settings.error().message).c_str());
    return 1;
  }
  const SystemClock clock;
  Deadline deadline;
  if (settings->timeout.count() > 0) deadline = std::chrono::steady_clock::now() + settings->timeout;
  for (std::size_t i = 0; i < arguments.size(); i += 2) {
    const std::string& uri = arguments[i];
    std::printf("%s -> %s\n", shown(uri).c_str(), arguments[i + 1].c_str());
    std::fflush(stdout);
    const TimePoint began = clock.now();
    Progress progress;
    const auto report = [&] {
      const Reporter reporter(shown(uri), progress, deadline, settings->timeout);
      return fetchModel(uri, arguments[i + 1], *settings, progress);
    }();
    if (!report) {
      std::fprintf(stderr, "%s\n", oneLine(withoutSecrets(report.error().message, uri)).c_str());
      return 1;
    }
    std::printf("%s: done in %.2f s (%s)\n", shown(uri).c_str(), std::chrono::duration<double>(clock.now() - began).count(),
                describe(*report, progress).c_str());
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace slipway::storage
