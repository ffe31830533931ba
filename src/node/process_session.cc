#include "node/process_session.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "net/descriptor_stream.h"
#include "node/shim/sessions.h"

namespace slipway::node {
namespace {

using kube::ProcessSession;
using kube::SessionOptions;
using kube::TerminalSize;

constexpr std::size_t kMaxLine = 16 << 10;

tl::unexpected<Error> errnoFail(const char* what) {
  return fail(Code::Internal, fmt::format("{}: {}", what, std::strerror(errno)));
}

// Closes what it still holds.
struct Fd {
  Fd() = default;
  explicit Fd(int fd) : value(fd) {}
  Fd(Fd&& other) noexcept : value(std::exchange(other.value, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(value, other.value);
    return *this;
  }
  ~Fd() {
    if (value >= 0) ::close(value);
  }
  int release() { return std::exchange(value, -1); }
  int value = -1;
};

Result<Fd> connectTo(const std::string& folder) {
  const Fd place(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  Fd control(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = fmt::format("/proc/self/fd/{}/{}", place.value, kSessionSocket);
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  if (place.value < 0 || control.value < 0 ||
      ::connect(control.value, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail(Code::NotFound, fmt::format("the container does not take sessions: {}", std::strerror(errno)));
  return control;
}

// The length of the request, with the descriptors.
Status sendHead(int control, std::uint32_t size, const std::array<int, 3>& fds) {
  alignas(cmsghdr) char rights[CMSG_SPACE(sizeof fds)] = {};
  iovec part{&size, sizeof size};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = rights;
  message.msg_controllen = sizeof rights;
  cmsghdr* c = CMSG_FIRSTHDR(&message);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(sizeof fds);
  std::memcpy(CMSG_DATA(c), fds.data(), sizeof fds);
  // A shim that has refused us already has left its answer.
  if (::sendmsg(control, &message, MSG_NOSIGNAL) != static_cast<ssize_t>(sizeof size) && errno != EPIPE)
    return errnoFail("cannot speak to the container's shim");
  return {};
}

// Both sides of a session's streams.
struct Streams {
  std::array<Fd, 3> theirs, ours;
  Fd terminal;  // instead of ours
};

Result<Streams> openTerminal() {
  Streams s;
  s.terminal = Fd(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  char name[128];
  if (s.terminal.value < 0 || ::grantpt(s.terminal.value) != 0 || ::unlockpt(s.terminal.value) != 0 ||
      ::ptsname_r(s.terminal.value, name, sizeof name) != 0)
    return errnoFail("no terminal");
  for (Fd& fd : s.theirs) {
    fd = Fd(::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (fd.value < 0) return errnoFail(name);
  }
  return s;
}

Result<Streams> openStreams(const SessionOptions& options) {
  if (options.tty && !options.command.empty()) return openTerminal();
  Streams s;
  const std::array<bool, 3> wanted{options.stdin_, options.stdout_, options.stderr_};
  for (std::size_t i = 0; i < 3; ++i) {
    if (!wanted[i]) {
      s.theirs[i] = Fd(::open("/dev/null", O_RDWR | O_CLOEXEC));
      if (s.theirs[i].value < 0) return errnoFail("/dev/null");
      continue;
    }
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return errnoFail("pipe");
    s.theirs[i] = Fd(ends[i == 0 ? 0 : 1]);
    s.ours[i] = Fd(ends[i == 0 ? 1 : 0]);
  }
  return s;
}

std::string requestOf(const SessionOptions& options) {
  if (options.command.empty()) return options.stdin_ ? "attach stdin\n" : "attach\n";
  std::string text = options.tty ? "exec tty\n" : "exec\n";
  for (const std::string& word : options.command) text.append(word).push_back('\0');
  return text;
}

class Session final : public ProcessSession {
 public:
  Session(Executor executor, Fd control, Streams streams, bool attach, bool hasInput)
      : control_(net::descriptorStream(executor, control.release())), attach_(attach), hasInput_(hasInput) {
    if (streams.terminal.value >= 0) terminal_ = net::descriptorStream(executor, streams.terminal.release());
    for (std::size_t i = 0; i < 3; ++i) {
      if (streams.ours[i].value >= 0) streams_[i] = net::descriptorStream(executor, streams.ours[i].release());
    }
  }

  net::ByteStream* in() override { return terminal_ && hasInput_ ? terminal_.get() : streams_[0].get(); }
  net::ByteStream* out() override { return terminal_ ? terminal_.get() : streams_[1].get(); }
  net::ByteStream* err() override { return streams_[2].get(); }

  void resize(TerminalSize size) override {
    winsize w{};
    w.ws_col = size.columns;
    w.ws_row = size.rows;
    if (terminal_) ::ioctl(terminal_->descriptor(), TIOCSWINSZ, &w);
    if (!attach_) return;
    const std::string line = fmt::format("resize {} {}\n", size.columns, size.rows);
    (void)!::send(control_->descriptor(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }

  Task<Status> begin(std::string request) {
    auto written = co_await control_->write(request);
    (void)written;  // the answer says why
    const std::string answer = co_await line();
    if (answer == "started") co_return Status{};
    if (answer.starts_with("failed ")) co_return fail(Code::Internal, answer.substr(7));
    co_return fail(Code::NotFound, "the container has ended");
  }

  Task<Result<int>> wait() override {
    int code = attach_ ? 0 : 137;  // killed with its container
    for (;;) {
      const std::string text = co_await line();
      if (text.starts_with("exit ")) code = std::atoi(text.c_str() + 5);
      if (text.empty() || text.starts_with("exit ")) break;
    }
    for (net::DescriptorStream* stream : {terminal_.get(), streams_[1].get(), streams_[2].get()}) {
      if (stream != nullptr) stream->endWhenEmpty();
    }
    co_return code;
  }

 private:
  // The next line of the shim; empty at the end.
  Task<std::string> line() {
    for (;;) {
      const std::size_t end = text_.find('\n');
      if (end != std::string::npos) {
        std::string found = text_.substr(0, end);
        text_.erase(0, end + 1);
        co_return found;
      }
      char buffer[512];
      const auto n = co_await control_->read(buffer);
      if (!n || *n == 0 || text_.size() > kMaxLine) co_return std::string();
      text_.append(buffer, *n);
    }
  }

  std::unique_ptr<net::DescriptorStream> control_, terminal_;
  std::array<std::unique_ptr<net::DescriptorStream>, 3> streams_;
  bool attach_, hasInput_;
  std::string text_;
};

}  // namespace

Task<Result<std::unique_ptr<ProcessSession>>> openSession(Executor executor, std::string folder, SessionOptions options) {
  SLIP_CO_TRY(Fd control, connectTo(folder));
  SLIP_CO_TRY(Streams streams, openStreams(options));
  std::string request = requestOf(options);
  SLIP_CO_CHECK(sendHead(control.value, static_cast<std::uint32_t>(request.size()),
                         {streams.theirs[0].value, streams.theirs[1].value, streams.theirs[2].value}));
  streams.theirs = {};
  auto session =
      std::make_unique<Session>(executor, std::move(control), std::move(streams), options.command.empty(), options.stdin_);
  auto begun = co_await session->begin(std::move(request));
  SLIP_CO_CHECK(begun);
  co_return session;
}

}  // namespace slipway::node
