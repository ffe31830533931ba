#include "net/server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <list>

#include "base/log.h"
#include "net/server_connection.h"
#include "net/socket_stream.h"
#include "net/tls_stream.h"

namespace slipway::net {
namespace asio = boost::asio;
using asio::ip::tcp;
using Unix = asio::local::stream_protocol;
using ConnectionPtr = std::shared_ptr<ServerConnection>;

namespace {

// Probes an idle peer, and gives up one that acknowledges nothing: such a client would hold its stream for hours.
void dropWhenDead(tcp::socket& socket, std::chrono::seconds after) {
  const int fd = socket.native_handle();
  const int seconds = static_cast<int>(after.count());
  const auto set = [fd](int level, int name, int value) { ::setsockopt(fd, level, name, &value, sizeof value); };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, std::max(1, seconds / 2));
  set(IPPROTO_TCP, TCP_KEEPINTVL, std::max(1, seconds / 8));
  set(IPPROTO_TCP, TCP_KEEPCNT, 4);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, seconds * 1000);
}

}  // namespace

struct HttpServer::State : std::enable_shared_from_this<HttpServer::State> {
  State(Executor e, Handler handler, ServerOptions options)
      : executor(e), core(std::make_shared<ServerCore>()), ticker(e), roomOrEmpty(e, asio::steady_timer::time_point::max()) {
    core->handler = std::move(handler);
    core->options = std::move(options);
  }

  template <class Acceptor>
  void startAccepting(std::shared_ptr<Acceptor> acceptor);
  template <class Acceptor>
  static Task<void> acceptLoop(std::shared_ptr<State> self, std::shared_ptr<Acceptor> acceptor);
  void accepted(tcp::socket socket);
  void accepted(Unix::socket socket) { start(socketStream(std::move(socket)), {}); }
  static Task<void> handshake(std::shared_ptr<State> self, tcp::socket socket, std::string address);
  void start(std::unique_ptr<ByteStream> stream, Peer peer);
  void closeAll();
  void stopAccepting();
  void armTicker();
  void tick();
  std::size_t open() const { return connections.size() + handshakes; }
  void ended() {  // wakes whoever waits for room or for the last one
    roomOrEmpty.cancel();
  }

  Executor executor;
  std::shared_ptr<ServerCore> core;
  std::list<ConnectionPtr> connections;
  std::size_t handshakes = 0;
  std::list<std::function<void()>> closers;  // one per listener
  asio::steady_timer ticker;
  bool ticking = false, stopped = false;
  asio::steady_timer roomOrEmpty;  // never fires; cancelled whenever a connection ends
};

HttpServer::HttpServer(Executor executor, Handler handler, ServerOptions options)
    : state_(std::make_shared<State>(executor, std::move(handler), std::move(options))) {}

HttpServer::~HttpServer() {
  state_->stopAccepting();
  state_->closeAll();
}

std::size_t HttpServer::connections() const { return state_->open(); }

void HttpServer::State::stopAccepting() {
  stopped = true;
  core->draining = true;
  for (auto& close : closers) close();
  closers.clear();
  ended();
}

void HttpServer::State::closeAll() {
  const std::vector<ConnectionPtr> all(connections.begin(), connections.end());  // aborting may end one at once
  for (const auto& connection : all) connection->abort();
}

void HttpServer::State::armTicker() {
  if (ticking) return;
  ticking = true;
  ticker.expires_after(kTick);
  ticker.async_wait([weak = weak_from_this()](const boost::system::error_code& ec) {
    const auto self = weak.lock();
    if (!self) return;
    self->ticking = false;
    if (!ec) self->tick();
  });
}

void HttpServer::State::tick() {
  ++core->tick;
  std::vector<ConnectionPtr> gone;
  for (const auto& connection : connections) {
    if (connection->onTick()) gone.push_back(connection);
  }
  for (const auto& connection : gone) connection->abort();
  if (!connections.empty()) armTicker();
}

void HttpServer::State::start(std::unique_ptr<ByteStream> stream, Peer peer) {
  auto connection = std::make_shared<ServerConnection>(core, std::move(stream), std::move(peer));
  const auto place = connections.insert(connections.end(), connection);
  armTicker();
  auto done = [self = shared_from_this(), place, connection](std::exception_ptr) {
    self->connections.erase(place);
    self->ended();
  };
  asio::co_spawn(
      executor, [connection] { return connection->run(); },
      asio::bind_cancellation_slot(connection->signal().slot(), std::move(done)));
}

void HttpServer::State::accepted(tcp::socket socket) {
  boost::system::error_code ec;
  const auto remote = socket.remote_endpoint(ec);
  if (ec) return;
  Peer peer;
  peer.address = remote.address().is_v6() ? "[" + remote.address().to_string() + "]" : remote.address().to_string();
  peer.address += ":" + std::to_string(remote.port());
  if (core->options.deadPeerTimeout.count() > 0) dropWhenDead(socket, core->options.deadPeerTimeout);
  if (!core->options.tls) return start(socketStream(std::move(socket)), std::move(peer));
  socket.set_option(tcp::no_delay(true), ec);
  ++handshakes;
  asio::co_spawn(executor, handshake(shared_from_this(), std::move(socket), std::move(peer.address)),
                 [self = shared_from_this()](std::exception_ptr) {
                   --self->handshakes;
                   self->ended();
                 });
}

Task<void> HttpServer::State::handshake(std::shared_ptr<State> self, tcp::socket socket, std::string address) {
  asio::steady_timer deadline(self->executor, self->core->options.headTimeout);
  auto over = std::make_shared<bool>(false);
  deadline.async_wait([fd = socket.native_handle(), over](const boost::system::error_code& ec) {
    if (!ec && !*over) ::shutdown(fd, SHUT_RDWR);
  });
  auto accepted = co_await tlsAccept(self->core->options.tls, std::move(socket));
  *over = true;
  if (!accepted) {
    logDebug("http: {}: {}", address, accepted.error().message);
    co_return;
  }
  if (self->stopped) co_return;
  accepted->peer.address = std::move(address);
  self->start(std::move(accepted->stream), std::move(accepted->peer));
}

template <class Acceptor>
Task<void> HttpServer::State::acceptLoop(std::shared_ptr<State> self, std::shared_ptr<Acceptor> acceptor) {
  while (!self->stopped) {
    boost::system::error_code ec;
    while (self->open() >= self->core->options.maxConnections && !self->stopped) {
      co_await self->roomOrEmpty.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    }
    if (self->stopped) co_return;
    auto socket = co_await acceptor->async_accept(asio::redirect_error(asio::use_awaitable, ec));
    if (self->stopped) co_return;
    if (!ec) {
      self->accepted(std::move(socket));
    } else if (ec != asio::error::connection_aborted) {  // EMFILE and the like: others must end first
      logWarn("http: cannot accept a connection: {}", ec.message());
      asio::steady_timer pause(self->executor, std::chrono::milliseconds(50));
      co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    }
  }
}

template <class Acceptor>
void HttpServer::State::startAccepting(std::shared_ptr<Acceptor> acceptor) {
  closers.push_back([acceptor] {
    boost::system::error_code ignored;
    acceptor->close(ignored);
  });
  asio::co_spawn(executor, acceptLoop(shared_from_this(), acceptor), asio::detached);
}

namespace {

Error listenError(const std::string& where, const boost::system::error_code& ec) {
  if (ec == asio::error::address_in_use)
    return {Code::AlreadyExists, where + " is in use by another process; choose another port or 0 for any free one", ""};
  if (ec == asio::error::access_denied)
    return {Code::Forbidden, "not allowed to listen on " + where + "; choose a port above 1023", ""};
  return {Code::Unavailable, "cannot listen on " + where + ": " + ec.message(), ""};
}

}  // namespace

Status HttpServer::checkFree(const std::string& address, std::uint16_t port) {
  boost::system::error_code ec;
  const auto ip = asio::ip::make_address(address, ec);
  if (ec || port == 0) return {};  // listen() says what is wrong with the address
  asio::io_context io;
  tcp::acceptor probe(io);
  const tcp::endpoint endpoint(ip, port);
  probe.open(endpoint.protocol(), ec);
  if (!ec) probe.set_option(tcp::acceptor::reuse_address(true), ec);
  if (!ec) probe.bind(endpoint, ec);
  if (ec) return fail(listenError(address + ":" + std::to_string(port), ec));
  return {};
}

Result<Bound> HttpServer::listen(const std::string& address, std::uint16_t port) {
  const auto where = address + ":" + std::to_string(port);
  boost::system::error_code ec;
  const auto ip = asio::ip::make_address(address, ec);
  if (ec)
    return fail(Code::Invalid,
                "listen address '" + address + "' is not an IP address; use for example 127.0.0.1 or 0.0.0.0");
  auto acceptor = std::make_shared<tcp::acceptor>(state_->executor);
  const tcp::endpoint endpoint(ip, port);
  acceptor->open(endpoint.protocol(), ec);
  if (!ec) acceptor->set_option(tcp::acceptor::reuse_address(true), ec);
  if (!ec && state_->core->options.reusePort) {
    acceptor->set_option(asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>(true), ec);
  }
  if (!ec) acceptor->bind(endpoint, ec);
  if (!ec) acceptor->listen(4096, ec);
  if (ec) return fail(listenError(where, ec));
  const auto local = acceptor->local_endpoint(ec);
  state_->startAccepting(acceptor);
  return Bound{local.address().to_string(), local.port()};
}

Status HttpServer::listenUnix(const std::string& path) {
  if (path.size() >= 108) return fail(Code::Invalid, "socket path '" + path + "' is longer than 107 bytes");
  boost::system::error_code ec;
  auto acceptor = std::make_shared<Unix::acceptor>(state_->executor);
  acceptor->open(Unix(), ec);
  if (!ec) acceptor->bind(Unix::endpoint(path), ec);
  if (ec == asio::error::address_in_use) {
    Unix::socket probe(state_->executor);
    boost::system::error_code refused;
    probe.connect(Unix::endpoint(path), refused);
    if (refused != asio::error::connection_refused) return fail(Code::AlreadyExists, path + " is in use by another process");
    ::unlink(path.c_str());
    ec = {};
    acceptor->bind(Unix::endpoint(path), ec);
  }
  if (!ec) acceptor->listen(4096, ec);
  if (ec) return fail(Code::Unavailable, "cannot listen on " + path + ": " + ec.message());
  state_->startAccepting(acceptor);
  return {};
}

void HttpServer::serve(std::unique_ptr<ByteStream> stream, Peer peer) { state_->start(std::move(stream), std::move(peer)); }

Task<void> HttpServer::drain(std::chrono::milliseconds grace) {
  const auto state = state_;
  state->stopAccepting();
  for (const auto& connection : state->connections) connection->closeIfIdle();
  const auto end = asio::steady_timer::clock_type::now() + grace;
  bool aborted = false;
  while (aborted ? !state->connections.empty() : state->open() > 0) {
    boost::system::error_code ec;
    state->roomOrEmpty.expires_at(aborted ? asio::steady_timer::time_point::max() : end);
    co_await state->roomOrEmpty.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    if (!ec && !aborted) {  // grace is over
      aborted = true;
      state->closeAll();
    }
  }
}

}  // namespace slipway::net
