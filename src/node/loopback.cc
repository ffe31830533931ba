#include "node/loopback.h"

#include <dirent.h>
#include <unistd.h>

#include <set>
#include <sstream>
#include <string>

#include "node/shim/launch_file.h"

namespace slipway::node {
namespace {

// Inodes of the sockets that listen on 127.0.0.1:port.
std::set<std::string> listeners(std::uint16_t port) {
  std::set<std::string> inodes;
  const std::string local = fmt::format("0100007F:{:04X}", port);
  std::stringstream lines(readWholeFile("/proc/net/tcp").value_or(""));
  for (std::string line; std::getline(lines, line);) {
    std::stringstream fields(line);
    std::string slot, from, to, state, queues, timer, retries, uid, timeout, inode;
    fields >> slot >> from >> to >> state >> queues >> timer >> retries >> uid >> timeout >> inode;
    if (from == local && state == "0A") inodes.insert(inode);
  }
  return inodes;
}

}  // namespace

bool listensOnLoopback(std::uint16_t port, const std::vector<int>& pids) {
  const std::set<std::string> inodes = listeners(port);
  for (std::size_t i = 0; i < pids.size() && !inodes.empty(); ++i) {
    const std::string folder = fmt::format("/proc/{}/fd", pids[i]);
    DIR* dir = ::opendir(folder.c_str());
    if (dir == nullptr) continue;
    bool found = false;
    while (const dirent* entry = ::readdir(dir)) {
      char target[64];
      const ssize_t n = ::readlink((folder + "/" + entry->d_name).c_str(), target, sizeof target);
      const std::string link(target, n > 0 ? static_cast<std::size_t>(n) : 0);
      if (link.starts_with("socket:[") && inodes.contains(link.substr(8, link.size() - 9))) found = true;
    }
    ::closedir(dir);
    if (found) return true;
  }
  return false;
}

}  // namespace slipway::node
