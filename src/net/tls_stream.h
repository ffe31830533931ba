// Internal to net: TLS over a connected TCP socket.
#pragma once
#include <boost/asio/ip/tcp.hpp>
#include <memory>

#include "net/byte_stream.h"
#include "net/http.h"
#include "net/tls.h"

namespace slipway::net {

struct TlsAccepted {
  std::unique_ptr<ByteStream> stream;
  Peer peer;  // tls, certCommonName, certOrganizations
};

// Handshakes. Errors: Unavailable with what the peer or the verification objected to.
Task<Result<TlsAccepted>> tlsAccept(std::shared_ptr<TlsContext> context, boost::asio::ip::tcp::socket socket);
// serverName is sent (SNI) and verified against the certificate. http2: offers h2 alone; BadGateway when the peer lacks it.
Task<Result<std::unique_ptr<ByteStream>>> tlsConnect(std::shared_ptr<TlsContext> context,
                                                     boost::asio::ip::tcp::socket socket, std::string serverName,
                                                     bool http2 = false);

}  // namespace slipway::net
