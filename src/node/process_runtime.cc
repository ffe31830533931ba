#include "node/process_runtime.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <csignal>

#include "base/log.h"
#include "node/leftovers.h"
#include "node/shim/cgroup.h"
#include "node/shim/launch_file.h"

extern char** environ;

namespace slipway::node {
namespace asio = boost::asio;
using asio::posix::stream_descriptor;

namespace {

constexpr std::size_t kMaxExecOutput = 10 << 10;
constexpr auto kStartTimeout = std::chrono::seconds(30);

int pidfdOpen(int pid) { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); }
int pidfdSignal(int pidfd, int signal) {
  return static_cast<int>(::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0));
}

// Starts argv with `writeEnd` as descriptor 3 (or as 1 and 2 when `asOutput`), in a fresh signal state. Returns the pid.
Result<int> spawn(const std::vector<std::string>& argv, int writeEnd, bool asOutput) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  if (asOutput) {
    posix_spawn_file_actions_adddup2(&files, writeEnd, 1);
    posix_spawn_file_actions_adddup2(&files, writeEnd, 2);
  } else {
    posix_spawn_file_actions_adddup2(&files, writeEnd, 3);
  }
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  sigset_t all;
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  std::vector<char*> args;
  for (const std::string& a : argv) args.push_back(const_cast<char*>(a.c_str()));
  args.push_back(nullptr);
  pid_t pid = 0;
  const int error = posix_spawn(&pid, argv[0].c_str(), &files, &attributes, args.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return fail(Code::Internal, fmt::format("cannot start {}: {}", argv[0], std::strerror(error)));
  return static_cast<int>(pid);
}

// Descriptor 3 must be free for the shim's use, so pipes are moved above it.
Result<std::array<int, 2>> makePipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return fail(Code::Internal, fmt::format("pipe: {}", std::strerror(errno)));
  for (int& fd : fds) {
    if (fd > 3) continue;
    const int moved = ::fcntl(fd, F_DUPFD_CLOEXEC, 10);
    ::close(fd);
    fd = moved;
  }
  return std::array<int, 2>{fds[0], fds[1]};
}

struct ReadText {
  std::string text;
  bool timedOut = false;
};

// Everything up to the end of the pipe, at most `limit` bytes kept; ends early at `deadline`.
Task<ReadText> readAll(stream_descriptor& pipe, std::size_t limit, Duration timeout) {
  using namespace asio::experimental::awaitable_operators;
  ReadText result;
  asio::steady_timer timer(pipe.get_executor(), std::chrono::duration_cast<std::chrono::steady_clock::duration>(timeout));
  char buffer[4096];
  for (;;) {
    boost::system::error_code readError;
    boost::system::error_code timerError;
    auto got = co_await (pipe.async_read_some(asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, readError)) ||
                         timer.async_wait(asio::redirect_error(asio::use_awaitable, timerError)));
    if (got.index() == 1) {
      result.timedOut = true;
      co_return result;
    }
    const std::size_t n = std::get<0>(got);
    if (readError == asio::error::operation_aborted) throw boost::system::system_error(readError);
    if (readError || n == 0) co_return result;
    if (result.text.size() < limit) result.text.append(buffer, std::min(n, limit - result.text.size()));
  }
}

// Whether `fd` becomes readable by `deadline`; of a pidfd: whether the process ends.
Task<bool> readableBefore(stream_descriptor& fd, std::chrono::steady_clock::time_point deadline) {
  using namespace asio::experimental::awaitable_operators;
  asio::steady_timer timer(fd.get_executor(), deadline);
  auto got =
      co_await (fd.async_wait(stream_descriptor::wait_read, asio::use_awaitable) || timer.async_wait(asio::use_awaitable));
  co_return got.index() == 0;
}

}  // namespace

namespace {

// After the shim in `folder` was killed: nothing of its container may stay.
void endContainerOf(const std::string& folder) {
  const auto spec = readSpec(folder + "/spec.json");
  if (spec) {
    const int ended = endLeftovers(spec->id);
    if (ended > 0) logInfo("container {}: ended {} processes whose shim was killed", spec->container, ended);
  }
  const auto record = readShimRecord(folder);
  if (!record) return;
  std::vector<std::string> folders;
  for (std::size_t from = 0, to = 0; (to = record->cgroup.find('\n', from)) != std::string::npos; from = to + 1)
    folders.push_back(record->cgroup.substr(from, to - from));
  Cgroup::fromFolders(std::move(folders)).remove();
}

}  // namespace

struct ProcessRuntime::Child {
  Child(Executor executor, int pidfd, int p, std::string f) : process(executor, pidfd), pid(p), folder(std::move(f)) {}
  stream_descriptor process;  // a pidfd: readable once the shim has ended
  int pid;
  std::string folder;
};

ProcessRuntime::ProcessRuntime(Executor executor, std::vector<std::string> shimCommand)
    : executor_(executor), shimCommand_(std::move(shimCommand)) {}
ProcessRuntime::~ProcessRuntime() = default;

Result<std::shared_ptr<ProcessRuntime::Child>> ProcessRuntime::openChild(const std::string& id, const std::string& folder,
                                                                         int pid) {
  const int fd = pidfdOpen(pid);
  if (fd < 0) return fail(Code::NotFound, fmt::format("pid {}: {}", pid, std::strerror(errno)));
  auto child = std::make_shared<Child>(executor_, fd, pid, folder);
  children_[id] = child;
  return child;
}

Task<Result<Started>> ProcessRuntime::start(Launch launch) {
  // What runs with podman is podman's to end.
  if (launch.execPrefix.empty()) launch.env.push_back(std::string(kContainerIdVariable) + "=" + launch.id);
  const Status written = writeSpec(launch);
  SLIP_CO_CHECK(written);
  SLIP_CO_TRY(auto pipe, makePipe());
  std::vector<std::string> argv = shimCommand_;
  argv.insert(argv.end(), {"run", launch.folder});
  Result<int> pid = spawn(argv, pipe[1], false);
  ::close(pipe[1]);
  stream_descriptor answer(executor_, pipe[0]);
  SLIP_CO_CHECK(pid);
  Result<std::shared_ptr<Child>> child = openChild(launch.id, launch.folder, *pid);
  if (!child) {  // no descriptor left: a shim that nobody watches must not go on
    ::kill(*pid, SIGKILL);
    ::waitpid(*pid, nullptr, 0);
    co_return fail(child.error());
  }
  ReadText read = co_await readAll(answer, 65536, kStartTimeout);
  const std::size_t started = read.text.find("started ");
  if (started != std::string::npos) {
    const std::string rest = read.text.substr(started + 8, read.text.find('\n', started) - started - 8);
    Started result;
    result.pid = std::atoi(rest.c_str());
    result.startedAt = std::chrono::system_clock::now();
    const std::size_t space = rest.find(' ');
    if (space != std::string::npos) result.note = rest.substr(space + 1);
    co_return result;
  }
  pidfdSignal((*child)->process.native_handle(), SIGKILL);
  ::waitpid(*pid, nullptr, 0);
  children_.erase(launch.id);
  const std::size_t failed = read.text.find("failed ");
  if (failed != std::string::npos)
    co_return fail(Code::Invalid, read.text.substr(failed + 7, read.text.find('\n', failed) - failed - 7));
  co_return fail(Code::Internal,
                 read.timedOut ? "the container's shim did not answer in 30 s" : "the container's shim ended at once");
}

Result<Started> ProcessRuntime::adopt(const std::string& id, const std::string& folder) {
  const auto record = readShimRecord(folder);
  if (!record || !isAlive(*record)) {
    const bool killed = record && record->bootId == bootId() && !readExitRecord(folder);
    if (killed) endContainerOf(folder);
    return fail(Code::NotFound, "nothing runs in " + folder);
  }
  SLIP_TRY(auto child, openChild(id, folder, record->pid));
  // The pid may have been given away between the two looks.
  if (!isAlive(*record)) {
    children_.erase(id);
    return fail(Code::NotFound, "nothing runs in " + folder);
  }
  // A shim that has not come to start its program stands for it: the program will run below it.
  return Started{record->childPid != 0 ? record->childPid : record->pid, record->startedAt, ""};
}

Task<ContainerExit> ProcessRuntime::wait(std::string id) {
  auto found = children_.find(id);
  ContainerExit unknown;
  unknown.exitCode = 137;
  unknown.reason = "ContainerStatusUnknown";
  unknown.message = "The container could not be located when the pod was terminated";
  unknown.containerId = id;
  unknown.finishedAt = std::chrono::system_clock::now();
  if (found == children_.end()) co_return unknown;
  std::shared_ptr<Child> child = found->second;
  co_await child->process.async_wait(stream_descriptor::wait_read, asio::use_awaitable);
  ::waitpid(child->pid, nullptr, WNOHANG);  // ours, or after an adoption somebody else's: then this does nothing
  children_.erase(id);
  auto exit = readExitRecord(child->folder);
  if (exit) co_return *exit;
  const auto record = readShimRecord(child->folder);
  if (record) unknown.startedAt = record->startedAt;
  endContainerOf(child->folder);
  unknown.finishedAt = std::chrono::system_clock::now();
  unknown.reason = "Error";
  unknown.message = "the container's shim was killed, and the container with it";
  co_return unknown;
}

void ProcessRuntime::terminate(const std::string& id) {
  auto found = children_.find(id);
  if (found != children_.end()) pidfdSignal(found->second->process.native_handle(), SIGTERM);
}

void ProcessRuntime::kill(const std::string& id) {
  auto found = children_.find(id);
  if (found != children_.end()) pidfdSignal(found->second->process.native_handle(), SIGUSR1);
}

Task<Result<ExecResult>> ProcessRuntime::exec(std::string id, std::vector<std::string> argv, Duration timeout) {
  auto found = children_.find(id);
  if (found == children_.end() || argv.empty()) co_return fail(Code::NotFound, "container not running");
  SLIP_CO_TRY(auto pipe, makePipe());
  std::vector<std::string> command = shimCommand_;
  command.insert(command.end(), {"enter", found->second->folder});
  command.insert(command.end(), argv.begin(), argv.end());
  Result<int> pid = spawn(command, pipe[1], true);
  ::close(pipe[1]);
  stream_descriptor output(executor_, pipe[0]);
  SLIP_CO_CHECK(pid);
  const int pidfd = pidfdOpen(*pid);
  // Ends with the process however this coroutine ends, cancellation included.
  struct Reaper {
    explicit Reaper(int p) : pid(p) {}
    Reaper(const Reaper&) = delete;
    Reaper& operator=(const Reaper&) = delete;
    int pid;
    ~Reaper() {
      ::kill(-pid, SIGKILL);
      int status = 0;
      ::waitpid(pid, &status, 0);
    }
  };
  const Reaper reaper(*pid);
  stream_descriptor process(executor_, pidfd);
  // A program that lingers after its container has ended has nobody left to answer for it.
  using namespace asio::experimental::awaitable_operators;
  const std::shared_ptr<Child> child = found->second;
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  auto got = co_await (readAll(output, kMaxExecOutput, timeout) ||
                       child->process.async_wait(stream_descriptor::wait_read, asio::use_awaitable));
  if (got.index() == 1) co_return fail(Code::NotFound, "the container has ended");
  ReadText read = std::get<0>(std::move(got));
  // A command may close its output and go on.
  bool ended = false;
  if (!read.timedOut) {
    ended = co_await readableBefore(process, deadline);
  }
  if (!ended)
    co_return fail(Code::Timeout, fmt::format("command timed out: after {} s",
                                              std::chrono::duration_cast<std::chrono::seconds>(timeout).count()));
  siginfo_t info{};
  ::waitid(P_PID, static_cast<id_t>(*pid), &info, WEXITED | WNOWAIT);
  const int status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
  co_return ExecResult{status, std::move(read.text)};
}

}  // namespace slipway::node
