// Internal to net: one HTTP/1.1 client connection and the pool it belongs to.
#pragma once
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <memory>
#include <vector>

#include "net/buffer.h"
#include "net/client.h"
#include "net/h1_parser.h"
#include "net/h1_writer.h"

namespace slipway::net {

struct ClientConnection;
using ClientConnectionPtr = std::shared_ptr<ClientConnection>;

// The connections to one origin. Idle ones are taken last in, first out.
struct ClientPool {
  std::string hostHeader;
  std::string where;  // "127.0.0.1:8080", for messages
  std::vector<ClientConnectionPtr> idle;
  std::vector<ClientConnection*> active;  // those whose deadlines the ticker watches
  std::size_t open = 0;                   // idle and busy ones
  std::deque<std::shared_ptr<boost::asio::steady_timer>> waiters;
  std::size_t maxIdle = 0;
  std::uint64_t tick = 0;
  bool closing = false;  // the client is gone: nothing is pooled any more
  void wakeOne();
};

struct ClientConnection : std::enable_shared_from_this<ClientConnection> {
  ClientConnection(std::shared_ptr<ClientPool> pool, std::unique_ptr<ByteStream> stream, std::size_t maxHeaderBytes);
  ~ClientConnection();
  ClientConnection(const ClientConnection&) = delete;
  ClientConnection& operator=(const ClientConnection&) = delete;

  // Writes the request and reads the head of its response. `*request` keeps its body unless that is a stream.
  Task<Result<Response>> exchange(Request* request, std::uint64_t headTicks);
  Task<Result<std::string>> readBodyChunk();  // of the response; empty at the end, when the connection has been given back
  void giveBack();                            // to the pool if it can carry another request, else closes
  void onTick();

  std::shared_ptr<ClientPool> pool;
  std::unique_ptr<ByteStream> stream;
  ReadBuffer in;
  std::string out;
  h1::Parser<Response> parser;
  std::uint64_t idleSince = 0;
  bool gotByte = false;   // of the current response
  bool released = false;  // given back: whoever held it for a response must let go

 private:
  Task<Status> writeRequest(Request* request);
  Task<Result<Response>> readHead(bool noBody);
  Response finishHead(Response response);
  static Task<void> pump(ClientConnectionPtr self, Body body, bool chunked);

  std::uint64_t deadline_ = 0;
  bool timedOut_ = false, pumping_ = false, broken_ = false, bodyDone_ = false;
  std::uint64_t bodyLeft_ = 0;
  boost::asio::cancellation_signal pumpSignal_;
};

}  // namespace slipway::net
