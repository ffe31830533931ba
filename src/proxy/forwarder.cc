#include "proxy/forwarder.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/ids.h"
#include "net/grpc/message.h"
#include "proxy/exchange.h"
#include "proxy/headers.h"

namespace slipway::proxy {
namespace asio = boost::asio;
using net::Request;
using net::Response;
namespace {

constexpr std::chrono::seconds kAvoid{1};  // an endpoint that refused a connection rests this long while others can serve

std::int64_t nowNanos() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

std::uint64_t mix(std::uint64_t x) {  // splitmix64
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

// "http://host/path" (RFC 9112 §3.2.2) becomes "/path", and its authority wins over Host.
void originForm(Request& request) {
  std::string_view target = request.target;
  if (!target.starts_with("http://") && !target.starts_with("https://")) return;
  target.remove_prefix(target.find("//") + 2);
  const auto slash = std::min(target.find_first_of("/?"), target.size());
  request.headers.set("Host", target.substr(0, slash));
  std::string path(target.substr(slash));
  request.target = path.starts_with('/') ? path : "/" + path;
}

}  // namespace

// Counts a streamed answer and keeps its place in the endpoint until the last byte.
class CountedBody final : public net::BodyReader {
 public:
  CountedBody(net::Body inner, std::unique_ptr<Forwarder::Exchange> exchange)
      : inner_(std::move(inner)), exchange_(std::move(exchange)) {}
  const net::Headers* trailers() const override { return inner_.trailers(); }
  Task<Result<std::string>> read() override {
    auto chunk = co_await inner_.read();
    if (!chunk) {
      exchange_->note = chunk.error().message;
    } else {
      exchange_->bytes += chunk->size();
      if (chunk->empty()) exchange_->lease.release();
    }
    co_return chunk;
  }

 private:
  net::Body inner_;
  std::unique_ptr<Forwarder::Exchange> exchange_;
};

void Forwarder::Exchange::record() {
  const auto took = std::chrono::steady_clock::now() - start;
  std::string_view name = "-";
  if (routed) {
    auto& metrics = runtime().state->metrics;
    metrics.byStatus(status).add();
    metrics.seconds->record(took);
    metrics.inFlight->add(-1);
    name = route().name;
  }
  if (!log) return;
  log->write({id, client, method, std::string_view(path).substr(0, path.find('?')), host, name, endpoint, status, bytes,
              took, note});
}

Forwarder::Forwarder(Executor executor, RouteBoard& board, ForwarderOptions options)
    : executor_(executor),
      board_(board),
      options_(std::move(options)),
      client_(executor, options_.client),
      seed_(randomU64()) {}

const Snapshot& Forwarder::snapshot() {
  const auto version = board_.version();
  if (version != version_) {
    version_ = version;
    snapshot_ = board_.current();
  }
  return *snapshot_;
}

std::string Forwarder::newRequestId() {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string id(32, '0');
  std::uint64_t half = mix(seed_ + ++counter_);
  for (std::size_t i = 0; i < 32; ++i, half >>= 4) {
    if (i == 16) half = mix(~seed_ ^ counter_);
    id[i] = kHex[half & 15];
  }
  return id;
}

// An answer of our own: JSON, or for a gRPC call the status that says the same.
Response Forwarder::refuse(Exchange& x, int status, const std::string& message) {
  x.refused = status;
  if (x.grpc) return net::grpc::failure(net::grpc::statusOf(codeFromHttp(status)), message);
  return Response::json(status, "{\"error\":" + net::jsonQuote(message) + "}\n");
}

Task<Response> Forwarder::handle(Request request) {
  auto x = std::make_unique<Exchange>(options_.accessLog);
  x->snapshot = (snapshot(), snapshot_);
  originForm(request);
  const auto match = x->snapshot->table->find(request.headers.getOr("host", ""), request.rawPath());
  prepare(request, *x);
  if (!match) {
    const auto hosts = x->snapshot->table->knownHosts(options_.hostsInNotFound);
    x->note = "no route for host '" + std::string(request.headers.getOr("host", "")) + "' and path '" +
              std::string(request.rawPath()) + "'" +
              (hosts.empty() ? "; no model is deployed" : "; hosts with a route: " + hosts);
    auto response = refuse(*x, 404, x->note);
    co_return finish(std::move(x), std::move(response));
  }
  x->index = match->index;
  x->routed = true;
  x->runtime().state->metrics.inFlight->add(1);
  if (match->prefixSize > 0) {
    request.target.erase(0, match->prefixSize);
    if (!request.target.starts_with('/')) request.target.insert(0, "/");
  }
  x->attempt.request = std::move(request);
  if (!tryAcquire(x.get())) {
    auto acquired = co_await acquire(x.get());
    if (!acquired) {
      x->note = acquired.error().message;
      auto refused = refuse(*x, httpStatus(acquired.error().code), x->note);
      co_return finish(std::move(x), std::move(refused));
    }
  }
  auto response = co_await forward(x.get());
  co_return finish(std::move(x), std::move(response));
}

// Headers for the next hop; what the log needs of the request.
void Forwarder::prepare(Request& request, Exchange& x) {
  auto& headers = request.headers;
  // First, so that a client's Connection field cannot name what is added below.
  const bool upgrade = headers.has("upgrade") && net::hasToken(headers.getOr("connection", ""), "upgrade");
  removeHopByHop(headers, upgrade);
  x.grpc = request.version == "HTTP/2" && net::grpc::isGrpc(headers);
  if (x.grpc) headers.set("te", "trailers");  // some servers insist
  const auto given = headers.get("x-request-id");
  if (given && validRequestId(*given)) {
    x.id = std::string(*given);
  } else {
    x.id = newRequestId();
    headers.set("X-Request-Id", x.id);
  }
  if (x.log) {
    x.client = request.peer.address;
    x.method = request.method;
    x.path = request.target;
    x.host = std::string(headers.getOr("host", ""));
  }
  addForwarded(headers, request.peer, options_.https);
}

std::shared_ptr<EndpointState> Forwarder::pick(const Exchange& x, const BackendRuntime& backend, unsigned limit) {
  const auto n = backend.endpoints.size();
  const std::size_t first = n > 1 ? x.runtime().state->turn.fetch_add(1, std::memory_order_relaxed) % n : 0;
  const EndpointState* best = nullptr;
  std::size_t bestAt = 0;
  int bestLoad = 0;
  bool bestResting = false;
  for (std::size_t i = 0; i < n; ++i) {
    const auto at = (first + i) % n;
    const auto& endpoint = *backend.endpoints[at];
    const int load = endpoint.inFlight.load(std::memory_order_relaxed);
    if (limit > 0 && load >= static_cast<int>(limit)) continue;
    if (!x.tried.empty() && std::find(x.tried.begin(), x.tried.end(), &endpoint) != x.tried.end()) continue;
    const auto until = endpoint.avoidUntil.load(std::memory_order_relaxed);
    const bool resting = until != 0 && until > nowNanos();
    if (best && (resting > bestResting || (resting == bestResting && load >= bestLoad))) continue;
    best = &endpoint, bestAt = at, bestLoad = load, bestResting = resting;
  }
  return best ? backend.endpoints[bestAt] : nullptr;
}

// Takes a slot of some endpoint if one is free now.
bool Forwarder::tryAcquire(Exchange* x) {
  const auto& runtime = x->runtime();
  const auto limit = x->route().concurrency;
  if (runtime.backends.empty()) return false;
  // One backend by weight; the others only if that one has nothing to offer.
  std::size_t first = 0;
  if (runtime.backends.size() > 1) {
    auto at = mix(seed_ ^ ++counter_) % runtime.totalWeight;
    while (at >= runtime.backends[first].weight) at -= runtime.backends[first++].weight;
  }
  for (std::size_t i = 0; i < runtime.backends.size(); ++i) {
    const auto& backend = runtime.backends[(first + i) % runtime.backends.size()];
    while (auto endpoint = pick(*x, backend, limit)) {
      const int before = endpoint->inFlight.fetch_add(1, std::memory_order_seq_cst);
      if (limit == 0 || before < static_cast<int>(limit)) {
        if (x->log) x->endpoint = endpoint->name;
        x->lease = Lease(std::move(endpoint), runtime.state);
        return true;
      }
      endpoint->inFlight.fetch_sub(1, std::memory_order_seq_cst);  // another core was faster
    }
  }
  return false;
}

// Waits in the route's queue for a free slot.
Task<Status> Forwarder::acquire(Exchange* x) {
  const auto state = x->runtime().state;
  const std::string name = x->route().name;
  const auto deadline = std::chrono::steady_clock::now() + x->route().timeout;
  struct Waiting {
    std::shared_ptr<SlotQueue::Waiter> waiter;
    std::shared_ptr<RouteState> state;
    bool queued = false;  // in the queue as far as we know
    bool owed = false;    // woken, and the slot not taken yet
    // Leaves the queue whatever happens; a wake-up that came too late for this request goes to the next one.
    ~Waiting() {
      state->metrics.queued->add(-1);
      if ((queued && !state->queue.drop(waiter)) || owed) state->queue.wakeOne();
    }
  } waiting{std::make_shared<SlotQueue::Waiter>(executor_), state};
  state->metrics.queued->add(1);
  for (bool again = false;; again = true) {
    const auto& route = x->route();
    if (x->runtime().backends.empty()) {
      co_return fail(Code::Unavailable, "'" + name + "' is not ready" + (route.reason.empty() ? "" : ": " + route.reason));
    }
    waiting.waiter->woken = false;
    if (!state->queue.push(waiting.waiter, route.queue, again)) {
      co_return fail(Code::Unavailable, "'" + name + "' is at its limit of " + std::to_string(route.concurrency) +
                                            " requests per endpoint, and " + std::to_string(route.queue) +
                                            " more wait already");
    }
    waiting.queued = true;
    waiting.owed = false;
    if (tryAcquire(x)) co_return Status{};  // a slot may have come free before we were in the queue
    waiting.waiter->timer.expires_at(deadline);
    boost::system::error_code ec;
    co_await waiting.waiter->timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    if (!ec)
      co_return fail(Code::Timeout,
                     "'" + name + "' had no free endpoint within " + std::to_string(route.timeout.count()) + " ms");
    if (!waiting.waiter->woken) co_return fail(Code::Cancelled, "the client left");
    waiting.queued = false;
    waiting.owed = true;
    snapshot();
    if (snapshot_ != x->snapshot) {  // the endpoints may have changed meanwhile
      const auto& routes = snapshot_->table->routes();
      const auto found = std::find_if(routes.begin(), routes.end(), [&](const Route& r) { return r.name == name; });
      if (found == routes.end()) co_return fail(Code::NotFound, "'" + name + "' was deleted while the request waited");
      x->snapshot = snapshot_;
      x->index = static_cast<std::size_t>(found - routes.begin());
    }
    if (tryAcquire(x)) {
      waiting.owed = false;
      co_return Status{};
    }
  }
}

Task<Response> Forwarder::forward(Exchange* x) {
  x->attempt.headTimeout = x->route().timeout;
  for (;;) {
    const auto endpoint = x->lease.endpoint;
    auto origin = endpoint->origin;
    origin.http2 = (origin.http2 || x->grpc) && !x->attempt.request.headers.has("upgrade");
    auto response = co_await client_.send(std::move(origin), &x->attempt);
    if (response) co_return std::move(*response);
    x->note = response.error().message;
    if (!x->attempt.sent && response.error().code != Code::Cancelled) {
      endpoint->avoidUntil.store(nowNanos() + std::chrono::nanoseconds(kAvoid).count(), std::memory_order_relaxed);
      x->tried.push_back(endpoint.get());
      x->lease.release();
      if (tryAcquire(x)) continue;
    }
    int status = httpStatus(response.error().code);
    if (response.error().code == Code::Unavailable && x->attempt.sent) status = 502;
    co_return refuse(*x, status, "'" + x->route().name + "': " + x->note);
  }
}

Response Forwarder::finish(std::unique_ptr<Exchange> x, Response response) {
  x->status = x->refused != 0 ? x->refused : response.status;
  if (response.status == 101 && response.upgraded) {
    // The tunnel holds its place in the endpoint until it ends.
    struct Tunnel {
      std::unique_ptr<net::ByteStream> upstream;
      std::unique_ptr<Exchange> exchange;
    };
    auto tunnel = std::make_shared<Tunnel>(Tunnel{std::move(response.upgraded), std::move(x)});
    response.upgrade = [tunnel](std::unique_ptr<net::ByteStream> client) -> Task<void> {
      const auto held = tunnel;
      co_await net::copyBothWays(std::move(client), std::move(held->upstream));
    };
    return response;
  }
  removeHopByHop(response.headers, false);
  response.headers.set("X-Request-Id", x->id);
  if (response.body.streaming()) {
    const auto length = response.body.length();
    response.body = net::Body(std::make_unique<CountedBody>(std::move(response.body), std::move(x)), length);
  } else {
    x->bytes = response.body.bytes().size();
  }
  return response;
}

}  // namespace slipway::proxy
