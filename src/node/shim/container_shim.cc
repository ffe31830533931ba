#include "node/shim/container_shim.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "node/shim/cgroup.h"
#include "node/shim/cri_log.h"
#include "node/shim/enter.h"
#include "node/shim/launch_file.h"
#include "node/shim/memory_watch.h"
#include "node/shim/program.h"
#include "node/shim/sessions.h"

namespace slipway::node {
namespace {

constexpr int kStatusFd = 3;
constexpr int kDrainMillis = 500;  // after the program's end: for output still in the pipes

WallTime wallNow() { return std::chrono::system_clock::now(); }

bool say(const std::string& line) {
  return ::write(kStatusFd, line.data(), line.size()) == static_cast<ssize_t>(line.size());
}

// Kills every process of the container: the group, and whatever left the group, which as orphans are the shim's children.
void killAll(int child) {
  if (child > 0) ::kill(-child, SIGKILL);
  for (int pid : descendants(static_cast<int>(::getpid()))) ::kill(pid, SIGKILL);
}

class Shim {
 public:
  explicit Shim(Launch launch)
      : launch_(std::move(launch)), log_(launch_.logPath, launch_.logMaxBytes, launch_.logMaxFiles) {}

  int run() {
    record_ = ShimRecord{static_cast<int>(::getpid()), startTicksOf(::getpid()), bootId(), 0, wallNow(), ""};
    if (!writeShimRecord(launch_.folder, record_)) return 1;
    if (!say("shim\n")) return abandon();
    const Status opened = log_.open();
    if (!opened) return refuse(opened.error().message);
    prepareLimits();
    const Result<Program> program = startProgram(launch_, cgroup_ ? &*cgroup_ : nullptr);
    if (!program) return refuse(program.error().message);
    program_ = *program;
    record_.childPid = program_.pid;
    record_.startedAt = wallNow();
    (void)writeShimRecord(launch_.folder, record_);
    sessions_.emplace(launch_, cgroup_ ? &*cgroup_ : nullptr);
    sessions_->open(program_, &note_);
    say(fmt::format("started {} {}\n", program_.pid, note_ + program_.note));
    ::close(kStatusFd);
    loop();
    return finish();
  }

 private:
  // Nobody waits for this container any more. A platform that starts now may have found the record: it hears that the
  // program never ran.
  int abandon() {
    ContainerExit exit;
    exit.exitCode = 128;
    exit.reason = kNeverStarted;
    exit.message = "the platform ended while it started the container";
    exit.containerId = launch_.id;
    exit.finishedAt = wallNow();
    (void)writeExitRecord(launch_.folder, exit);
    return 1;
  }

  int refuse(const std::string& message) {
    if (cgroup_) cgroup_->remove();
    ContainerExit exit;
    exit.exitCode = 128;
    exit.reason = "StartError";
    exit.message = message;
    exit.containerId = launch_.id;
    exit.finishedAt = wallNow();
    (void)writeExitRecord(launch_.folder, exit);
    say("failed " + message + "\n");
    return 1;
  }

  void prepareLimits() {
    if (launch_.memoryLimit == 0 && launch_.cpuMillis == 0) return;
    cgroup_ = Cgroup::create(launch_.id, launch_.memoryLimit, launch_.cpuMillis, &note_);
    if (cgroup_) {
      for (const std::string& folder : cgroup_->folders()) record_.cgroup += folder + "\n";
    }
    watchMemory_ = launch_.memoryLimit != 0 && !(cgroup_ && cgroup_->limitsMemory());
  }

  // Until the program has ended.
  void loop() {
    sigset_t mask;
    sigemptyset(&mask);
    for (int s : {SIGCHLD, SIGTERM, SIGUSR1}) sigaddset(&mask, s);
    const int signals = ::signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    int memoryWait = watchMemory_ ? 50 : -1;
    std::vector<pollfd> fds;
    while (!ended_) {
      // While an attached client does not take what it was given, the program waits.
      const bool more = sessions_->wantsOutput();
      fds = {{signals, POLLIN, 0}, {more ? program_.out : -1, POLLIN, 0}, {more ? program_.err : -1, POLLIN, 0}};
      sessions_->addPolls(&fds);
      const int sessionWait = sessions_->waitMillis();
      const int wait = memoryWait < 0 || (sessionWait >= 0 && sessionWait < memoryWait) ? sessionWait : memoryWait;
      const int n = ::poll(fds.data(), fds.size(), wait);
      if (n < 0 && errno != EINTR) break;
      if (n > 0 && fds[1].revents != 0) drain(program_.out, CriLog::Stream::Stdout);
      if (n > 0 && fds[2].revents != 0) drain(program_.err, CriLog::Stream::Stderr);
      if (n > 0 && fds[0].revents != 0) onSignals(signals);
      if (n >= 0) sessions_->handle(fds);
      if (watchMemory_) memoryWait = checkMemory();
    }
    ::close(signals);
  }

  int checkMemory() {
    const std::int64_t used = residentOf(descendants(static_cast<int>(::getpid())));
    if (used > launch_.memoryLimit) {
      oom_ = true;
      killAll(program_.pid);
    }
    // Often enough to catch growth near the limit, rarely while far from it.
    return used * 2 > launch_.memoryLimit ? 100 : 250;
  }

  void drain(int& fd, CriLog::Stream stream) {
    char buffer[65536];
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n > 0) {
      const std::string_view bytes(buffer, static_cast<std::size_t>(n));
      log_.append(stream, bytes, wallNow());
      sessions_->output(stream == CriLog::Stream::Stderr, bytes);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
      ::close(fd);
      fd = -1;  // poll ignores it
    }
  }

  void onSignals(int signals) {
    signalfd_siginfo info{};
    while (::read(signals, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      if (info.ssi_signo == SIGTERM) ::kill(-program_.pid, launch_.stopSignal);
      if (info.ssi_signo == SIGUSR1) killAll(program_.pid);
    }
    int status = 0;
    for (int pid = ::waitpid(-1, &status, WNOHANG); pid > 0; pid = ::waitpid(-1, &status, WNOHANG)) {
      if (pid != program_.pid) {
        sessions_->childEnded(pid, status);
        continue;
      }
      ended_ = true;
      status_ = status;
    }
  }

  // The program is gone: nothing that it started may stay.
  void sweep() {
    for (int tries = 0; tries < 200; ++tries) {
      killAll(program_.pid);
      int status = 0;
      while (::waitpid(-1, &status, WNOHANG) > 0) {
      }
      if (descendants(static_cast<int>(::getpid())).empty()) return;
      ::usleep(5000);
    }
  }

  void drainRest() {
    for (int waited = 0; (program_.out >= 0 || program_.err >= 0) && waited < kDrainMillis; waited += 10) {
      pollfd fds[2] = {{program_.out, POLLIN, 0}, {program_.err, POLLIN, 0}};
      while (::poll(fds, 2, 10) > 0) {
        if (fds[0].revents != 0) drain(program_.out, CriLog::Stream::Stdout);
        if (fds[1].revents != 0) drain(program_.err, CriLog::Stream::Stderr);
        fds[0].fd = program_.out;
        fds[1].fd = program_.err;
      }
    }
    log_.finish(wallNow());
  }

  int finish() {
    const WallTime finishedAt = wallNow();
    sweep();
    drainRest();
    sessions_->finish();
    ContainerExit exit;
    exit.signal = WIFSIGNALED(status_) ? WTERMSIG(status_) : 0;
    exit.exitCode = WIFSIGNALED(status_) ? 128 + WTERMSIG(status_) : WEXITSTATUS(status_);
    if (cgroup_ && exit.exitCode != 0 && cgroup_->oomKilled()) oom_ = true;
    if (oom_) exit.exitCode = 137;
    exit.reason = oom_ ? "OOMKilled" : exit.exitCode == 0 ? "Completed" : "Error";
    exit.startedAt = record_.startedAt;
    exit.finishedAt = finishedAt;
    exit.containerId = launch_.id;
    if (cgroup_) cgroup_->remove();
    unmountLeaked(launch_.folder + "/root");
    return writeExitRecord(launch_.folder, exit) ? 0 : 1;
  }

  Launch launch_;
  CriLog log_;
  ShimRecord record_;
  Program program_;
  std::optional<Cgroup> cgroup_;
  std::string note_;
  std::optional<Sessions> sessions_;  // once the program runs
  bool watchMemory_ = false;
  bool ended_ = false;
  bool oom_ = false;
  int status_ = 0;
};

int runContainer(const std::string& folder) {
  ::setsid();
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  ::prctl(PR_SET_NAME, "slipway-shim");
  std::signal(SIGPIPE, SIG_IGN);
  sigset_t mask;
  sigemptyset(&mask);
  for (int s : {SIGCHLD, SIGTERM, SIGUSR1, SIGINT, SIGHUP, SIGQUIT}) sigaddset(&mask, s);
  ::sigprocmask(SIG_SETMASK, &mask, nullptr);
  ::umask(022);
  // Nothing of the platform's may live on in here: sockets, terminals, database files.
  ::close_range(kStatusFd + 1, ~0U, 0);
  ::fcntl(kStatusFd, F_SETFD, FD_CLOEXEC);
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd < 3 && null >= 0; ++fd) ::dup2(null, fd);
  if (::chdir("/") != 0) return 1;
  Result<Launch> launch = readSpec(folder + "/spec.json");
  if (!launch) {
    say("failed " + launch.error().message + "\n");
    return 1;
  }
  return Shim(std::move(*launch)).run();
}

}  // namespace

int shimMain(int argc, char** argv) {
  const std::vector<std::string> words(argv, argv + argc);
  if (words.size() == 2 && words[0] == "run") return runContainer(words[1]);
  if (words.size() == 1 && words[0] == "check") return 0;
  if (words.size() >= 3 && words[0] == "enter") return enterContainer(words[1], {words.begin() + 2, words.end()});
  static constexpr std::string_view usage =
      "slipway node-exec is used by the node itself: run FOLDER | enter FOLDER PROGRAM [ARG…]\n";
  return ::write(2, usage.data(), usage.size()) < 0 ? 2 : 2;
}

}  // namespace slipway::node
