// Internal to net: the server's side of one HTTP/2 connection: many requests at a time, each a coroutine that is cancelled
// when its client resets the stream or leaves. Lives in a ServerConnection, which found the preface.
#pragma once
#include <boost/asio/cancellation_signal.hpp>
#include <unordered_map>
#include <vector>

#include "net/h2/connection.h"
#include "net/server_connection.h"

namespace slipway::net::h2 {

class ServerSession final : public Connection {
 public:
  ServerSession(std::shared_ptr<ServerCore> core, Executor executor, std::unique_ptr<ByteStream> stream, Peer peer);
  Task<void> run(std::string first);  // until the connection has ended and every handler with it
  void tick();                        // every kTick
  void drain();                       // no new streams; closes when the running ones have ended
  void abort();                       // cancels the handlers and closes

 private:
  struct Call {  // one request's handler
    StreamPtr stream;
    boost::asio::cancellation_signal signal;
    bool running = false, cancelled = false;
  };
  using CallPtr = std::shared_ptr<Call>;

  void onHead(const StreamPtr& stream) override;
  void onBody(const StreamPtr& stream) override;
  void onEnd(const StreamPtr& stream) override;
  void onClosed(const StreamPtr& stream) override;
  void afterFeed() override;
  void dispatch(const StreamPtr& stream);
  Request requestOf(const StreamPtr& stream);
  bool answerInline(const StreamPtr& stream, Request& request);
  void spawn(const StreamPtr& stream, Request request);
  static Task<void> handle(std::shared_ptr<ServerSession> self, CallPtr call, Request request);
  Task<void> send(StreamPtr stream, Response response, bool head);
  bool sendWhole(const StreamPtr& stream, Response& response, bool head);
  void refuse(const StreamPtr& stream, int status, std::string text);
  void cancel(const CallPtr& call);
  void addServerFields(Headers& headers);

  std::shared_ptr<ServerCore> core_;
  Peer peer_;
  Response inlineResponse_;
  std::vector<StreamPtr> arrived_;                         // heads, ends and full buffers since the last feed
  std::unordered_map<std::int32_t, StreamPtr> gathering_;  // whose small bodies are not complete yet
  std::unordered_map<std::int32_t, CallPtr> calls_;
  std::size_t running_ = 0;  // handlers, also those of streams that are gone
  Waker handlerEnded_;
  std::uint64_t idleSince_ = 0;
  int draining_ = 0;  // 1: told the peer, 2: final GOAWAY sent
};

}  // namespace slipway::net::h2
