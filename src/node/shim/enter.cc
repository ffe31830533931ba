#include "node/shim/enter.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "node/shim/cgroup.h"
#include "node/shim/confine.h"
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
  for (const auto& [name, flag] :
       {std::pair{"user", CLONE_NEWUSER}, std::pair{"uts", CLONE_NEWUTS}, std::pair{"mnt", CLONE_NEWNS}}) {
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

// Becomes launch.argv in the container whose program has this pid. Only returns on failure, with the message.
std::string becomeInside(Launch launch, int programPid) {
  const bool own = !sameNamespace(fmt::format("/proc/{}/ns/mnt", programPid), "/proc/self/ns/mnt");
  if (own) {
    if (!enterNamespaces(programPid)) return "cannot enter the container's mount namespace";
  } else {
    substituteMounts(&launch);
  }
  if (::chdir(launch.workingDir.empty() ? "/" : launch.workingDir.c_str()) != 0) return "workingDir is gone";
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // another user namespace has reset it
  if (std::string why = confine(launch.security); !why.empty()) return why;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // becoming another user has reset it again
  launch.argv.insert(launch.argv.begin(), launch.execPrefix.begin(), launch.execPrefix.end());
  return execProgram(launch.argv, launch.env);
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
  const std::string why = becomeInside(std::move(*launch), record->childPid);
  return refuse(why.find("not found") != std::string::npos ? 127 : 126, why);
}

std::string runInContainer(InContainer what) {
  ::setsid();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != what.shimPid) return "the container has ended";
  for (int s = 1; s < 32; ++s) std::signal(s, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int fd = 0; fd < 3; ++fd) ::dup2(what.streams[static_cast<std::size_t>(fd)], fd);
  if (what.tty) ::ioctl(0, TIOCSCTTY, 0);
  if (what.cgroup != nullptr) what.cgroup->join();
  Launch launch = what.launch;
  launch.argv = std::move(what.argv);
  if (what.tty && !launch.execPrefix.empty()) launch.execPrefix.insert(launch.execPrefix.begin() + 2, "-t");
  const bool hasTerm =
      std::any_of(launch.env.begin(), launch.env.end(), [](const auto& e) { return e.starts_with("TERM="); });
  if (what.tty && !hasTerm) launch.env.emplace_back("TERM=xterm");
  return becomeInside(std::move(launch), what.programPid);
}

}  // namespace slipway::node
