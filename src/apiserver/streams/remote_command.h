// exec and attach after the handshake: the client's streams on one side, a process of a container on the other.
#pragma once
#include <memory>

#include "apiserver/streams/upgrade.h"
#include "kube/pod_streams.h"

namespace slipway::apiserver {

// Serves one connection until the process has ended (its status goes to the client) or the client has left (an exec is
// killed). Whatever waits is bounded: see net/spdy/session.h and net/websocket/channels.h.
Task<void> serveCommand(std::unique_ptr<net::ByteStream> connection, Transport transport, std::string protocol,
                        kube::PodStreams* node, Json pod, kube::SessionOptions options);

// The status that tells the client how its command ended.
Json commandStatus(const Result<int>& exitCode);

// Finds whole `{"Width":80,"Height":24}` texts at the front of *text, takes them off, and gives the last.
std::optional<kube::TerminalSize> takeTerminalSize(std::string* text);

}  // namespace slipway::apiserver
