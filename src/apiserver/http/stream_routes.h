// StreamRoutes: the subresources of pods that become connections: exec, attach, portforward. Here a request is checked, in
// kube-apiserver's words, and its protocol agreed on; what then goes over the connection is in streams/.
//
//   SPDY/3.1 (kubectl up to 1.30, and as the fall-back of newer ones): v4.channel.k8s.io, portforward.k8s.io
//   WebSocket: v5.channel.k8s.io and v4.channel.k8s.io for exec and attach, SPDY/3.1+portforward.k8s.io and the older
//   v4.channel.k8s.io (also called portforward.k8s.io) for port-forward
#pragma once
#include <memory>

#include "apiserver/http/call.h"
#include "apiserver/registry.h"
#include "kube/pod_streams.h"

namespace slipway::apiserver {

class StreamRoutes {
 public:
  explicit StreamRoutes(const Registry& registry) : registry_(registry), open_(std::make_shared<std::size_t>(0)) {}
  // Must outlive its use and that of every connection; null: nobody runs pods here.
  void setPodStreams(kube::PodStreams* streams) { streams_ = streams; }

  static bool serves(const RequestInfo& info);
  // A 101 with the connection's future in it, or a refusal.
  Result<net::Response> handle(const Call& call, const Resource& resource);
  std::size_t openConnections() const { return *open_; }

 private:
  Result<net::Response> command(const Call& call, Json pod);
  Result<net::Response> portForward(const Call& call, Json pod);

  const Registry& registry_;
  kube::PodStreams* streams_ = nullptr;
  std::shared_ptr<std::size_t> open_;  // shared with the connections, which may outlive this object by a turn of the loop
};

// The container that a log or a session is asked of: the named one, the only one, or that of the default-container
// annotation.
Result<std::string> chooseContainer(const Json& pod, const std::string& asked);

}  // namespace slipway::apiserver
