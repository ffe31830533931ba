#include "node/udp_proxy.h"

#include <arpa/inet.h>

#include <boost/asio/ip/udp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <sstream>

#include "base/log.h"
#include "node/shim/launch_file.h"

namespace slipway::node {
namespace asio = boost::asio;
using asio::ip::udp;

namespace {

constexpr std::size_t kMaxDatagram = 65536;  // bytes; UDP over IPv4 has at most 65,507
constexpr auto kFirstLook = std::chrono::milliseconds(20);
constexpr auto kLastLook = std::chrono::seconds(2);

}  // namespace

bool receives(const std::string& procNetUdp, const Endpoint& endpoint) {
  in_addr address{};
  if (::inet_pton(AF_INET, endpoint.host.c_str(), &address) != 1) return false;
  // "  42: 0100007F:0035 00000000:0000 07 …": the number as the machine keeps it, then the port.
  const std::string own = fmt::format("{:08X}:{:04X}", address.s_addr, endpoint.port);
  const std::string any = fmt::format("00000000:{:04X}", endpoint.port);
  std::istringstream lines(procNetUdp);
  for (std::string line, number, local; std::getline(lines, line);) {
    std::istringstream words(line);
    if (words >> number >> local && (local == own || local == any)) return true;
  }
  return false;
}

struct UdpProxy::Session {
  explicit Session(const Executor& executor) : socket(executor) {}
  udp::socket socket;  // connected to the pod
  Endpoint pod;
  udp::endpoint client;
  TimePoint until;
  void close() {
    boost::system::error_code ec;
    socket.close(ec);
  }
};

struct UdpProxy::Listener {
  Endpoint on;
  ServiceRoute route;
  std::optional<udp::socket> socket;
  std::map<udp::endpoint, std::shared_ptr<Session>> sessions;
  std::map<std::string, std::pair<Endpoint, TimePoint>> clients;  // session affinity, by address; swept with the sessions
  udp::endpoint from;                                             // of the datagram just read
  std::size_t next = 0;
  bool running = false;
  bool closed = false;
  void close() {
    closed = true;
    boost::system::error_code ec;
    if (socket) socket->close(ec);
    for (auto& [client, session] : sessions) session->close();
  }
  Endpoint choose(TimePoint now) {
    const std::string client = from.address().to_string();
    const auto known = clients.find(client);
    const auto& all = route.endpoints;
    if (known != clients.end() && known->second.second > now &&
        std::find(all.begin(), all.end(), known->second.first) != all.end())
      return known->second.first;
    const Endpoint chosen = all[next++ % all.size()];
    if (route.affinity.count() > 0) clients[client] = {chosen, now + route.affinity};
    return chosen;
  }
};

UdpProxy::UdpProxy(Clock& clock, TaskScope& scope, UdpProxyOptions options)
    : clock_(clock), scope_(scope), options_(options), buffer_(kMaxDatagram, '\0') {}
UdpProxy::~UdpProxy() {
  for (auto& [on, listener] : listeners_) listener->close();
}

std::size_t UdpProxy::listening() const {
  return static_cast<std::size_t>(std::count_if(
      listeners_.begin(), listeners_.end(), [](const auto& l) { return l.second->socket && l.second->socket->is_open(); }));
}

void UdpProxy::update(ServiceRoutes routes) {
  std::erase_if(listeners_, [&](auto& known) {
    const bool over = !routes.contains(known.first);
    if (over) known.second->close();
    return over;
  });
  for (auto& [on, route] : routes) {
    auto& listener = listeners_[on];
    if (!listener) {
      listener = std::make_shared<Listener>();
      listener->on = on;
    }
    const bool changed = listener->route != route;
    listener->route = std::move(route);
    const auto& ready = listener->route.endpoints;
    for (auto& [client, session] : listener->sessions) {
      if (std::find(ready.begin(), ready.end(), session->pod) == ready.end()) session->close();
    }
    if (listener->running || !changed) continue;
    listener->running = true;
    scope_.spawn("udp port", [self = shared_from_this(), l = listener] { return serve(self, l); });
  }
}

// Until a program of one of the pods has bound its port: one that binds every address must find the Service's port free.
Task<void> UdpProxy::waitForProgram(std::shared_ptr<Listener> l) {
  Duration pause = kFirstLook;
  while (!l->closed) {
    const std::string table = readWholeFile("/proc/net/udp", 16 << 20).value_or("");
    const auto& all = l->route.endpoints;
    if (std::any_of(all.begin(), all.end(), [&](const Endpoint& e) { return receives(table, e); })) co_return;
    co_await clock_.sleepFor(pause);
    pause = std::min<Duration>(pause * 2, kLastLook);
  }
}

bool UdpProxy::open(Listener& l) {
  boost::system::error_code ec;
  const auto address = asio::ip::make_address(l.on.host, ec);
  if (ec) return false;
  const udp::endpoint where(address, l.on.port);
  l.socket.emplace(scope_.executor());
  l.socket->open(where.protocol(), ec);
  if (!ec) l.socket->bind(where, ec);
  if (!ec) l.socket->non_blocking(true, ec);
  if (!ec) return true;
  l.socket.reset();
  if (ec == asio::error::address_in_use) {
    logDebug("{}: a program answers on {}:{} (UDP) itself", l.route.name, l.on.host, l.on.port);
  } else {
    logWarn("{}: cannot listen on {}:{} (UDP): {}{}", l.route.name, l.on.host, l.on.port, ec.message(),
            ec == asio::error::access_denied ? " (ports below 1024 need root, or sysctl net.ipv4.ip_unprivileged_port_start)"
                                             : "");
  }
  return false;
}

Task<void> UdpProxy::serve(Self self, std::shared_ptr<Listener> l) {
  co_await self->waitForProgram(l);
  if (l->closed || !self->open(*l)) {
    l->running = false;
    co_return;
  }
  self->scope_.spawn("udp sweep", [self, l] { return sweep(self, l); });
  while (!l->closed) {
    boost::system::error_code ec;
    co_await l->socket->async_wait(udp::socket::wait_read, asio::redirect_error(asio::use_awaitable, ec));
    if (ec == asio::error::operation_aborted && !l->closed) throw boost::system::system_error(ec);
    if (l->closed) break;
    const std::size_t size = l->socket->receive_from(asio::buffer(self->buffer_), l->from, 0, ec);
    if (ec) continue;  // nothing there after all, or what an earlier answer met on its way
    const auto session = self->sessionOf(l);
    if (!session) continue;
    session->until = self->clock_.now() + self->options_.idle;
    session->socket.send(asio::buffer(self->buffer_.data(), size), 0, ec);
  }
  l->running = false;
}

// The session of the client that has just written; null: there is no room for another one.
std::shared_ptr<UdpProxy::Session> UdpProxy::sessionOf(const std::shared_ptr<Listener>& l) {
  if (const auto known = l->sessions.find(l->from); known != l->sessions.end() && known->second->socket.is_open())
    return known->second;
  if (sessions_ >= options_.maxSessions) {
    logWarn("{}: {} clients of UDP ports are served already; a datagram is dropped", l->route.name, sessions_);
    return nullptr;
  }
  auto session = std::make_shared<Session>(scope_.executor());
  session->client = l->from;
  session->pod = l->choose(clock_.now());
  boost::system::error_code ec;
  const udp::endpoint pod(asio::ip::make_address(session->pod.host, ec), session->pod.port);
  if (!ec) session->socket.open(pod.protocol(), ec);
  if (!ec) session->socket.connect(pod, ec);
  if (!ec) session->socket.non_blocking(true, ec);
  if (ec) return nullptr;
  l->sessions[l->from] = session;
  ++sessions_;
  scope_.spawn("udp session", [self = shared_from_this(), l, session] { return answer(self, l, session); });
  return session;
}

// What the pod sends goes back to the client from the Service's own address.
Task<void> UdpProxy::answer(Self self, std::shared_ptr<Listener> l, std::shared_ptr<Session> session) {
  struct Count {
    explicit Count(std::size_t& c) : n(c) {}
    ~Count() { --n; }
    Count(const Count&) = delete;
    Count& operator=(const Count&) = delete;
    std::size_t& n;
  };
  const Count count(self->sessions_);
  boost::system::error_code ec;
  for (;;) {
    co_await session->socket.async_wait(udp::socket::wait_read, asio::redirect_error(asio::use_awaitable, ec));
    if (ec == asio::error::operation_aborted && session->socket.is_open()) throw boost::system::system_error(ec);
    if (!session->socket.is_open()) break;
    const std::size_t size = session->socket.receive(asio::buffer(self->buffer_), 0, ec);
    if (ec == asio::error::would_block) continue;
    if (ec) {  // refused: nobody listens there any more, and the next datagram may go to another pod
      session->close();
      break;
    }
    session->until = self->clock_.now() + self->options_.idle;
    l->socket->send_to(asio::buffer(self->buffer_.data(), size), session->client, 0, ec);
  }
  const auto mine = l->sessions.find(session->client);
  if (mine != l->sessions.end() && mine->second == session) l->sessions.erase(mine);
}

Task<void> UdpProxy::sweep(Self self, std::shared_ptr<Listener> l) {
  while (!l->closed) {
    co_await self->clock_.sleepFor(self->options_.idle / 4);
    const TimePoint now = self->clock_.now();
    for (auto& [client, session] : l->sessions) {
      if (session->until <= now) session->close();
    }
    std::erase_if(l->clients, [now](const auto& c) { return c.second.second <= now; });
  }
}

}  // namespace slipway::node
