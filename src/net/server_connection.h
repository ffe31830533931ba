// Internal to net: one HTTP/1.1 server connection: a loop of read, parse, handle, write over a ByteStream. One that begins
// with HTTP/2's preface goes on as an h2::ServerSession.
#pragma once
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <string>

#include "net/buffer.h"
#include "net/h1_parser.h"
#include "net/h1_writer.h"
#include "net/server.h"

namespace slipway::net {
namespace h2 {
class ServerSession;
}

// What the connections of one server share.
struct ServerCore {
  Handler handler;
  ServerOptions options;
  std::uint64_t tick = 0;
  bool draining = false;
};

class ServerConnection : public std::enable_shared_from_this<ServerConnection> {
 public:
  ServerConnection(std::shared_ptr<ServerCore> core, std::unique_ptr<ByteStream> stream, Peer peer);
  Task<void> run();  // until the connection has ended; never throws
  // Every kTick: enforces deadlines. True when the client has left while its request is being handled.
  bool onTick();
  void closeIfIdle();
  void abort();  // the handler is cancelled and the stream closed
  boost::asio::cancellation_signal& signal() { return signal_; }

 private:
  friend class ServerBody;
  class ReadingBody;
  enum class Phase { Idle, Head, Busy, Linger };
  Task<void> loop();
  Task<bool> beginsHttp2();
  Task<void> runHttp2();
  Task<bool> readMore();
  Task<bool> sendPending();
  bool takeBufferedBody();
  Task<bool> receiveBody();
  Task<Result<std::string>> readBodyChunk(std::uint64_t generation);
  Task<Result<std::string>> readChunked();
  Task<Result<std::string>> gatherBody();
  Task<Status> sendContinue();
  bool answerInline();
  Task<bool> answer();
  Task<bool> writeResponse(Response response);
  Task<Status> writeStream(Body body, h1::BodyMode mode);
  Task<Status> flush();
  Task<Status> flushWith(std::string_view tail);
  Task<void> refuse(Error error);
  Task<void> linger();
  Task<void> endOfBodyRead();
  void nextRequest();
  std::uint64_t in(std::chrono::milliseconds d) const { return core_->tick + ticksIn(d); }

  static Error tooLarge(std::uint64_t limit);
  static constexpr std::size_t kMaxPendingOut = 64 << 10;  // pipelined answers gathered before a write

  std::shared_ptr<ServerCore> core_;
  std::unique_ptr<ByteStream> stream_;
  std::shared_ptr<h2::ServerSession> http2_;  // then it has the stream
  Peer peer_;
  boost::asio::cancellation_signal signal_;
  ReadBuffer in_;
  std::string out_;
  h1::Parser<Request> parser_;
  Request request_;
  Response inlineResponse_;
  Phase phase_ = Phase::Idle;
  std::uint64_t readDeadline_ = 0, writeDeadline_ = 0;  // ticks; 0: none
  bool handling_ = false, aborted_ = false;
  std::uint64_t lastChunk_ = 0;  // tick of the newest chunk of a streamed answer; 0: none is under way
  bool askPeer() const;
  // The body of the current request.
  std::uint64_t generation_ = 0;  // changes with every request: a reader of an old one finds out
  std::uint64_t bodyLeft_ = 0, bodySeen_ = 0;
  bool bodyDone_ = true, bodyReading_ = false, bodyTooLarge_ = false, continuePending_ = false;
  std::optional<boost::asio::steady_timer> bodyReadEnded_;  // set while linger() waits for bodyReading_ to end
  // What the answer needs to know of the request, which the handler owns by then.
  bool head_ = false, keepAlive_ = true;
  int minor_ = 1;
};

}  // namespace slipway::net
