// Internal to net and its users of accepted sockets: ByteStreams over operating-system sockets, and outgoing connections.
#pragma once
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <memory>
#include <string>

#include "net/byte_stream.h"

namespace slipway::net {

std::unique_ptr<ByteStream> socketStream(boost::asio::ip::tcp::socket socket);  // sets TCP_NODELAY
std::unique_ptr<ByteStream> socketStream(boost::asio::local::stream_protocol::socket socket);

}  // namespace slipway::net
