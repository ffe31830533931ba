#include "node/shim/enter.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "node/shim/cgroup.h"
#include "node/shim/launch_file.h"
#include "node/shim/mount_namespace.h"
#include "node/shim/program.h"

namespace slipway::node {
namespace {

bool sameNamespace(const std::string& a, const std::string& b) {
  struct stat x{};
  struct stat y{};
  return ::stat(a.c_str(), &x) == 0 && ::stat(b.c_str(), &y) == 0 && x.st_ino == y.st_ino && x.st_dev == y.st_dev;
}

// True when this process now sees the container's files.
bool enterNamespaces(int pid) {
  const std::string proc = fmt::format("/proc/{}", pid);
  const int root = ::open((proc + "/root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (root < 0) return false;
  for (const auto& [name, flag] : {std::pair{"user", CLONE_NEWUSER}, std::pair{"mnt", CLONE_NEWNS}}) {
    const std::string theirs = proc + "/ns/" + name;
    if (sameNamespace(theirs, std::string("/proc/self/ns/") + name)) continue;
    const int fd = ::open(theirs.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0 || ::setns(fd, flag) != 0) return false;
    ::close(fd);
  }
  return ::fchdir(root) == 0 && ::chroot(".") == 0;
}

int refuse(int code, const std::string& message) {
  const std::string line = message + "\n";
  (void)!::write(2, line.data(), line.size());
  return code;
}

}  // namespace

int enterContainer(const std::string& folder, const std::vector<std::string>& argv) {
  std::signal(SIGPIPE, SIG_DFL);
  ::setsid();
  ::close_range(3, ~0U, 0);
  Result<Launch> launch = readSpec(folder + "/spec.json");
  if (!launch) return refuse(126, launch.error().message);
  const auto record = readShimRecord(folder);
  if (!record || record->childPid <= 0 || !isAlive(*record)) return refuse(126, "container not running");
  std::vector<std::string> folders;
  for (std::size_t from = 0, to = 0; (to = record->cgroup.find('\n', from)) != std::string::npos; from = to + 1)
    folders.push_back(record->cgroup.substr(from, to - from));
  Cgroup::fromFolders(std::move(folders)).join();
  launch->argv = argv;
  const bool own = !sameNamespace(fmt::format("/proc/{}/ns/mnt", record->childPid), "/proc/self/ns/mnt");
  if (own) {
    if (!enterNamespaces(record->childPid)) return refuse(126, "cannot enter the container's mount namespace");
  } else {
    substituteMounts(&*launch);
  }
  if (::chdir(launch->workingDir.empty() ? "/" : launch->workingDir.c_str()) != 0) return refuse(126, "workingDir is gone");
  const std::string why = execProgram(launch->argv, launch->env);
  return refuse(why.find("not found") != std::string::npos ? 127 : 126, why);
}

}  // namespace slipway::node
