#include "net/client.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <map>

#include "net/client_connection.h"
#include "net/dial.h"
#include "net/h2/client_session.h"

namespace slipway::net {
namespace asio = boost::asio;
namespace {

bool repeatable(const Request& request) {
  const auto& m = request.method;
  return m == "GET" || m == "HEAD" || m == "PUT" || m == "DELETE" || m == "OPTIONS" || m == "TRACE";
}

// Closes a connection whose exchange was cancelled half way, and stops the upload that may still run on it.
struct Abandon {
  mutable ClientConnection* connection;
  ~Abandon() {
    if (connection) connection->giveBack();
  }
};

// Counts a connection that is being opened.
struct Reservation {
  explicit Reservation(std::shared_ptr<ClientPool> p) : pool(std::move(p)) { ++pool->open; }
  ~Reservation() {
    --pool->open;
    pool->wakeOne();
  }
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;
  std::shared_ptr<ClientPool> pool;
};

// A place in the line for a connection. However its wait ends, it leaves the line; a turn that it got but could not use
// (it timed out or was cancelled in the same moment) goes to the next.
struct WaitPlace {
  WaitPlace(std::shared_ptr<ClientPool> p, const Executor& executor, std::chrono::milliseconds timeout)
      : pool(std::move(p)), timer(std::make_shared<asio::steady_timer>(executor, timeout)) {
    pool->waiters.push_back(timer);
  }
  ~WaitPlace() {
    if (std::erase(pool->waiters, timer) == 0 && !used) pool->wakeOne();
  }
  WaitPlace(const WaitPlace&) = delete;
  WaitPlace& operator=(const WaitPlace&) = delete;
  std::shared_ptr<ClientPool> pool;
  std::shared_ptr<asio::steady_timer> timer;
  bool used = false;
};

}  // namespace

struct HttpClient::State : std::enable_shared_from_this<HttpClient::State> {
  State(Executor e, ClientOptions o) : executor(e), options(std::move(o)), ticker(e) {}
  std::shared_ptr<ClientPool> pool(const Origin& origin);
  ClientConnectionPtr takeIdle(ClientPool& pool);
  Task<Result<ClientConnectionPtr>> connect(Origin origin, std::shared_ptr<ClientPool> pool);
  std::shared_ptr<h2::ClientPool> http2Pool(const Origin& origin);
  Task<Result<std::shared_ptr<h2::ClientSession>>> http2Session(Origin origin, std::shared_ptr<h2::ClientPool> pool);
  static Task<Result<Response>> sendHttp2(std::shared_ptr<State> state, Origin origin, Attempt* attempt);
  std::uint64_t headTicks(const Attempt& attempt) const {
    const auto timeout = attempt.headTimeout.value_or(options.headTimeout);
    return timeout.count() > 0 ? ticksIn(timeout) : 0;
  }
  bool mayRetry(const Attempt& attempt) const {
    return !attempt.request.body.streaming() && (options.retryUnsafe || repeatable(attempt.request));
  }
  void armTicker();
  void tickAll();
  bool tickHttp2();

  Executor executor;
  ClientOptions options;
  SystemClock clock;
  std::map<Origin, std::shared_ptr<ClientPool>> pools;
  std::map<Origin, std::shared_ptr<h2::ClientPool>> http2Pools;
  std::uint64_t tick = 0;
  asio::steady_timer ticker;
  bool ticking = false;
};

HttpClient::HttpClient(Executor executor, ClientOptions options)
    : state_(std::make_shared<State>(executor, std::move(options))) {}

HttpClient::~HttpClient() {
  for (auto& [origin, pool] : state_->pools) pool->closing = true;
  closeIdle();
}

void HttpClient::closeIdle() {
  for (auto& [origin, pool] : state_->http2Pools) {
    const auto all = pool->sessions;
    for (const auto& session : all)
      if (session->idle()) session->shut();
    pool->forgetClosed();
  }
  for (auto& [origin, pool] : state_->pools) {
    const auto idle = std::exchange(pool->idle, {});
    for (const auto& connection : idle) connection->stream->close();
  }
}

std::size_t HttpClient::idleConnections() const {
  std::size_t n = 0;
  for (const auto& [origin, pool] : state_->pools) n += pool->idle.size();
  return n;
}

void HttpClient::State::armTicker() {
  if (ticking) return;
  ticking = true;
  ticker.expires_after(kTick);
  ticker.async_wait([weak = weak_from_this()](const boost::system::error_code& ec) {
    const auto self = weak.lock();
    if (!self) return;
    self->ticking = false;
    if (!ec) self->tickAll();
  });
}

void HttpClient::State::tickAll() {
  ++tick;
  const auto idleTicks = ticksIn(options.idleTimeout);
  bool any = false;
  for (auto it = pools.begin(); it != pools.end();) {
    auto& pool = *it->second;
    pool.tick = tick;
    const auto active = pool.active;
    for (auto* connection : active) connection->onTick();
    std::erase_if(pool.idle,
                  [&](const ClientConnectionPtr& c) { return tick - c->idleSince > idleTicks || c->stream->peerClosed(); });
    any = any || pool.open > 0;
    const bool unused = pool.open == 0 && pool.waiters.empty() && it->second.use_count() == 1;
    it = unused ? pools.erase(it) : std::next(it);
  }
  any = tickHttp2() || any;
  if (any) armTicker();
}

bool HttpClient::State::tickHttp2() {
  const auto idleTicks = ticksIn(options.idleTimeout);
  bool any = false;
  for (auto it = http2Pools.begin(); it != http2Pools.end();) {
    auto& pool = *it->second;
    const auto all = pool.sessions;
    for (const auto& session : all) {
      session->onTick(tick);
      if (session->idle() && tick - session->idleSince > idleTicks) session->shut();
    }
    pool.forgetClosed();
    any = any || !pool.sessions.empty() || pool.dialing > 0;
    const bool unused = pool.sessions.empty() && pool.dialing == 0 && pool.waiting == 0 && it->second.use_count() == 1;
    it = unused ? http2Pools.erase(it) : std::next(it);
  }
  return any;
}

namespace {

struct OriginNames {
  std::string where;  // "127.0.0.1:8080", for messages
  std::string host;   // of the Host header
};

OriginNames namesOf(const Origin& origin) {
  const bool v6 = origin.host.find(':') != std::string::npos;
  const auto host = v6 ? "[" + origin.host + "]" : origin.host;
  if (!origin.unixPath.empty()) return {"unix:" + origin.unixPath, "localhost"};
  const auto where = host + ":" + std::to_string(origin.port);
  return {where, origin.port == (origin.tls ? 443 : 80) ? host : where};
}

}  // namespace

std::shared_ptr<h2::ClientPool> HttpClient::State::http2Pool(const Origin& origin) {
  auto& pool = http2Pools[origin];
  if (!pool) {
    auto names = namesOf(origin);
    pool = std::make_shared<h2::ClientPool>(executor, std::move(names.host), std::move(names.where), origin.tls);
  }
  return pool;
}

std::shared_ptr<ClientPool> HttpClient::State::pool(const Origin& origin) {
  auto& pool = pools[origin];
  if (!pool) {
    pool = std::make_shared<ClientPool>();
    auto names = namesOf(origin);
    pool->where = std::move(names.where);
    pool->hostHeader = std::move(names.host);
    pool->maxIdle = options.maxIdlePerOrigin;
    pool->tick = tick;
  }
  return pool;
}

ClientConnectionPtr HttpClient::State::takeIdle(ClientPool& pool) {
  while (!pool.idle.empty()) {
    auto connection = std::move(pool.idle.back());
    pool.idle.pop_back();
    // One that was used within this tick is not worth a system call; the retry covers the rest.
    if (connection->idleSince == tick || !connection->stream->peerClosed()) return connection;
  }
  return nullptr;
}

Task<Result<ClientConnectionPtr>> HttpClient::State::connect(Origin origin, std::shared_ptr<ClientPool> pool) {
  const auto limit = options.maxConnectionsPerOrigin;
  while (limit > 0 && pool->open >= limit) {
    WaitPlace place(pool, executor, options.connectTimeout);
    boost::system::error_code ec;
    co_await place.timer->async_wait(asio::redirect_error(asio::use_awaitable, ec));
    place.used = bool(ec);
    if (!ec)
      co_return fail(Code::Unavailable, "all " + std::to_string(limit) + " connections to " + pool->where + " are busy");
    if (auto idle = takeIdle(*pool)) co_return idle;
  }
  const Reservation place(pool);
  auto stream = co_await dial(std::move(origin), options.tls, options.connectTimeout);
  if (!stream) co_return fail(std::move(stream).error());
  co_return std::make_shared<ClientConnection>(pool, std::move(*stream), options.maxHeaderBytes);
}

Task<Result<Response>> HttpClient::send(Origin origin, Request request) {
  Attempt attempt{std::move(request), {}, false};
  auto response = co_await send(std::move(origin), &attempt);
  co_return response;
}

// A connection with room for another request: one that is open, else a new one, else whichever gets room first.
Task<Result<std::shared_ptr<h2::ClientSession>>> HttpClient::State::http2Session(Origin origin,
                                                                                 std::shared_ptr<h2::ClientPool> pool) {
  struct Counted {
    std::size_t& n;
    explicit Counted(std::size_t& counter) : n(counter) { ++n; }
    ~Counted() { --n; }
  };
  const auto deadline = clock.now() + options.connectTimeout;
  for (;;) {
    if (auto session = pool->usable()) co_return session;
    pool->forgetClosed();
    if (!pool->opening() && pool->sessions.size() < options.maxHttp2Connections) {
      const auto limits = h2::Limits{options.maxHeaderBytes, 0, options.streamWindow, options.connectionWindow};
      std::optional<Counted> dialing(pool->dialing);
      auto stream = co_await dial(origin, options.tls, options.connectTimeout);
      dialing.reset();
      if (!stream) {
        pool->changed.notifyAll();
        co_return fail(std::move(stream).error());
      }
      auto session = std::make_shared<h2::ClientSession>(executor, pool, std::move(*stream), limits);
      session->idleSince = tick;
      session->onTick(tick);
      pool->sessions.push_back(session);
      session->start();
      pool->changed.notifyAll();
      co_return session;
    }
    if (clock.now() >= deadline)
      co_return fail(Code::Unavailable, "all connections to " + pool->where + " carry as many requests as it allows");
    const Counted waiting(pool->waiting);
    co_await pool->changed.waitUntil(clock, deadline);
  }
}

Task<Result<Response>> HttpClient::State::sendHttp2(std::shared_ptr<State> state, Origin origin, Attempt* attempt) {
  const auto pool = state->http2Pool(origin);
  const auto ticks = state->headTicks(*attempt);
  const bool mayRetry = state->mayRetry(*attempt);
  state->armTicker();
  for (int attempts = 1;; ++attempts) {
    auto session = co_await state->http2Session(origin, pool);
    if (!session) co_return fail(std::move(session).error());
    attempt->sent = true;
    auto response = co_await (*session)->exchange(&attempt->request, ticks, &attempt->sent);
    if (response) co_return response;
    // Refused: it never saw this request. Else its connection ended before any answer: once more, as in HTTP/1.1.
    const bool again = mayRetry && attempts <= (attempt->sent ? 1 : 3) && response.error().code == Code::Unavailable;
    if (!again) co_return response;
    attempt->sent = false;
  }
}

Task<Result<Response>> HttpClient::send(Origin origin, Attempt* attempt) {
  const auto state = state_;
  if (origin.http2) {
    auto response = co_await State::sendHttp2(state, std::move(origin), attempt);
    co_return response;
  }
  const auto pool = state->pool(origin);
  const auto headTicks = state->headTicks(*attempt);
  const bool mayRetry = state->mayRetry(*attempt);
  state->armTicker();
  for (bool retried = false;; retried = true) {
    auto connection = retried ? nullptr : state->takeIdle(*pool);
    const bool reused = connection != nullptr;
    if (!connection) {
      auto made = co_await state->connect(origin, pool);
      if (!made) co_return fail(std::move(made).error());
      connection = std::move(*made);
    }
    attempt->sent = true;
    const Abandon onCancel{connection.get()};
    auto response = co_await connection->exchange(&attempt->request, headTicks);
    onCancel.connection = nullptr;
    if (response) co_return response;
    const bool stale = reused && !connection->gotByte && response.error().code == Code::Unavailable;
    connection->giveBack();
    if (!stale || retried || !mayRetry) co_return response;
    attempt->sent = false;  // the origin closed an idle connection: it never saw this request
  }
}

}  // namespace slipway::net
