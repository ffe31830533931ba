#include "node/leftovers.h"

#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "node/shim/launch_file.h"

namespace slipway::node {
namespace {
namespace fs = std::filesystem;

constexpr std::size_t kMostEnvironment = 1 << 20;  // bytes looked at
constexpr int kTries = 200;
constexpr useconds_t kBetweenTries = 1000;  // microseconds

// A dead process that only waits to be collected has no environment any more.
std::set<int> processesWith(const std::string& variable) {
  std::set<int> found;
  std::error_code ec;
  for (fs::directory_iterator it("/proc", ec), end; !ec && it != end; it.increment(ec)) {
    const int pid = std::atoi(it->path().filename().c_str());
    if (pid <= 0 || pid == static_cast<int>(::getpid())) continue;
    const auto text = readWholeFile(it->path().string() + "/environ", kMostEnvironment);
    if (!text) continue;
    const std::size_t at = text->find(variable);
    if (at != std::string::npos && (at == 0 || (*text)[at - 1] == '\0')) found.insert(pid);
  }
  return found;
}

}  // namespace

int endLeftovers(const std::string& containerId) {
  if (containerId.empty()) return 0;
  const std::string variable = std::string(kContainerIdVariable) + "=" + containerId;
  std::set<int> all;
  // Again until none is found: one may have started another meanwhile.
  for (int tries = 0; tries < kTries; ++tries) {
    const std::set<int> found = processesWith(variable);
    if (found.empty()) break;
    for (const int pid : found) ::kill(pid, SIGKILL);
    all.insert(found.begin(), found.end());
    ::usleep(kBetweenTries);
  }
  return static_cast<int>(all.size());
}

}  // namespace slipway::node
