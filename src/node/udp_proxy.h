// UdpProxy: what ServiceProxy is for connections, for datagrams. Each client (address and port) has a session with one ready
// pod, through a socket of its own, until nothing has passed for `idle` (as long as Linux tracks a UDP stream). Control loop
// only. Datagrams that find no room, in the bound of sessions or in a socket, are dropped, as on a network.
//
//   udp->update(serviceRoutes({services, slices, pods, "127.0.0.1", {}, "UDP"}));
#pragma once
#include "node/service_proxy.h"

namespace slipway::node {

struct UdpProxyOptions {
  Duration idle = std::chrono::seconds(120);
  std::size_t maxSessions = 4096;  // of all services together
};

class UdpProxy : public std::enable_shared_from_this<UdpProxy> {
 public:
  UdpProxy(Clock& clock, TaskScope& scope, UdpProxyOptions options = {});
  ~UdpProxy();
  // Starts and ends listening as it must. A session whose pod is no longer ready ends.
  void update(ServiceRoutes routes);
  std::size_t listening() const;
  std::size_t sessions() const { return sessions_; }

 private:
  struct Listener;
  struct Session;
  using Self = std::shared_ptr<UdpProxy>;
  static Task<void> serve(Self self, std::shared_ptr<Listener> listener);
  static Task<void> answer(Self self, std::shared_ptr<Listener> listener, std::shared_ptr<Session> session);
  static Task<void> sweep(Self self, std::shared_ptr<Listener> listener);
  Task<void> waitForProgram(std::shared_ptr<Listener> listener);
  bool open(Listener& listener);
  std::shared_ptr<Session> sessionOf(const std::shared_ptr<Listener>& listener);

  Clock& clock_;
  TaskScope& scope_;
  UdpProxyOptions options_;
  std::map<Endpoint, std::shared_ptr<Listener>> listeners_;
  std::size_t sessions_ = 0;
  std::string buffer_;  // of the datagram that is being passed on
};

// Whether the text of /proc/net/udp shows a program that gets what is sent to this address (IPv4). Pure.
bool receives(const std::string& procNetUdp, const Endpoint& endpoint);

}  // namespace slipway::node
