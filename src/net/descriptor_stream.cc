#include "net/descriptor_stream.h"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace slipway::net {
namespace asio = boost::asio;
using asio::posix::stream_descriptor;
namespace {

// The descriptor and what is known of it, shared with reads and writes that are under way when the stream goes.
struct Shared {
  Shared(Executor executor, int fd) : descriptor(executor, fd), terminal(::isatty(fd) == 1) {}
  stream_descriptor descriptor;
  bool terminal;
  bool endWhenEmpty = false;
};

Task<void> waitFor(std::shared_ptr<Shared> shared, stream_descriptor::wait_type what) {
  boost::system::error_code ec;
  co_await shared->descriptor.async_wait(what, asio::redirect_error(asio::use_awaitable, ec));
}

class Descriptor final : public DescriptorStream {
 public:
  Descriptor(Executor executor, int fd) : shared_(std::make_shared<Shared>(executor, fd)) {
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    // A pipe has no MSG_NOSIGNAL: a reader that is gone must be an error, not our end.
    [[maybe_unused]] static const auto ignored = std::signal(SIGPIPE, SIG_IGN);
  }
  ~Descriptor() override { Descriptor::close(); }

  Task<Result<std::size_t>> read(std::span<char> into) override {
    const auto shared = shared_;
    while (shared->descriptor.is_open()) {
      const ssize_t n = ::read(shared->descriptor.native_handle(), into.data(), into.size());
      if (n >= 0) co_return static_cast<std::size_t>(n);
      if (errno == EIO && shared->terminal) co_return 0;
      if (errno == EINTR) continue;
      if (errno != EAGAIN) co_return fail(Code::Unavailable, std::strerror(errno));
      if (shared->endWhenEmpty) co_return 0;
      co_await waitFor(shared, stream_descriptor::wait_read);
    }
    co_return fail(Code::Cancelled, "stream closed");
  }

  Task<Status> write(std::string_view bytes) override {
    const auto shared = shared_;
    while (!bytes.empty()) {
      if (!shared->descriptor.is_open()) co_return fail(Code::Cancelled, "stream closed");
      const ssize_t n = ::write(shared->descriptor.native_handle(), bytes.data(), bytes.size());
      if (n > 0) bytes.remove_prefix(static_cast<std::size_t>(n));
      if (n >= 0 || errno == EINTR) continue;
      if (errno != EAGAIN) co_return fail(Code::Unavailable, std::strerror(errno));
      co_await waitFor(shared, stream_descriptor::wait_write);
    }
    co_return Status{};
  }

  void shutdownWrite() override {
    if (!shared_->descriptor.is_open()) return;
    if (!shared_->terminal) return close();
    termios settings{};
    const int fd = shared_->descriptor.native_handle();
    if (::tcgetattr(fd, &settings) != 0) return;
    const char end = static_cast<char>(settings.c_cc[VEOF]);
    (void)!::write(fd, &end, 1);
  }

  void close() override {
    boost::system::error_code ignored;
    shared_->descriptor.close(ignored);
  }

  void endWhenEmpty() override {
    shared_->endWhenEmpty = true;
    boost::system::error_code ignored;
    shared_->descriptor.cancel(ignored);
  }

  int descriptor() const override {
    return shared_->descriptor.is_open() ? const_cast<Shared&>(*shared_).descriptor.native_handle() : -1;
  }

 private:
  std::shared_ptr<Shared> shared_;
};

}  // namespace

std::unique_ptr<DescriptorStream> descriptorStream(Executor executor, int fd) {
  return std::make_unique<Descriptor>(std::move(executor), fd);
}

}  // namespace slipway::net
