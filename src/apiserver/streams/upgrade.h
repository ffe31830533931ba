// The handshakes of exec, attach and port-forward: which protocol both sides speak, and the 101 that says so. Pure.
#pragma once
#include <string>
#include <vector>

#include "base/result.h"
#include "net/http.h"

namespace slipway::apiserver {

enum class Transport { Spdy, WebSocket };

struct Upgrade {
  Transport transport = Transport::Spdy;
  std::string protocol;     // one of those offered
  net::Response switching;  // 101 without its `upgrade`
};

// What each transport speaks, best first.
struct Protocols {
  std::vector<std::string> spdy, webSocket;
};

// BadRequest `Upgrade request required` when it asks for none; Forbidden when no protocol is common.
Result<Upgrade> negotiateUpgrade(const net::Request& request, const Protocols& ours);

}  // namespace slipway::apiserver
