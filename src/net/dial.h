// dial(): opens one connection to an origin: resolves, connects, handshakes TLS where asked. HttpClient's pools use it, and
// so does anything that needs a raw stream (port forwarding, L4 services).
//
//   auto stream = co_await dial(Origin{"127.0.0.1", 8080}, nullptr, 5s);
#pragma once
#include <chrono>
#include <memory>

#include "net/byte_stream.h"
#include "net/client.h"

namespace slipway::net {

// Runs on the caller's executor. Errors: Unavailable ("cannot connect to 127.0.0.1:8080: Connection refused"), Timeout.
// "localhost" and names below it are the loopback address and need no resolver.
Task<Result<std::unique_ptr<ByteStream>>> dial(Origin origin, std::shared_ptr<TlsContext> tls,
                                               std::chrono::milliseconds timeout);

}  // namespace slipway::net
