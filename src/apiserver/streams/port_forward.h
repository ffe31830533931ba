// port-forward after the handshake: pairs of streams on one side (data and errors of one connection), connections to the
// pod's ports on the other.
#pragma once
#include <memory>
#include <vector>

#include "apiserver/streams/upgrade.h"
#include "kube/pod_streams.h"

namespace slipway::apiserver {

// Any number of connections to any ports of the pod, over SPDY; a WebSocket tunnel carries the same bytes. Ends when the
// client leaves, and the connections with it.
Task<void> servePortForward(std::unique_ptr<net::ByteStream> connection, Transport transport, kube::PodStreams* node,
                            Json pod);

// The older form: one connection to each of these ports, channel 2i its data and 2i+1 its errors; both begin with the port
// as two bytes, low byte first. Ends when the client leaves or every connection has ended.
Task<void> servePortChannels(std::unique_ptr<net::ByteStream> connection, kube::PodStreams* node, Json pod,
                             std::vector<std::uint16_t> ports);

}  // namespace slipway::apiserver
