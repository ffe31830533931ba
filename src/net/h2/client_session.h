// Internal to net: the client's side of one HTTP/2 connection, shared by many requests at a time, and the connections to one
// origin. Used from one executor.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/signal.h"
#include "net/client.h"
#include "net/h2/connection.h"

namespace slipway::net::h2 {

struct ClientPool;

class ClientSession final : public Connection {
 public:
  ClientSession(Executor executor, std::shared_ptr<ClientPool> pool, std::unique_ptr<ByteStream> stream,
                const Limits& limits);
  void start();  // sends the preface and reads on until the connection ends
  // Takes another request now. Until the origin has told its limit of streams that is one.
  bool usable() const;
  bool settled() const { return session_().peerSpeaksHttp2(); }
  bool idle() const { return session_().openStreams() == 0; }
  void shut();  // at once
  // Sends the request and waits for the head of its response. `*sent` turns false when the origin certainly did nothing.
  Task<Result<Response>> exchange(Request* request, std::uint64_t headTicks, bool* sent);
  std::uint64_t idleSince = 0;

 private:
  struct Pump;
  Session& session_() const { return const_cast<ClientSession*>(this)->session(); }
  void onHead(const StreamPtr& stream) override { stream->reader.wake(); }
  void onBody(const StreamPtr&) override {}
  void onEnd(const StreamPtr&) override {}
  void onClosed(const StreamPtr& stream) override;
  void afterFeed() override;
  std::shared_ptr<Pump> startPump(const StreamPtr& stream, Body body);
  Error explain(const Stream& stream, std::uint64_t headTicks) const;
  std::shared_ptr<ClientPool> pool_;
  bool announced_ = false;
};

// The HTTP/2 connections to one origin.
struct ClientPool {
  ClientPool(Executor executor, std::string hostHeader, std::string where, bool tls)
      : host(std::move(hostHeader)), where(std::move(where)), tls(tls), changed(std::move(executor)) {}
  std::shared_ptr<ClientSession> usable();  // the fullest that takes another request; null: none
  void forgetClosed();
  bool opening() const;  // a connection is being opened, or has not told its limits yet

  std::string host, where;
  bool tls;
  std::vector<std::shared_ptr<ClientSession>> sessions;
  std::size_t dialing = 0, waiting = 0;
  Signal changed;  // a stream or a connection ended, or one was opened
};

}  // namespace slipway::net::h2
