// Cgroup: memory and cpu limits of one container, on cgroup v2 or v1, whichever this machine lets us write. Owned by the
// shim.
//
//   auto group = Cgroup::create("slipway/" + id, memoryLimit, cpuMillis);   // nullopt: not writable here
#pragma once
#include <optional>
#include <string>
#include <vector>

namespace slipway::node {

class Cgroup {
 public:
  // memoryLimit in bytes, cpuMillis in thousandths of a core; 0: no such limit. nullopt when the memory limit (or, without
  // one, the cpu limit) cannot be set; *why then says what is missing.
  static std::optional<Cgroup> create(const std::string& id, std::int64_t memoryLimit, std::int64_t cpuMillis,
                                      std::string* why);
  bool join() const;       // the calling process enters; false when refused
  bool oomKilled() const;  // the kernel killed something in it for memory
  void remove() const;     // only once it is empty
  bool limitsMemory() const { return memory_; }
  const std::vector<std::string>& folders() const { return folders_; }
  static Cgroup fromFolders(std::vector<std::string> folders) {
    Cgroup g;
    g.folders_ = std::move(folders);
    return g;
  }

 private:
  std::vector<std::string> folders_;  // one on v2, one per controller on v1
  bool memory_ = false;
  bool v2_ = false;
};

}  // namespace slipway::node
