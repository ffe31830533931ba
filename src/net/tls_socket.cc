#include "net/tls_socket.h"

#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <cstring>

namespace slipway::net {
namespace asio = boost::asio;
namespace {

constexpr std::size_t kRecord = 16384;        // the largest record's plain text
constexpr std::size_t kSmallPart = 2048;      // parts up to this share a record with their neighbours
constexpr std::size_t kGather = 4 * kRecord;  // encrypted before a call of the kernel
constexpr std::size_t kKeptScratch = 2 * kGather;

// What OpenSSL writes during one call; emptied before anybody else can run on this thread.
std::string& scratch() {
  thread_local std::string bytes;
  return bytes;
}

tl::unexpected<Error> ioError(const boost::system::error_code& ec) {
  if (ec == asio::error::operation_aborted) return fail(Code::Cancelled, "connection closed");
  return fail(Code::Unavailable, ec.message());
}

// The oldest error in OpenSSL's queue, in its own words.
std::string sslMessage(const char* fallback) {
  const unsigned long code = ERR_get_error();
  if (code == 0) return fallback;
  return boost::system::error_code(static_cast<int>(code), asio::error::get_ssl_category()).message();
}

}  // namespace

TlsSocket::TlsSocket(SSL_CTX* context, asio::ip::tcp::socket socket) : socket_(std::move(socket)), ssl_(SSL_new(context)) {
  if (!ssl_) throw std::bad_alloc();
  BIO* bio = BIO_new(method());
  if (!bio) throw std::bad_alloc();
  BIO_set_data(bio, this);
  SSL_set_bio(ssl_, bio, bio);
  SSL_set_mode(ssl_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_set_read_ahead(ssl_, 1);
}

TlsSocket::~TlsSocket() { SSL_free(ssl_); }

BIO_METHOD* TlsSocket::method() {
  static BIO_METHOD* const kMethod = [] {
    BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "slipway socket");
    BIO_meth_set_write(m, &TlsSocket::onWrite);
    BIO_meth_set_read(m, &TlsSocket::onRead);
    BIO_meth_set_ctrl(m, &TlsSocket::onControl);
    BIO_meth_set_create(m, [](BIO* bio) {
      BIO_set_init(bio, 1);
      return 1;
    });
    return m;
  }();
  return kMethod;
}

int TlsSocket::onWrite(BIO*, const char* bytes, int size) {
  scratch().append(bytes, static_cast<std::size_t>(size));
  return size;
}

int TlsSocket::onRead(BIO* bio, char* into, int size) {
  auto* self = static_cast<TlsSocket*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  ssize_t n = 0;
  do {
    n = ::recv(self->socket_.native_handle(), into, static_cast<std::size_t>(size), MSG_DONTWAIT);
  } while (n < 0 && errno == EINTR);
  if (n > 0) return static_cast<int>(n);
  if (n == 0) {
    self->ended_ = true;
    return 0;
  }
  if (errno == EAGAIN || errno == EWOULDBLOCK)
    BIO_set_retry_read(bio);
  else
    self->readError_ = errno;
  return -1;
}

long TlsSocket::onControl(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_FLUSH) return 1;
  if (command == BIO_CTRL_EOF) return static_cast<TlsSocket*>(BIO_get_data(bio))->ended_ ? 1 : 0;
  return 0;
}

Task<boost::system::error_code> TlsSocket::readable() {
  boost::system::error_code ec;
  co_await socket_.async_wait(asio::socket_base::wait_read, asio::redirect_error(asio::use_awaitable, ec));
  co_return ec;
}

Task<Status> TlsSocket::accept() {
  SSL_set_accept_state(ssl_);
  auto done = co_await handshake();
  co_return done;
}

Task<Status> TlsSocket::connect() {
  SSL_set_connect_state(ssl_);
  auto done = co_await handshake();
  co_return done;
}

Task<Status> TlsSocket::handshake() {
  for (;;) {
    ERR_clear_error();
    const int done = SSL_do_handshake(ssl_);
    const int error = done == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl_, done);
    const std::string why = error == SSL_ERROR_SSL ? sslMessage("protocol error") : "";
    flush();
    auto sent = co_await drain();  // an alert too
    if (error == SSL_ERROR_SSL) co_return fail(Code::Unavailable, why);
    if (!sent) co_return sent;
    if (error == SSL_ERROR_NONE) co_return Status{};
    if (error != SSL_ERROR_WANT_READ)
      co_return fail(Code::Unavailable, readError_ != 0 ? std::strerror(readError_) : "the peer closed the connection");
    const auto ec = co_await readable();
    if (ec) co_return ioError(ec);
  }
}

Task<Result<std::size_t>> TlsSocket::read(std::span<char> into) {
  for (;;) {
    ERR_clear_error();
    std::size_t n = 0;
    const int got = SSL_read_ex(ssl_, into.data(), into.size(), &n);
    const int error = got == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl_, got);
    const bool cut = error == SSL_ERROR_SSL && ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
    const std::string why = error == SSL_ERROR_SSL && !cut ? sslMessage("protocol error") : "";
    flush();  // the answer to a key update, an alert
    if (got == 1) co_return n;
    // A peer that closes without close_notify is common; HTTP framing tells whether anything is missing.
    if (error == SSL_ERROR_ZERO_RETURN || cut || (error == SSL_ERROR_SYSCALL && readError_ == 0)) co_return 0;
    if (error == SSL_ERROR_SYSCALL) co_return ioError({readError_, boost::system::system_category()});
    if (error != SSL_ERROR_WANT_READ) co_return fail(Code::Unavailable, "TLS: " + why);
    const auto ec = co_await readable();
    if (ec) co_return ioError(ec);
  }
}

// Appends the records of `bytes` to the scratch.
Status TlsSocket::encrypt(std::string_view bytes) {
  while (!bytes.empty()) {
    ERR_clear_error();
    std::size_t n = 0;
    if (SSL_write_ex(ssl_, bytes.data(), bytes.size(), &n) != 1) {
      broken_ = true;
      return fail(Code::Unavailable, "TLS: " + sslMessage("the connection is closed for writing"));
    }
    bytes.remove_prefix(n);
  }
  return {};
}

// Gives the scratch to the kernel, or to those who wait for it: in the order in which it was encrypted.
void TlsSocket::flush() {
  std::string& bytes = scratch();
  if (bytes.empty()) return;
  std::size_t sent = 0;
  if (sending_.empty() && later_.empty()) {
    const auto n = ::send(socket_.native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) sent = static_cast<std::size_t>(n);
  }
  if (sent < bytes.size()) later_.append(bytes, sent);
  bytes.clear();
  if (bytes.capacity() > kKeptScratch) bytes.shrink_to_fit();
}

Task<Status> TlsSocket::drain() {
  while (!later_.empty()) {
    sending_ = std::exchange(later_, {});
    boost::system::error_code ec;
    co_await asio::async_write(socket_, asio::buffer(sending_), asio::redirect_error(asio::use_awaitable, ec));
    std::string().swap(sending_);
    if (ec) {
      broken_ = true;
      co_return ioError(ec);
    }
  }
  co_return Status{};
}

Task<Status> TlsSocket::write(std::string_view bytes) {
  auto written = co_await writev({&bytes, 1});
  co_return written;
}

Task<Status> TlsSocket::writev(std::span<const std::string_view> parts) {
  if (broken_) co_return fail(Code::Unavailable, "connection closed");
  std::string small;  // neighbouring small parts, for one record
  const auto pack = [&]() -> Status {
    const Status done = small.empty() ? Status() : encrypt(small);
    small.clear();
    return done;
  };
  for (std::string_view part : parts) {
    if (part.size() <= kSmallPart && small.size() + part.size() <= kRecord) {
      small += part;
      continue;
    }
    if (!small.empty()) {  // a chunk's header goes with the beginning of the chunk
      const std::string_view head = part.substr(0, kRecord - small.size());
      small += head;
      part.remove_prefix(head.size());
    }
    Status encrypted = pack();
    while (encrypted && !part.empty()) {
      const std::string_view piece = part.substr(0, kGather);
      encrypted = encrypt(piece);
      part.remove_prefix(piece.size());
      if (!encrypted || scratch().size() < kGather) continue;
      flush();
      if (later_.empty()) continue;
      encrypted = co_await drain();
    }
    if (!encrypted) {
      scratch().clear();
      co_return encrypted;
    }
  }
  if (Status encrypted = pack(); !encrypted) {
    scratch().clear();
    co_return encrypted;
  }
  flush();
  if (later_.empty()) co_return Status{};
  auto drained = co_await drain();
  co_return drained;
}

void TlsSocket::shutdownWrite() {
  SSL_shutdown(ssl_);  // close_notify goes with the FIN or not at all
  flush();
  boost::system::error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
}

void TlsSocket::close() {
  boost::system::error_code ignored;
  socket_.close(ignored);
}

bool TlsSocket::peerClosed() {
  if (!socket_.is_open()) return true;
  pollfd p{socket_.native_handle(), POLLRDHUP, 0};
  return ::poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

}  // namespace slipway::net
