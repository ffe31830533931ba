#include "node/shim/memory_watch.h"

#include <unistd.h>

#include <cstdio>
#include <sstream>

#include "node/shim/launch_file.h"

namespace slipway::node {

std::vector<int> descendants(int pid) {
  std::vector<int> found{pid};
  for (std::size_t i = 0; i < found.size() && found.size() < 10000; ++i) {
    // Children are listed per thread; only the main thread of our shim forks, but a program's other threads may.
    const auto list = readWholeFile(fmt::format("/proc/{}/task/{}/children", found[i], found[i]), 1 << 20);
    std::stringstream in(list.value_or(""));
    for (int child = 0; in >> child;) found.push_back(child);
  }
  found.erase(found.begin());
  return found;
}

std::int64_t residentOf(const std::vector<int>& pids) {
  const std::int64_t page = ::sysconf(_SC_PAGESIZE);
  std::int64_t total = 0;
  for (int pid : pids) {
    long size = 0;
    long resident = 0;
    const auto text = readWholeFile(fmt::format("/proc/{}/statm", pid), 256);
    if (text && std::sscanf(text->c_str(), "%ld %ld", &size, &resident) == 2) total += resident * page;
  }
  return total;
}

}  // namespace slipway::node
