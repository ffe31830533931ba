// ServiceProxy: makes the addresses of Services answer on this machine: an L4 forwarder on loopback, for what kube-proxy
// does on a cluster. ClusterIP and NodePort ports, and the host ports of pods, are listened on and every connection is
// copied to a ready pod in turn (or, with sessionAffinity: ClientIP, always the same one for a client). TCP; udp_proxy.h
// does the same for datagrams. Control loop only.
//
//   proxy->update(serviceRoutes({services, slices, pods, "127.0.0.1", apiEndpoint}));
//
// A port is listened on only while a pod answers behind it: a program that listens on every address (0.0.0.0) answers on the
// Service's too, and must find the port free when it starts. Nobody ready: the connection is refused, as on a cluster.
#pragma once
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/scope.h"
#include "kube/informer.h"

namespace slipway::node {

struct Endpoint {
  std::string host;
  std::uint16_t port = 0;
  auto operator<=>(const Endpoint&) const = default;
};

struct ServiceRoute {
  std::string name;                  // "service ns/web port 80", for messages
  std::vector<Endpoint> endpoints;   // sorted, not empty
  std::chrono::seconds affinity{0};  // 0: none
  bool operator==(const ServiceRoute&) const = default;
};
using ServiceRoutes = std::map<Endpoint, ServiceRoute>;  // by what is listened on

struct RouteInput {
  const std::vector<kube::Object>& services;
  const std::vector<kube::Object>& slices;
  const std::vector<kube::Object>& pods;
  std::string hostIp;           // where node ports and host ports are listened on
  std::optional<Endpoint> api;  // stands behind default/kubernetes
  std::string protocol = "TCP";
};
// The routes of one protocol. Pure. Of two that want the same address and port the first by namespace and name gets it.
ServiceRoutes serviceRoutes(const RouteInput& input);
// Ports of a Service that nobody forwards, e.g. "port a (SCTP 53) is not forwarded: only TCP and UDP are"; empty: all are.
std::vector<std::string> unforwardedPorts(const Json& service);

class ServiceProxy : public std::enable_shared_from_this<ServiceProxy> {
 public:
  ServiceProxy(Clock& clock, TaskScope& scope);
  ~ServiceProxy();
  // Starts and ends listening as it must; connections that run go on.
  void update(ServiceRoutes routes);
  std::size_t listening() const;
  std::size_t connections() const { return connections_; }

 private:
  struct Listener;
  using Self = std::shared_ptr<ServiceProxy>;
  static Task<void> serve(Self self, std::shared_ptr<Listener> listener);
  static Task<void> forward(Self self, std::shared_ptr<Listener> listener, std::shared_ptr<void> socket);
  Task<void> waitForPod(std::shared_ptr<Listener> listener);
  std::vector<Endpoint> orderFor(Listener& listener, const std::string& client);

  Clock& clock_;
  TaskScope& scope_;
  std::map<Endpoint, std::shared_ptr<Listener>> listeners_;
  std::size_t connections_ = 0;
};

}  // namespace slipway::node
