#include "serving/memory.h"

#include <malloc.h>
#include <sys/mman.h>

#include <fstream>
#include <sstream>

namespace slipway::serving {
namespace {
struct Mapping {
  std::uintptr_t begin = 0, end = 0;
  bool clean = false;  // of a file, not writable, no page copied on write (relocated read-only data has been)
};

void release(const Mapping& m) {
  if (m.clean) (void)::madvise(reinterpret_cast<void*>(m.begin), m.end - m.begin, MADV_DONTNEED);
}
}  // namespace

void releaseStartupPages() {
  releaseFreeHeap();
  // Read the whole text first: releasing while the kernel writes it out would skip mappings.
  std::ifstream file("/proc/self/smaps");
  std::stringstream smaps;
  smaps << file.rdbuf();
  std::vector<Mapping> all;
  std::string line;
  while (std::getline(smaps, line)) {
    unsigned long begin = 0, end = 0, kilobytes = 0;
    char permissions[8] = {}, path[8] = {};
    if (std::sscanf(line.c_str(), "%lx-%lx %7s %*s %*s %*s %7s", &begin, &end, permissions, path) >= 3) {
      const std::string_view p = permissions;
      all.push_back({begin, end, path[0] == '/' && (p == "r--p" || p == "r-xp")});
    } else if (!all.empty() && (std::sscanf(line.c_str(), "Private_Dirty: %lu", &kilobytes) == 1 ||
                                std::sscanf(line.c_str(), "Anonymous: %lu", &kilobytes) == 1 ||
                                std::sscanf(line.c_str(), "Swap: %lu", &kilobytes) == 1)) {
      if (kilobytes > 0) all.back().clean = false;
    }
  }
  for (const Mapping& m : all) release(m);
}

void releaseFreeHeap() { ::malloc_trim(0); }

}  // namespace slipway::serving
