// Connection: the server's side of one WebSocket connection after its handshake. It answers pings and Close itself.
//
//   auto ws = Connection::start(std::move(stream), scope);
//   auto piece = co_await ws->read();                      // nullopt: the client has left
//   auto sent = co_await ws->send(Opcode::Binary, "\x01", bytes);
//   co_await ws->close(1000, "", 5s);
//
// Two views on it, for Kubernetes' two forms:
//   asByteStream(ws)   binary messages are one stream of bytes, message borders mean nothing (SPDY tunnels)
//   Channels           a byte before each message says which of several streams it belongs to (channels.h)
//
// Bounded: one read buffer, 64 KiB waiting to be written. Not reading is the back-pressure. Used from one executor.
#pragma once
#include <chrono>
#include <memory>
#include <optional>

#include "base/scope.h"
#include "net/byte_stream.h"
#include "net/mux/outbox.h"
#include "net/websocket/frames.h"

namespace slipway::net::websocket {

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  static std::shared_ptr<Connection> start(std::unique_ptr<ByteStream> stream, TaskScope& scope);
  ~Connection();

  // The next piece of a text or binary message; valid until the next read(). nullopt: the client has closed or broken the
  // protocol. One reader at a time.
  Task<std::optional<Piece>> read();
  Task<Status> send(Opcode opcode, std::string_view prefix, std::string_view data);
  // Returns when the client has left.
  Task<void> ended();
  bool over() const { return over_; }
  bool peerClosed() { return over_ || stream_->peerClosed(); }
  // Sends Close, waits for the client's (somebody must still be reading, or it is read here), at most `linger`.
  Task<void> close(std::uint16_t code, std::string reason, std::chrono::milliseconds linger);
  void cut();  // at once

 private:
  Connection(Executor executor, std::unique_ptr<ByteStream> stream);
  static Task<void> writeLoop(std::shared_ptr<Connection> self);
  void sayClose(std::uint16_t code, std::string_view reason);
  void end();

  std::unique_ptr<ByteStream> stream_;
  Executor executor_;
  Decoder decoder_;
  Outbox out_;
  Signal changed_;
  std::string in_;
  std::span<char> unread_;  // of in_
  bool over_ = false, closeSent_ = false, reading_ = false;
};

std::unique_ptr<ByteStream> asByteStream(std::shared_ptr<Connection> connection);

}  // namespace slipway::net::websocket
