#include "node/service_proxy.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/log.h"
#include "net/dial.h"
#include "net/socket_stream.h"

namespace slipway::node {
namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr std::size_t kMaxConnections = 4096;  // of all services together
constexpr std::size_t kMaxClients = 10000;     // remembered for session affinity, per port
constexpr auto kDial = std::chrono::seconds(2);
constexpr auto kFirstLook = std::chrono::milliseconds(20);
constexpr auto kLastLook = std::chrono::seconds(2);

std::string protocolOf(const Json& port) { return textAt(port, "protocol", "TCP"); }

bool isReadyEndpoint(const Json& endpoint) {
  const Json& ready = at(endpoint, "conditions", "ready");
  return !ready.is_boolean() || ready.get<bool>();
}

// Ready addresses of a Service's port, over all its slices.
std::vector<Endpoint> endpointsOf(const Json& service, const std::string& portName, const RouteInput& in) {
  std::vector<Endpoint> out;
  const kube::Key key = kube::keyOf(service);
  for (const kube::Object& slice : in.slices) {
    if (kube::keyOf(*slice).ns != key.ns) continue;
    if (textAt(at(*slice, "metadata", "labels"), "kubernetes.io/service-name") != key.name) continue;
    for (const Json& port : at(*slice, "ports")) {
      if (textAt(port, "name") != portName || protocolOf(port) != in.protocol) continue;
      for (const Json& e : at(*slice, "endpoints")) {
        if (!isReadyEndpoint(e)) continue;
        for (const Json& a : at(e, "addresses"))
          if (a.is_string()) out.push_back({a.get<std::string>(), static_cast<std::uint16_t>(intAt(port, "port"))});
      }
    }
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

void addService(ServiceRoutes& routes, const Json& service, const RouteInput& in) {
  const Json& spec = at(service, "spec");
  const std::string ip = textAt(spec, "clusterIP");
  const std::string type = textAt(spec, "type", "ClusterIP");
  if (type == "ExternalName" || ip.empty() || ip == "None") return;
  const kube::Key key = kube::keyOf(service);
  std::chrono::seconds affinity{0};
  if (textAt(spec, "sessionAffinity") == "ClientIP")
    affinity = std::chrono::seconds(intAt(at(spec, "sessionAffinityConfig", "clientIP"), "timeoutSeconds", 10800));
  for (const Json& port : at(spec, "ports")) {
    if (protocolOf(port) != in.protocol) continue;
    ServiceRoute route{fmt::format("service {}/{} port {}", key.ns, key.name, intAt(port, "port")),
                       endpointsOf(service, textAt(port, "name"), in), affinity};
    if (route.endpoints.empty() && in.api && key == kube::Key{"default", "kubernetes"}) route.endpoints = {*in.api};
    if (route.endpoints.empty()) continue;
    routes.try_emplace({ip, static_cast<std::uint16_t>(intAt(port, "port"))}, route);
    const auto nodePort = static_cast<std::uint16_t>(intAt(port, "nodePort"));
    if (nodePort != 0 && (type == "NodePort" || type == "LoadBalancer")) routes.try_emplace({in.hostIp, nodePort}, route);
  }
}

bool isPodReady(const Json& pod) {
  for (const Json& c : at(pod, "status", "conditions"))
    if (textAt(c, "type") == "Ready") return textAt(c, "status") == "True";
  return false;
}

void addHostPorts(ServiceRoutes& routes, const Json& pod, const RouteInput& in) {
  const std::string ip = textAt(at(pod, "status"), "podIP");
  if (ip.empty() || boolAt(at(pod, "spec"), "hostNetwork") || !isPodReady(pod)) return;
  const kube::Key key = kube::keyOf(pod);
  for (const char* list : {"containers", "initContainers"}) {
    for (const Json& c : at(pod, "spec", list)) {
      for (const Json& p : at(c, "ports")) {
        const auto hostPort = static_cast<std::uint16_t>(intAt(p, "hostPort"));
        if (hostPort == 0 || protocolOf(p) != in.protocol) continue;
        const std::string host = textAt(p, "hostIP");
        const bool any = host.empty() || host == "0.0.0.0";
        routes.try_emplace({any ? in.hostIp : host, hostPort},
                           ServiceRoute{fmt::format("pod {}/{} host port {}", key.ns, key.name, hostPort),
                                        {{ip, static_cast<std::uint16_t>(intAt(p, "containerPort"))}},
                                        {}});
      }
    }
  }
}

}  // namespace

ServiceRoutes serviceRoutes(const RouteInput& in) {
  ServiceRoutes routes;
  for (const kube::Object& service : in.services) addService(routes, *service, in);
  for (const kube::Object& pod : in.pods) addHostPorts(routes, *pod, in);
  return routes;
}

std::vector<std::string> unforwardedPorts(const Json& service) {
  std::vector<std::string> out;
  const Json& spec = at(service, "spec");
  if (textAt(spec, "clusterIP") == "None" || textAt(spec, "type") == "ExternalName") return out;
  for (const Json& port : at(spec, "ports"))
    if (protocolOf(port) != "TCP" && protocolOf(port) != "UDP")
      out.push_back(fmt::format("port {} ({} {}) is not forwarded: only TCP and UDP are",
                                textAt(port, "name", "of the service"), protocolOf(port), intAt(port, "port")));
  return out;
}

struct ServiceProxy::Listener {
  Endpoint on;
  ServiceRoute route;
  std::optional<tcp::acceptor> acceptor;
  std::size_t next = 0;
  bool running = false;
  bool closed = false;
  struct Client {
    Endpoint endpoint;
    TimePoint until;
  };
  std::map<std::string, Client> clients;
  void close() {
    closed = true;
    boost::system::error_code ec;
    if (acceptor) acceptor->close(ec);
  }
};

ServiceProxy::ServiceProxy(Clock& clock, TaskScope& scope) : clock_(clock), scope_(scope) {}
ServiceProxy::~ServiceProxy() {
  for (auto& [on, listener] : listeners_) listener->close();
}

std::size_t ServiceProxy::listening() const {
  return static_cast<std::size_t>(std::count_if(listeners_.begin(), listeners_.end(), [](const auto& l) {
    return l.second->acceptor && l.second->acceptor->is_open();
  }));
}

void ServiceProxy::update(ServiceRoutes routes) {
  for (auto it = listeners_.begin(); it != listeners_.end();) {
    if (routes.contains(it->first)) {
      ++it;
    } else {
      it->second->close();
      it = listeners_.erase(it);
    }
  }
  for (auto& [on, route] : routes) {
    auto& listener = listeners_[on];
    if (!listener) {
      listener = std::make_shared<Listener>();
      listener->on = on;
    }
    const bool changed = listener->route != route;
    listener->route = std::move(route);
    // A port that could not be had is tried again when its pods change.
    if (listener->running || !changed) continue;
    listener->running = true;
    scope_.spawn("service port", [self = shared_from_this(), l = listener] { return serve(self, l); });
  }
}

// Until somebody behind the port takes a connection.
Task<void> ServiceProxy::waitForPod(std::shared_ptr<Listener> l) {
  Duration pause = kFirstLook;
  for (std::size_t i = 0; !l->closed; ++i) {
    const Endpoint e = l->route.endpoints[i % l->route.endpoints.size()];
    auto stream = co_await net::dial(net::Origin{e.host, e.port, false, ""}, nullptr, kDial);
    if (stream) co_return;
    co_await clock_.sleepFor(pause);
    pause = std::min<Duration>(pause * 2, kLastLook);
  }
}

Task<void> ServiceProxy::serve(Self self, std::shared_ptr<Listener> l) {
  co_await self->waitForPod(l);
  boost::system::error_code ec;
  const auto address = asio::ip::make_address(l->on.host, ec);
  if (l->closed || ec) {
    l->running = false;
    co_return;
  }
  const tcp::endpoint where(address, l->on.port);
  l->acceptor.emplace(self->scope_.executor());
  l->acceptor->open(where.protocol(), ec);
  if (!ec) l->acceptor->set_option(tcp::acceptor::reuse_address(true), ec);
  if (!ec) l->acceptor->bind(where, ec);
  if (!ec) l->acceptor->listen(1024, ec);
  if (ec) {
    l->acceptor.reset();
    l->running = false;
    if (ec == asio::error::address_in_use) {
      logDebug("{}: a program answers on {}:{} itself", l->route.name, l->on.host, l->on.port);
    } else {
      logWarn("{}: cannot listen on {}:{}: {}{}", l->route.name, l->on.host, l->on.port, ec.message(),
              ec == asio::error::access_denied
                  ? " (ports below 1024 need root, or sysctl net.ipv4.ip_unprivileged_port_start)"
                  : "");
    }
    co_return;
  }
  while (!l->closed) {
    auto socket = std::make_shared<tcp::socket>(self->scope_.executor());
    co_await l->acceptor->async_accept(*socket, asio::redirect_error(asio::use_awaitable, ec));
    if (ec == asio::error::operation_aborted && !l->closed) throw boost::system::system_error(ec);
    if (l->closed) break;
    if (ec) {  // out of descriptors: others must end first
      co_await self->clock_.sleepFor(std::chrono::milliseconds(50));
      continue;
    }
    if (self->connections_ >= kMaxConnections) {
      logWarn("{}: {} connections are forwarded already; refusing one", l->route.name, kMaxConnections);
      continue;
    }
    self->scope_.spawn("service connection", [self, l, socket] { return forward(self, l, socket); });
  }
  l->running = false;
}

// All endpoints, the one whose turn it is first.
std::vector<Endpoint> ServiceProxy::orderFor(Listener& l, const std::string& client) {
  std::vector<Endpoint> order = l.route.endpoints;
  const std::size_t turn = l.next++ % order.size();
  std::rotate(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(turn), order.end());
  if (l.route.affinity.count() == 0) return order;
  const TimePoint now = clock_.now();
  const auto known = l.clients.find(client);
  if (known != l.clients.end() && known->second.until > now) {
    const auto same = std::find(order.begin(), order.end(), known->second.endpoint);
    if (same != order.end()) std::rotate(order.begin(), same, order.end());
  }
  if (l.clients.size() >= kMaxClients) std::erase_if(l.clients, [now](const auto& c) { return c.second.until <= now; });
  if (l.clients.size() < kMaxClients || known != l.clients.end()) l.clients[client] = {order[0], now + l.route.affinity};
  return order;
}

Task<void> ServiceProxy::forward(Self self, std::shared_ptr<Listener> l, std::shared_ptr<void> accepted) {
  const auto socket = std::static_pointer_cast<tcp::socket>(accepted);
  struct Count {
    explicit Count(std::size_t& c) : n(c) { ++n; }
    ~Count() { --n; }
    Count(const Count&) = delete;
    Count& operator=(const Count&) = delete;
    std::size_t& n;
  };
  const Count count(self->connections_);
  boost::system::error_code ec;
  const std::string client = socket->remote_endpoint(ec).address().to_string();
  for (const Endpoint& e : self->orderFor(*l, client)) {
    auto stream = co_await net::dial(net::Origin{e.host, e.port, false, ""}, nullptr, kDial);
    if (!stream) continue;
    co_await net::copyBothWays(net::socketStream(std::move(*socket)), std::move(*stream));
    co_return;
  }
  socket->set_option(asio::socket_base::linger(true, 0), ec);  // the client sees a reset, as from kube-proxy
}

}  // namespace slipway::node
