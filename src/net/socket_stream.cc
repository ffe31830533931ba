#include "net/socket_stream.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace slipway::net {
namespace asio = boost::asio;
namespace {

tl::unexpected<Error> ioError(const boost::system::error_code& ec) {
  if (ec == asio::error::operation_aborted) return fail(Code::Cancelled, "connection closed");
  return fail(Code::Unavailable, ec.message());
}

template <class Socket>
class SocketStream final : public ByteStream {
 public:
  explicit SocketStream(Socket socket) : socket_(std::move(socket)) {
    boost::system::error_code ignored;
    socket_.native_non_blocking(true, ignored);
  }

  Task<Result<std::size_t>> read(std::span<char> into) override {
    boost::system::error_code ec;
    const auto n = co_await socket_.async_read_some(asio::buffer(into.data(), into.size()),
                                                    asio::redirect_error(asio::use_awaitable, ec));
    if (ec == asio::error::eof) co_return 0;
    if (ec) co_return ioError(ec);
    co_return n;
  }

  Task<Status> write(std::string_view bytes) override {
    bytes.remove_prefix(tryWrite(bytes));
    if (bytes.empty()) co_return Status{};
    boost::system::error_code ec;
    co_await asio::async_write(socket_, asio::buffer(bytes.data(), bytes.size()),
                               asio::redirect_error(asio::use_awaitable, ec));
    if (ec) co_return ioError(ec);
    co_return Status{};
  }

  Task<Status> writev(std::span<const std::string_view> parts) override {
    std::vector<asio::const_buffer> rest;
    const std::size_t sent = trySend(parts);
    std::size_t skip = sent;
    for (auto part : parts) {
      const auto cut = std::min(skip, part.size());
      skip -= cut;
      part.remove_prefix(cut);
      if (!part.empty()) rest.emplace_back(part.data(), part.size());
    }
    if (rest.empty()) co_return Status{};
    boost::system::error_code ec;
    co_await asio::async_write(socket_, rest, asio::redirect_error(asio::use_awaitable, ec));
    if (ec) co_return ioError(ec);
    co_return Status{};
  }

  std::size_t tryWrite(std::string_view bytes) override {
    const auto n = ::send(socket_.native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return n > 0 ? static_cast<std::size_t>(n) : 0;
  }

  void shutdownWrite() override {
    boost::system::error_code ignored;
    socket_.shutdown(Socket::shutdown_send, ignored);
  }

  void close() override {
    boost::system::error_code ignored;
    socket_.close(ignored);
  }

  bool peerClosed() override {
    if (!socket_.is_open()) return true;
    pollfd p{socket_.native_handle(), POLLRDHUP, 0};
    return ::poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
  }

 private:
  std::size_t trySend(std::span<const std::string_view> parts) {
    std::array<iovec, 20> vec{};
    std::size_t count = 0;
    for (const auto part : parts) {
      if (count == vec.size()) break;
      vec[count++] = {const_cast<char*>(part.data()), part.size()};
    }
    msghdr message{};
    message.msg_iov = vec.data();
    message.msg_iovlen = count;
    const auto n = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    return n > 0 ? static_cast<std::size_t>(n) : 0;
  }

  Socket socket_;
};

}  // namespace

std::unique_ptr<ByteStream> socketStream(asio::ip::tcp::socket socket) {
  boost::system::error_code ignored;
  socket.set_option(asio::ip::tcp::no_delay(true), ignored);
  return std::make_unique<SocketStream<asio::ip::tcp::socket>>(std::move(socket));
}

std::unique_ptr<ByteStream> socketStream(asio::local::stream_protocol::socket socket) {
  return std::make_unique<SocketStream<asio::local::stream_protocol::socket>>(std::move(socket));
}

}  // namespace slipway::net
