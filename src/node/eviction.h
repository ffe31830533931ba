// When the node ends pods on its own: memory runs out, or a pod writes more than it may. Pure decisions and the two looks at
// the machine they need.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "data/json.h"

namespace slipway::node {

struct EvictionRule {
  std::int64_t leastMemory = 100 << 20;           // available bytes below which pods are ended
  Duration every = std::chrono::seconds(10);      // between looks
  std::function<std::int64_t()> availableMemory;  // bytes; empty: this machine's
};
std::int64_t availableMemoryOfMachine();  // -1 where /proc does not tell

struct PodUse {
  std::string name;
  std::int64_t priority = 0;
  std::int64_t memory = 0;   // resident bytes
  std::int64_t request = 0;  // asked for
  std::string container;     // the one that uses most
  std::int64_t containerMemory = 0, containerRequest = 0;
};
// The kubelet's order: pods over their request first, then the lowest priority, then the most over. nullopt: no pods.
std::optional<std::size_t> memoryVictim(const std::vector<PodUse>& pods);
std::string memoryMessage(const PodUse& victim, std::int64_t available, const EvictionRule& rule);

struct StorageUse {
  std::map<std::string, std::int64_t> volumes;     // emptyDir by name: bytes
  std::map<std::string, std::int64_t> containers;  // logs by container: bytes
};
// Which folders must be measured for this pod: those that a limit speaks of; none: no limit.
bool hasStorageLimits(const Json& pod);
// The kubelet's sentence for the first limit that is broken.
std::optional<std::string> storageBreach(const Json& pod, const StorageUse& use);
// Disk space of everything below `folder`. Blocking; stops counting at a million entries.
std::int64_t bytesBelow(const std::string& folder);

}  // namespace slipway::node
