#include "node/shim/sessions.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "node/shim/enter.h"
#include "node/shim/memory_watch.h"

namespace slipway::node {
namespace {

constexpr std::size_t kMaxSessions = 64;
constexpr std::size_t kMaxRequest = 2 << 20;  // bytes: arguments of a command
constexpr std::size_t kMaxLine = 64;
constexpr std::size_t kChunk = 64 << 10;
constexpr auto kPatience = std::chrono::seconds(5);
constexpr int kFinishMillis = 2000;  // for attached clients to take the last output

auto now() { return std::chrono::steady_clock::now(); }

void closeFd(int& fd) {
  if (fd >= 0) ::close(fd);
  fd = -1;
}

// A descriptor of the program or of a client is gone for good.
bool lost(ssize_t n) { return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR); }

}  // namespace

struct Sessions::Session {
  int control = -1;
  int in = -1, out = -1, err = -1;
  std::string request;  // what has come on the control connection and was not understood yet
  std::size_t wanted = 0;
  bool begun = false, attached = false;
  int pid = 0;                         // of an exec; 0 once it has ended
  std::string pendingOut, pendingErr;  // attach: not taken yet
  Time stalledSince{};
  bool full() const { return !pendingOut.empty() || !pendingErr.empty(); }
  void say(const std::string& line) const { (void)!::send(control, line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT); }
};

Sessions::Sessions(const Launch& launch, const Cgroup* cgroup) : launch_(launch), cgroup_(cgroup) {}

Sessions::~Sessions() {
  for (Session& s : sessions_) {
    for (int* fd : {&s.control, &s.in, &s.out, &s.err}) closeFd(*fd);
  }
  closeFd(listener_);
  if (program_.in >= 0) ::close(program_.in);
}

void Sessions::open(const Program& program, std::string* note) {
  program_ = program;
  // The path of a socket may have 107 bytes only: it is bound through its folder's descriptor.
  int folder = ::open(launch_.folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = fmt::format("/proc/self/fd/{}/{}", folder, kSessionSocket);
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  ::unlink(path.c_str());
  const mode_t mask = ::umask(0177);
  const bool bound = folder >= 0 && listener_ >= 0 &&
                     ::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                     ::listen(listener_, 16) == 0;
  const int error = errno;
  ::umask(mask);
  closeFd(folder);
  if (bound) return;
  closeFd(listener_);
  *note += fmt::format("exec and attach are not possible: {}; ", std::strerror(error));
}

void Sessions::addPolls(std::vector<pollfd>* fds) const {
  if (listener_ >= 0) fds->push_back({listener_, POLLIN, 0});
  for (const Session& s : sessions_) {
    fds->push_back({s.control, POLLIN, 0});
    if (!s.attached) continue;
    if (s.in >= 0 && input_.empty() && program_.in >= 0) fds->push_back({s.in, POLLIN, 0});
    if (!s.pendingOut.empty()) fds->push_back({s.out, POLLOUT, 0});
    if (!s.pendingErr.empty()) fds->push_back({s.err, POLLOUT, 0});
  }
  if (!input_.empty() && program_.in >= 0) fds->push_back({program_.in, POLLOUT, 0});
}

int Sessions::waitMillis() const {
  int wait = -1;
  for (const Session& s : sessions_) {
    if (!s.full()) continue;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(s.stalledSince + kPatience - now()).count();
    const int millis = static_cast<int>(std::max<std::int64_t>(left, 0)) + 1;
    wait = wait < 0 ? millis : std::min(wait, millis);
  }
  return wait;
}

void Sessions::handle(const std::vector<pollfd>& fds) {
  const auto happened = [&fds](int fd) {
    return fd >= 0 && std::any_of(fds.begin(), fds.end(), [fd](const pollfd& p) { return p.fd == fd && p.revents != 0; });
  };
  if (happened(program_.in)) giveInput();
  for (auto s = sessions_.begin(); s != sessions_.end();) {
    bool alive = true;
    if (happened(s->in)) takeInput(*s);
    if (happened(s->out) || happened(s->err)) giveOutput(*s);
    if (s->full() && now() - s->stalledSince >= kPatience) alive = false;
    if (alive && happened(s->control)) alive = receive(*s);
    if (!alive) end(*s);
    s = alive ? std::next(s) : sessions_.erase(s);
  }
  if (happened(listener_)) accept();
}

void Sessions::accept() {
  const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return;
  ucred peer{};
  socklen_t size = sizeof peer;
  const bool known =
      ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == ::geteuid() || peer.uid == 0);
  Session& s = sessions_.emplace_back();
  s.control = fd;
  if (known && sessions_.size() <= kMaxSessions) return;
  s.say(known ? "failed too many sessions in this container at once\n" : "failed not yours\n");
  end(s);
  sessions_.pop_back();
}

// False: the client has closed, or its session is over.
bool Sessions::receive(Session& s) {
  char bytes[4096];
  alignas(cmsghdr) char control[CMSG_SPACE(3 * sizeof(int))];
  iovec part{bytes, sizeof bytes};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t n = ::recvmsg(s.control, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  for (const cmsghdr* c = CMSG_FIRSTHDR(&message); n > 0 && c != nullptr;
       c = CMSG_NXTHDR(&message, const_cast<cmsghdr*>(c))) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    std::vector<int> got((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    std::memcpy(got.data(), CMSG_DATA(c), got.size() * sizeof(int));
    if (got.size() == 3 && s.in < 0) {
      s.in = got[0], s.out = got[1], s.err = got[2];
    } else {
      for (int fd : got) ::close(fd);
    }
  }
  if (n <= 0) return !lost(n);
  s.request.append(bytes, static_cast<std::size_t>(n));
  if (!s.begun) {
    if (s.wanted == 0 && s.request.size() >= 4) {
      std::uint32_t size = 0;
      std::memcpy(&size, s.request.data(), 4);
      s.wanted = size;
      s.request.erase(0, 4);
      if (size == 0 || size > kMaxRequest || s.in < 0) return false;
    }
    if (s.wanted == 0 || s.request.size() < s.wanted) return true;
    const std::string text = s.request.substr(0, s.wanted);
    s.request.erase(0, s.wanted);
    s.begun = true;
    if (!begin(s, text)) return false;
  }
  std::size_t from = 0;
  for (std::size_t line = s.request.find('\n'); line != std::string::npos; line = s.request.find('\n', from)) {
    if (s.attached) onLine(std::string_view(s.request).substr(from, line - from));
    from = line + 1;
  }
  s.request.erase(0, from);
  return s.request.size() <= kMaxLine;
}

bool Sessions::begin(Session& s, const std::string& text) {
  const std::size_t line = text.find('\n');
  const std::string what = text.substr(0, line);
  if (what == "attach" || what == "attach stdin") {
    s.attached = true;
    for (int fd : {s.in, s.out, s.err}) ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    if (what == "attach" || !launch_.openStdin || program_.in < 0) closeFd(s.in);
    s.say("started\n");
    return true;
  }
  if (line == std::string::npos || (what != "exec" && what != "exec tty")) return false;
  std::vector<std::string> argv;
  for (std::size_t from = line + 1, to = 0; (to = text.find('\0', from)) != std::string::npos; from = to + 1)
    argv.push_back(text.substr(from, to - from));
  return !argv.empty() && startProgramOf(s, std::move(argv), what == "exec tty");
}

bool Sessions::startProgramOf(Session& s, std::vector<std::string> argv, bool tty) {
  int status[2];
  if (::pipe2(status, O_CLOEXEC) != 0) {
    s.say(fmt::format("failed pipe: {}\n", std::strerror(errno)));
    return false;
  }
  const int shim = static_cast<int>(::getpid());
  const int pid = ::fork();
  if (pid == 0) {
    const std::array<int, 3> streams{s.in, s.out, s.err};
    const std::string why = runInContainer({launch_, cgroup_, program_.pid, shim, std::move(argv), streams, tty});
    (void)!::write(status[1], why.data(), why.size());
    ::_exit(126);
  }
  ::close(status[1]);
  for (int* fd : {&s.in, &s.out, &s.err}) closeFd(*fd);
  std::string why = pid < 0 ? fmt::format("fork: {}", std::strerror(errno)) : "";
  char buffer[1024];
  for (ssize_t n = 1; pid > 0 && n != 0;) {  // ends at the exec, which closes the pipe
    n = ::read(status[0], buffer, sizeof buffer);
    if (n > 0) why.append(buffer, static_cast<std::size_t>(n));
    if (n < 0 && errno != EINTR) break;
  }
  ::close(status[0]);
  if (why.empty()) {
    s.pid = pid;
    s.say("started\n");
    return true;
  }
  if (pid > 0) ::waitpid(pid, nullptr, 0);
  for (char& c : why) c = c == '\n' ? ' ' : c;
  s.say("failed " + why + "\n");
  return false;
}

void Sessions::onLine(std::string_view line) {
  unsigned columns = 0;
  unsigned rows = 0;
  if (std::sscanf(std::string(line).c_str(), "resize %u %u", &columns, &rows) != 2 || !launch_.tty) return;
  winsize size{};
  size.ws_col = static_cast<unsigned short>(columns);
  size.ws_row = static_cast<unsigned short>(rows);
  ::ioctl(program_.in, TIOCSWINSZ, &size);
}

void Sessions::takeInput(Session& s) {
  char buffer[kChunk];
  const ssize_t n = ::read(s.in, buffer, sizeof buffer);
  if (n > 0) {
    input_.append(buffer, static_cast<std::size_t>(n));
    giveInput();
  } else if (lost(n)) {
    closeFd(s.in);
    inputEnded();
  }
}

// With stdinOnce the first client's end is the program's.
void Sessions::inputEnded() {
  if (!launch_.stdinOnce) return;
  inputEnding_ = true;
  giveInput();
}

void Sessions::giveInput() {
  while (!input_.empty() && program_.in >= 0) {
    const ssize_t n = ::write(program_.in, input_.data(), input_.size());
    if (n > 0) input_.erase(0, static_cast<std::size_t>(n));
    if (n > 0 || (n < 0 && errno == EINTR)) continue;
    if (errno == EAGAIN) return;
    inputEnding_ = true;  // the program has closed its input
    break;
  }
  if (!inputEnding_ || program_.in < 0) return;
  input_.clear();
  inputEnding_ = false;
  if (launch_.tty) {
    (void)!::write(program_.in, "\x04", 1);  // end of file, to a program that reads lines
  } else {
    closeFd(program_.in);
  }
}

bool Sessions::wantsOutput() const {
  return std::none_of(sessions_.begin(), sessions_.end(), [](const Session& s) { return s.full(); });
}

void Sessions::output(bool errors, std::string_view bytes) {
  for (Session& s : sessions_) {
    if (!s.attached || (errors ? s.err : s.out) < 0) continue;
    (errors ? s.pendingErr : s.pendingOut).append(bytes);
    s.stalledSince = now();
    giveOutput(s);
  }
}

void Sessions::giveOutput(Session& s) {
  const auto give = [&s](int& fd, std::string& pending) {
    while (!pending.empty() && fd >= 0) {
      const ssize_t n = ::write(fd, pending.data(), pending.size());
      if (n > 0) pending.erase(0, static_cast<std::size_t>(n)), s.stalledSince = now();
      if (n > 0 || (n < 0 && errno == EINTR)) continue;
      if (n < 0 && errno == EAGAIN) return;
      closeFd(fd);
    }
    if (fd < 0) pending.clear();
  };
  give(s.out, s.pendingOut);
  give(s.err, s.pendingErr);
}

bool Sessions::childEnded(int pid, int status) {
  const auto s = std::find_if(sessions_.begin(), sessions_.end(), [pid](const Session& x) { return x.pid == pid; });
  if (s == sessions_.end()) return false;
  s->pid = 0;
  s->say(fmt::format("exit {}\n", WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status)));
  end(*s);
  sessions_.erase(s);
  return true;
}

// Kills what the session started and nobody waits for any more.
void Sessions::end(Session& s) {
  if (s.pid > 0) {
    for (int pid : descendants(s.pid)) ::kill(pid, SIGKILL);
    ::kill(-s.pid, SIGKILL);
    ::kill(s.pid, SIGKILL);
  }
  const bool fed = s.attached && s.in >= 0;
  for (int* fd : {&s.control, &s.in, &s.out, &s.err}) closeFd(*fd);
  if (fed) inputEnded();
}

void Sessions::finish() {
  closeFd(listener_);
  for (Session& s : sessions_) {
    for (int waited = 0; s.full() && waited < kFinishMillis; waited += 10) {
      pollfd fds[2] = {{s.pendingOut.empty() ? -1 : s.out, POLLOUT, 0}, {s.pendingErr.empty() ? -1 : s.err, POLLOUT, 0}};
      if (::poll(fds, 2, 10) > 0) giveOutput(s);
    }
    s.say(s.attached ? "exit 0\n" : "exit 137\n");
    end(s);
  }
  sessions_.clear();
}

}  // namespace slipway::node
