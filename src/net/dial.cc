#include "net/dial.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "net/socket_stream.h"
#include "net/tls_stream.h"

namespace slipway::net {
namespace asio = boost::asio;
using asio::ip::tcp;
using Unix = asio::local::stream_protocol;
namespace {

// Closes what is being opened when time is up; the pending operation then ends with operation_aborted.
struct Deadline {
  Deadline(const Executor& executor, std::chrono::milliseconds timeout, std::function<void()> abort)
      : timer(executor, timeout), expired(std::make_shared<bool>(false)) {
    timer.async_wait([expired = expired, over = over, abort = std::move(abort)](const boost::system::error_code& ec) {
      if (ec || *over) return;
      *expired = true;
      abort();
    });
  }
  ~Deadline() {
    *over = true;
  }  // an expiry that is already queued must not act on a descriptor that is someone else's by then
  std::shared_ptr<bool> over = std::make_shared<bool>(false);
  asio::steady_timer timer;
  std::shared_ptr<bool> expired;
};

bool loopbackName(const std::string& host) { return host == "localhost" || host.ends_with(".localhost"); }

tl::unexpected<Error> dialError(const std::string& where, const boost::system::error_code& ec, bool expired) {
  if (expired) return fail(Code::Timeout, "cannot connect to " + where + ": no answer within the connect timeout");
  return fail(Code::Unavailable, "cannot connect to " + where + ": " + ec.message());
}

Task<Result<std::unique_ptr<ByteStream>>> dialUnix(std::string path) {
  auto executor = co_await asio::this_coro::executor;
  if (path.size() >= 108) co_return fail(Code::Invalid, "socket path '" + path + "' is longer than 107 bytes");
  Unix::socket socket(executor);
  boost::system::error_code ec;
  co_await socket.async_connect(Unix::endpoint(path), asio::redirect_error(asio::use_awaitable, ec));
  if (ec) co_return dialError("unix:" + path, ec, false);
  co_return socketStream(std::move(socket));
}

Task<Result<std::vector<tcp::endpoint>>> resolve(Origin origin) {
  boost::system::error_code ec;
  const std::string host = loopbackName(origin.host) ? "127.0.0.1" : origin.host;
  const auto address = asio::ip::make_address(host, ec);
  if (!ec) co_return std::vector<tcp::endpoint>{tcp::endpoint(address, origin.port)};
  auto executor = co_await asio::this_coro::executor;
  tcp::resolver resolver(executor);
  ec = {};
  const auto found =
      co_await resolver.async_resolve(host, std::to_string(origin.port), asio::redirect_error(asio::use_awaitable, ec));
  if (ec) co_return fail(Code::Unavailable, "cannot resolve host '" + host + "': " + ec.message());
  std::vector<tcp::endpoint> out;
  for (const auto& entry : found) out.push_back(entry.endpoint());
  co_return out;
}

}  // namespace

Task<Result<std::unique_ptr<ByteStream>>> dial(Origin origin, std::shared_ptr<TlsContext> tls,
                                               std::chrono::milliseconds timeout) {
  if (!origin.unixPath.empty()) {
    auto stream = co_await dialUnix(origin.unixPath);
    co_return stream;
  }
  auto executor = co_await asio::this_coro::executor;
  auto endpoints = co_await resolve(origin);
  if (!endpoints) co_return fail(std::move(endpoints).error());
  const auto where = origin.host + ":" + std::to_string(origin.port);
  if (origin.tls && !tls) co_return fail(Code::Internal, "TLS to " + where + " needs ClientOptions::tls");

  // The socket is on the heap so that the deadline can close it; its descriptor outlives a move into a TLS stream, so the
  // handshake is bounded through the descriptor.
  auto socket = std::make_shared<tcp::socket>(executor);
  Deadline deadline(executor, timeout, [socket] {
    boost::system::error_code ignored;
    if (socket->is_open()) socket->close(ignored);
  });
  boost::system::error_code ec;
  for (const auto& endpoint : *endpoints) {
    if (*deadline.expired) break;
    ec = {};
    if (socket->is_open()) socket->close(ec);
    socket->open(endpoint.protocol(), ec);
    if (ec) continue;
    co_await socket->async_connect(endpoint, asio::redirect_error(asio::use_awaitable, ec));
    if (!ec) break;
  }
  if (ec || *deadline.expired) co_return dialError(where, ec, *deadline.expired);
  *deadline.over = true;
  if (!origin.tls) co_return socketStream(std::move(*socket));

  const int fd = socket->native_handle();
  Deadline handshake(executor, timeout, [fd] { ::shutdown(fd, SHUT_RDWR); });
  auto stream = co_await tlsConnect(tls, std::move(*socket), origin.host, origin.http2);
  if (!stream && *handshake.expired) co_return dialError(where, ec, true);
  co_return stream;
}

}  // namespace slipway::net
