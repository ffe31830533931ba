#include "node/usage.h"

#include <unistd.h>

#include <algorithm>
#include <sstream>

#include "node/shim/launch_file.h"
#include "node/shim/memory_watch.h"

namespace slipway::node {
namespace {

constexpr auto kMinWindow = std::chrono::seconds(1);
constexpr std::int64_t kNanosPerSecond = 1'000'000'000;

// The number after `name` at the start of a line; nullopt when there is none.
std::optional<std::int64_t> numberAfter(const std::string& text, const std::string& name) {
  std::stringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name) && line.size() > name.size() && (line[name.size()] == ' ' || line[name.size()] == ':'))
      return std::strtoll(line.c_str() + name.size() + 1, nullptr, 10);
  }
  return std::nullopt;
}

std::optional<std::int64_t> numberIn(const std::string& path) {
  const auto text = readWholeFile(path, 256);
  if (!text || text->empty()) return std::nullopt;
  return std::strtoll(text->c_str(), nullptr, 10);
}

std::int64_t nanosOfTicks(std::int64_t ticks) { return ticks * (kNanosPerSecond / ::sysconf(_SC_CLK_TCK)); }

// User and system time of a process, and of its children that it has waited for, in clock ticks.
std::int64_t ticksOf(int pid, bool childrenOnly) {
  const auto text = readWholeFile(fmt::format("/proc/{}/stat", pid), 4096);
  const std::size_t close = text ? text->rfind(')') : std::string::npos;
  if (close == std::string::npos) return 0;
  std::stringstream fields(text->substr(close + 2));
  std::string word;
  std::int64_t total = 0;
  for (int field = 3; fields >> word && field <= 17; ++field) {
    if (field >= (childrenOnly ? 16 : 14)) total += std::strtoll(word.c_str(), nullptr, 10);
  }
  return total;
}

struct CgroupCounters {
  std::optional<std::int64_t> cpuNanos, memoryBytes;
};

CgroupCounters cgroupCounters(const std::string& folders) {
  CgroupCounters found;
  std::stringstream lines(folders);
  for (std::string folder; std::getline(lines, folder);) {
    if (folder.empty()) continue;
    if (const auto micros = numberAfter(readWholeFile(folder + "/cpu.stat", 4096).value_or(""), "usage_usec"))
      found.cpuNanos = *micros * 1000;
    if (const auto nanos = numberIn(folder + "/cpuacct.usage")) found.cpuNanos = nanos;
    for (const auto& [usage, idle] :
         {std::pair{"/memory.current", "inactive_file"}, std::pair{"/memory.usage_in_bytes", "total_inactive_file"}}) {
      const auto bytes = numberIn(folder + usage);
      if (!bytes) continue;
      const auto reclaimable = numberAfter(readWholeFile(folder + "/memory.stat", 16384).value_or(""), idle).value_or(0);
      found.memoryBytes = std::max<std::int64_t>(0, *bytes - reclaimable);
    }
  }
  return found;
}

}  // namespace

std::optional<Counters> containerCounters(const std::string& folder) {
  const auto record = readShimRecord(folder);
  if (!record || !isAlive(*record)) return std::nullopt;
  const CgroupCounters cgroup = cgroupCounters(record->cgroup);
  Counters counters;
  if (!cgroup.cpuNanos || !cgroup.memoryBytes) {
    const std::vector<int> pids = descendants(record->pid);
    std::int64_t ticks = ticksOf(record->pid, true);  // what has ended
    for (int pid : pids) ticks += ticksOf(pid, false);
    counters.cpuNanos = nanosOfTicks(ticks);
    counters.memoryBytes = residentOf(pids);
  }
  counters.cpuNanos = cgroup.cpuNanos.value_or(counters.cpuNanos);
  counters.memoryBytes = cgroup.memoryBytes.value_or(counters.memoryBytes);
  return counters;
}

Counters machineCounters() {
  Counters counters;
  std::stringstream fields(readWholeFile("/proc/stat", 4096).value_or(""));
  std::string word;
  fields >> word;  // cpu
  std::int64_t ticks = 0;
  for (int i = 0; i < 8 && fields >> word; ++i) {
    if (i != 3 && i != 4) ticks += std::strtoll(word.c_str(), nullptr, 10);  // idle and waiting for disks
  }
  counters.cpuNanos = nanosOfTicks(ticks);
  const std::string memory = readWholeFile("/proc/meminfo", 8192).value_or("");
  const auto total = numberAfter(memory, "MemTotal").value_or(0);
  counters.memoryBytes = 1024 * std::max<std::int64_t>(0, total - numberAfter(memory, "MemAvailable").value_or(0));
  return counters;
}

void UsageMeter::add(const std::string& key, Counters counters, TimePoint now, std::optional<TimePoint> since) {
  const auto found = samples_.find(key);
  if (found == samples_.end()) {
    Pair first{std::nullopt, {counters, now}};
    if (since && now - *since > Duration{0}) first.before = Sample{{}, *since};
    samples_[key] = first;
    return;
  }
  Pair& pair = found->second;
  if (now - pair.last.at < kMinWindow) return;
  // A counter that went back belongs to another run: it began at zero in between.
  if (counters.cpuNanos < pair.last.counters.cpuNanos) pair.last.counters = {};
  pair.before = pair.last;
  pair.last = {counters, now};
}

std::optional<UsageRate> UsageMeter::rate(const std::string& key) const {
  const auto found = samples_.find(key);
  if (found == samples_.end() || !found->second.before) return std::nullopt;
  const Sample& a = *found->second.before;
  const Sample& b = found->second.last;
  UsageRate rate;
  rate.window = b.at - a.at;
  const double seconds = std::chrono::duration<double>(rate.window).count();
  rate.cpuNanosPerSecond =
      static_cast<std::int64_t>(static_cast<double>(b.counters.cpuNanos - a.counters.cpuNanos) / seconds);
  rate.memoryBytes = b.counters.memoryBytes;
  return rate;
}

bool UsageMeter::due(const std::string& key, TimePoint now) const {
  const auto found = samples_.find(key);
  return found == samples_.end() || now - found->second.last.at >= kMinWindow;
}

void UsageMeter::keepOnly(const std::map<std::string, bool>& keys) {
  std::erase_if(samples_, [&keys](const auto& item) { return !keys.contains(item.first); });
}

}  // namespace slipway::node
