#include "node/shim/cgroup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <sstream>

#include "node/shim/launch_file.h"

namespace slipway::node {
namespace {

struct Hierarchy {
  std::string mount;  // where it is mounted
  std::string own;    // this process's path in it, "/" at least
};

bool writeText(const std::string& path, const std::string& text) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool ok = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::close(fd);
  return ok;
}

bool hasWord(const std::string& list, const std::string& word, char separator) {
  std::stringstream in(list);
  for (std::string item; std::getline(in, item, separator);)
    if (item == word) return true;
  return false;
}

// `controller` "" finds the v2 hierarchy.
std::optional<Hierarchy> find(const std::string& controller) {
  Hierarchy h;
  std::stringstream own(readWholeFile("/proc/self/cgroup", 65536).value_or(""));
  bool member = false;
  for (std::string line; std::getline(own, line);) {
    const std::size_t a = line.find(':');
    const std::size_t b = line.find(':', a + 1);
    if (a == std::string::npos || b == std::string::npos) continue;
    const std::string names = line.substr(a + 1, b - a - 1);
    if (controller.empty() ? !names.empty() : !hasWord(names, controller, ',')) continue;
    h.own = line.substr(b + 1);
    member = true;
  }
  if (!member) return std::nullopt;
  std::stringstream mounts(readWholeFile("/proc/self/mounts", 1 << 20).value_or(""));
  for (std::string line; std::getline(mounts, line);) {
    std::stringstream fields(line);
    std::string device, where, type, options;
    fields >> device >> where >> type >> options;
    if (controller.empty() ? type != "cgroup2" : (type != "cgroup" || !hasWord(options, controller, ','))) continue;
    h.mount = where;
    return h;
  }
  return std::nullopt;
}

std::string join(const std::string& a, const std::string& b) { return b == "/" || b.empty() ? a : a + b; }

// mkdir PARENT/slipway/ID; another container's end may remove the middle folder between the two steps, hence the tries.
bool makeFolder(const std::string& parent, const std::string& id) {
  for (int tries = 0; tries < 5; ++tries) {
    if (::mkdir((parent + "/slipway").c_str(), 0755) != 0 && errno != EEXIST) return false;
    if (::mkdir((parent + "/slipway/" + id).c_str(), 0755) == 0 || errno == EEXIST) return true;
    if (errno != ENOENT) return false;
  }
  return false;
}

void removeFolder(const std::string& folder) {
  for (int i = 0; i < 50 && ::rmdir(folder.c_str()) != 0 && errno == EBUSY; ++i) ::usleep(2000);
  ::rmdir(folder.substr(0, folder.rfind('/')).c_str());  // only succeeds for the last one
}

std::vector<std::string> parents(const Hierarchy& h) {
  std::vector<std::string> out{join(h.mount, h.own)};
  if (out[0] != h.mount) out.push_back(h.mount);
  return out;
}

constexpr int kPeriodMicros = 100000;

std::optional<std::string> createV2(const std::string& id, std::int64_t memoryLimit, std::int64_t cpuMillis) {
  const auto h = find("");
  if (!h) return std::nullopt;
  for (const std::string& parent : parents(*h)) {
    // A group may hand controllers down only when no process sits in it directly (the root is exempt).
    writeText(parent + "/cgroup.subtree_control", "+memory");
    writeText(parent + "/cgroup.subtree_control", "+cpu");
    if (!makeFolder(parent, id)) continue;
    writeText(parent + "/slipway/cgroup.subtree_control", "+memory");
    writeText(parent + "/slipway/cgroup.subtree_control", "+cpu");
    const std::string folder = parent + "/slipway/" + id;
    const bool memory = memoryLimit == 0 || writeText(folder + "/memory.max", std::to_string(memoryLimit));
    const bool cpu = cpuMillis == 0 ||
                     writeText(folder + "/cpu.max", fmt::format("{} {}", cpuMillis * kPeriodMicros / 1000, kPeriodMicros));
    if (memory && (cpu || memoryLimit != 0)) {
      writeText(folder + "/memory.swap.max", "0");
      writeText(folder + "/memory.oom.group", "1");
      return folder;
    }
    removeFolder(folder);
  }
  return std::nullopt;
}

std::optional<std::string> createV1(const std::string& controller, const std::string& id, const std::string& file,
                                    const std::string& value) {
  const auto h = find(controller);
  if (!h) return std::nullopt;
  for (const std::string& parent : parents(*h)) {
    if (!makeFolder(parent, id)) continue;
    const std::string folder = parent + "/slipway/" + id;
    if (writeText(folder + "/" + file, value)) return folder;
    removeFolder(folder);
  }
  return std::nullopt;
}

}  // namespace

std::optional<Cgroup> Cgroup::create(const std::string& id, std::int64_t memoryLimit, std::int64_t cpuMillis,
                                     std::string* why) {
  if (memoryLimit == 0 && cpuMillis == 0) return std::nullopt;
  Cgroup group;
  if (auto folder = createV2(id, memoryLimit, cpuMillis)) {
    group.folders_ = {*folder};
    group.memory_ = memoryLimit != 0;
    group.v2_ = true;
    return group;
  }
  if (memoryLimit != 0) {
    if (auto folder = createV1("memory", id, "memory.limit_in_bytes", std::to_string(memoryLimit))) {
      writeText(*folder + "/memory.memsw.limit_in_bytes", std::to_string(memoryLimit));
      group.folders_.push_back(*folder);
      group.memory_ = true;
    }
  }
  if (cpuMillis != 0) {
    if (auto folder = createV1("cpu", id, "cpu.cfs_quota_us", std::to_string(cpuMillis * kPeriodMicros / 1000)))
      group.folders_.push_back(*folder);
  }
  const bool cpuMissing = cpuMillis != 0 && group.folders_.size() < (group.memory_ ? 2U : 1U);
  if (memoryLimit != 0 && !group.memory_) {
    *why = "no writable memory cgroup: memory limits are held by watching resident memory";
  } else if (cpuMissing) {
    *why = "no writable cpu cgroup: cpu limits are not held";
  }
  if (group.folders_.empty()) return std::nullopt;
  return group;
}

bool Cgroup::join() const {
  bool ok = true;
  for (const std::string& folder : folders_) ok = writeText(folder + "/cgroup.procs", "0") && ok;
  return ok;
}

bool Cgroup::oomKilled() const {
  if (!memory_) return false;
  const std::string text = readWholeFile(folders_[0] + (v2_ ? "/memory.events" : "/memory.oom_control"), 4096).value_or("");
  std::stringstream in(text);
  std::string name;
  for (std::uint64_t count = 0; in >> name >> count;)
    if (name == "oom_kill" && count > 0) return true;
  return false;
}

void Cgroup::remove() const {
  for (const std::string& folder : folders_) removeFolder(folder);
}

}  // namespace slipway::node
