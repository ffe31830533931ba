#include "node/shim/program.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <sstream>

#include "node/shim/confine.h"
#include "node/shim/mount_namespace.h"

namespace slipway::node {
namespace {

constexpr const char* kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

void report(int fd, char kind, const std::string& message) {
  const std::string text = kind + message + "\n";
  (void)!::write(fd, text.data(), text.size());
}

std::string lookUp(const std::string& program, const std::vector<std::string>& env) {
  if (program.find('/') != std::string::npos) return program;
  std::string path = kDefaultPath;
  for (const std::string& e : env)
    if (e.starts_with("PATH=")) path = e.substr(5);
  std::stringstream in(path);
  for (std::string folder; std::getline(in, folder, ':');) {
    const std::string candidate = (folder.empty() ? "." : folder) + "/" + program;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return "";
}

// In the forked child. Reports on `fd` and never returns.
[[noreturn]] void becomeProgram(Launch launch, const Cgroup* cgroup, int shimPid, int fd) {
  ::setsid();
  if (launch.tty) ::ioctl(0, TIOCSCTTY, 0);
  // Without its shim nobody would log, limit or collect it.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != shimPid) ::_exit(137);
  for (int s = 1; s < 32; ++s) std::signal(s, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (cgroup != nullptr && !cgroup->join()) report(fd, 'n', "cannot enter the cgroup: limits are not held");
  const Status mounted = launch.privateFiles ? enterMountNamespace(launch) : Status{};
  const bool needed = launch.security.readOnlyRoot || (!launch.substituteMounts && !launch.mounts.empty());
  if (!mounted && (needed || mounted.error().code != Code::Unavailable)) {
    report(fd, 'f', mounted.error().message);
    ::_exit(128);
  }
  const bool hasTerm =
      std::any_of(launch.env.begin(), launch.env.end(), [](const auto& e) { return e.starts_with("TERM="); });
  if (launch.tty && !hasTerm) launch.env.emplace_back("TERM=xterm");
  if (!mounted) {
    substituteMounts(&launch);
    report(fd, 'n', mounted.error().message + ": volume paths are replaced in arguments and environment");
  }
  const std::string folder = launch.workingDir.empty() ? "/" : launch.workingDir;
  if (::chdir(folder.c_str()) != 0) {
    report(fd, 'f', fmt::format("workingDir {}: {}", folder, std::strerror(errno)));
    ::_exit(128);
  }
  if (!launch.hostname.empty() && ::unshare(CLONE_NEWUTS) == 0)
    (void)::sethostname(launch.hostname.data(), launch.hostname.size());
  if (const std::string why = confine(launch.security); !why.empty()) {
    report(fd, 'f', why);
    ::_exit(128);
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a user namespace or another user on the way has reset it
  report(fd, 'f', execProgram(launch.argv, launch.env));
  ::_exit(128);
}

void closeOnce(int fd, int except) {
  if (fd >= 0 && fd != except) ::close(fd);
}

// The program's standard streams and our ends of them; -1: none (its input stays /dev/null, the shim's).
struct Streams {
  std::array<int, 3> theirs{-1, -1, -1}, ours{-1, -1, -1};
};

Result<Streams> openTerminal() {
  Streams s;
  const int master = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  char name[128];
  if (master < 0 || ::grantpt(master) != 0 || ::unlockpt(master) != 0 || ::ptsname_r(master, name, sizeof name) != 0)
    return fail(Code::Internal, fmt::format("no terminal: {}", std::strerror(errno)));
  const int slave = ::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (slave < 0) return fail(Code::Internal, fmt::format("{}: {}", name, std::strerror(errno)));
  s.theirs = {slave, slave, slave};
  s.ours = {::fcntl(master, F_DUPFD_CLOEXEC, 3), master, -1};
  return s;
}

Result<Streams> openStreams(const Launch& launch) {
  if (launch.tty) return openTerminal();
  Streams s;
  for (std::size_t i = launch.openStdin ? 0 : 1; i < 3; ++i) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return fail(Code::Internal, fmt::format("pipe: {}", std::strerror(errno)));
    s.theirs[i] = ends[i == 0 ? 0 : 1];
    s.ours[i] = ends[i == 0 ? 1 : 0];
  }
  return s;
}

}  // namespace

std::string execProgram(const std::vector<std::string>& argv, const std::vector<std::string>& env) {
  const std::string program = lookUp(argv[0], env);
  if (program.empty()) return fmt::format("exec: \"{}\": executable file not found in $PATH", argv[0]);
  std::vector<char*> args;
  for (const std::string& a : argv) args.push_back(const_cast<char*>(a.c_str()));
  args.push_back(nullptr);
  std::vector<char*> vars;
  for (const std::string& e : env) vars.push_back(const_cast<char*>(e.c_str()));
  vars.push_back(nullptr);
  ::execve(program.c_str(), args.data(), vars.data());
  std::string reason = std::strerror(errno);
  for (char& c : reason) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return fmt::format("exec: \"{}\": {}", argv[0], reason);
}

void unmountLeaked(const std::string& folder) {
  struct stat inner{};
  struct stat outer{};
  if (::stat(folder.c_str(), &inner) != 0 || ::stat((folder + "/..").c_str(), &outer) != 0) return;
  if (inner.st_dev != outer.st_dev) ::umount2(folder.c_str(), MNT_DETACH);
}

Result<Program> startProgram(const Launch& launch, const Cgroup* cgroup) {
  SLIP_TRY(const Streams streams, openStreams(launch));
  int status[2];
  if (::pipe2(status, O_CLOEXEC) != 0) return fail(Code::Internal, fmt::format("pipe: {}", std::strerror(errno)));
  const int shimPid = static_cast<int>(::getpid());
  const int pid = ::fork();
  if (pid < 0) return fail(Code::Internal, fmt::format("fork: {}", std::strerror(errno)));
  if (pid == 0) {
    for (int fd = 0; fd < 3; ++fd) {
      const int theirs = streams.theirs[static_cast<std::size_t>(fd)];
      if (theirs >= 0) ::dup2(theirs, fd);
    }
    becomeProgram(launch, cgroup, shimPid, status[1]);
  }
  for (int fd : streams.theirs) closeOnce(fd, streams.theirs[1]);
  if (streams.theirs[1] >= 0) ::close(streams.theirs[1]);
  ::close(status[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t n = ::read(status[0], buffer, sizeof buffer); n != 0; n = ::read(status[0], buffer, sizeof buffer)) {
    if (n < 0 && errno != EINTR) break;
    if (n > 0) text.append(buffer, static_cast<std::size_t>(n));
  }
  ::close(status[0]);
  Program program{pid, streams.ours[0], streams.ours[1], streams.ours[2], ""};
  std::stringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("n")) program.note += line.substr(1);
    if (!line.starts_with("f")) continue;
    ::waitpid(pid, nullptr, 0);
    for (int fd : streams.ours) closeOnce(fd, -1);
    return fail(Code::Invalid, line.substr(1));
  }
  for (int fd : streams.ours) {
    if (fd >= 0) ::fcntl(fd, F_SETFL, O_NONBLOCK);
  }
  return program;
}

}  // namespace slipway::node
