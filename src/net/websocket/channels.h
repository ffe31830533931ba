// Channels: several streams over one WebSocket connection, as Kubernetes' *.channel.k8s.io protocols have them: the first
// byte of each message is the number of its stream.
//
//   auto channels = Channels::start(connection, 5, HalfClose::Yes, scope);
//   auto in = channels->stream(0);  auto out = channels->stream(1);
//   co_await channels->close(1s);
//
// A ByteStream of a channel reads what the client sends on it (0 after a half close) and writes messages. All inputs share a
// budget: when it is spent, the connection is read no further. Used from one executor.
#pragma once
#include <memory>
#include <vector>

#include "base/scope.h"
#include "net/byte_stream.h"
#include "net/mux/inbox.h"
#include "net/websocket/connection.h"

namespace slipway::net::websocket {

enum class HalfClose { No, Yes };  // v5: a message of bytes 255, N ends the client's side of channel N

class Channels : public std::enable_shared_from_this<Channels> {
 public:
  static std::shared_ptr<Channels> start(std::shared_ptr<Connection> connection, std::size_t count, HalfClose halfClose,
                                         TaskScope& scope);
  std::unique_ptr<ByteStream> stream(std::uint8_t number);
  void ignoreInput(std::uint8_t number);  // what the client sends on it is dropped
  Task<void> ended() { return connection_->ended(); }
  bool over() const { return connection_->over(); }
  Task<void> close(std::chrono::milliseconds linger) { return connection_->close(1000, "", linger); }

 private:
  class Channel;
  Channels(Executor executor, std::shared_ptr<Connection> connection, std::size_t count, HalfClose halfClose);
  static Task<void> readLoop(std::shared_ptr<Channels> self);
  static Task<void> watchPeer(std::shared_ptr<Channels> self);
  void onPiece(const Piece& piece);

  std::shared_ptr<Connection> connection_;
  Executor executor_;
  std::shared_ptr<InboxBudget> budget_;
  std::vector<std::shared_ptr<Inbox>> inboxes_;
  HalfClose halfClose_;
  int current_ = -1;  // channel of the message whose pieces come now; -1: its first byte has not come yet
};

}  // namespace slipway::net::websocket
