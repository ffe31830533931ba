// What containers and this machine use: counters from their cgroups where they have some, else from /proc, and a meter that
// makes rates of them.
//
//   UsageMeter meter;
//   meter.add("pod-uid/main", *containerCounters(folder), clock.now());      // every few seconds
//   auto rate = meter.rate("pod-uid/main");                                    // over the last two of them
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/clock.h"

namespace slipway::node {

struct Counters {
  std::int64_t cpuNanos = 0;     // used since the start; grows
  std::int64_t memoryBytes = 0;  // in use now: the working set, what cannot be given back without swapping
};

// Of the container whose run folder this is; nullopt: nothing runs there. Without a memory cgroup, memory is the resident
// memory of its processes, pages that they share counted for each.
std::optional<Counters> containerCounters(const std::string& folder);
Counters machineCounters();

struct UsageRate {
  std::int64_t cpuNanosPerSecond = 0;
  std::int64_t memoryBytes = 0;
  Duration window{};
};

class UsageMeter {
 public:
  // Samples closer than kMinWindow to the one before are ignored. `since` is when the counters were zero, for a first
  // sample.
  void add(const std::string& key, Counters counters, TimePoint now, std::optional<TimePoint> since = {});
  std::optional<UsageRate> rate(const std::string& key) const;
  bool due(const std::string& key, TimePoint now) const;   // whether a sample now would count
  void keepOnly(const std::map<std::string, bool>& keys);  // forgets the others
  std::size_t size() const { return samples_.size(); }

 private:
  struct Sample {
    Counters counters;
    TimePoint at{};
  };
  struct Pair {
    std::optional<Sample> before;
    Sample last;
  };
  std::map<std::string, Pair> samples_;
};

}  // namespace slipway::node
