// What runs below a process, and how much memory it holds: from /proc, for machines without writable cgroups.
#pragma once
#include <cstdint>
#include <vector>

namespace slipway::node {

std::vector<int> descendants(int pid);                  // children and theirs; empty when /proc does not tell
std::int64_t residentOf(const std::vector<int>& pids);  // bytes, shared pages counted once per process

}  // namespace slipway::node
