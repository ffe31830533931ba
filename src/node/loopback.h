// Finds a listener on this machine's own loopback address that belongs to given processes: programs that bind to 127.0.0.1
// mean their pod, and containers here share the machine's network.
#pragma once
#include <cstdint>
#include <vector>

namespace slipway::node {

// Whether one of these processes listens on 127.0.0.1:port.
bool listensOnLoopback(std::uint16_t port, const std::vector<int>& pids);

}  // namespace slipway::node
