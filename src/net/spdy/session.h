// Session: the server's side of one SPDY/3.1 connection: streams that the client opens, each a ByteStream.
//
//   auto session = Session::start(executor, std::move(connection), scope);
//   for (;;) { auto stream = co_await session->accept();  if (!stream) break; … }
//   co_await session->close(5s);
//
// Bounds: at most maxStreams open streams (more are refused), maxInbound bytes waiting to be read in all of them (then the
// connection is read no further), 64 KiB waiting to be written. Kubernetes' clients ignore SPDY's own flow control, so none
// is used: the TCP window stops both sides. A stream whose reader stalls therefore stalls its neighbours, once the budget
// is spent, as in Kubernetes. Used from one executor.
#pragma once
#include <chrono>
#include <deque>
#include <map>
#include <memory>

#include "base/scope.h"
#include "base/signal.h"
#include "net/byte_stream.h"
#include "net/mux/inbox.h"
#include "net/mux/outbox.h"
#include "net/spdy/frames.h"

namespace slipway::net::spdy {

struct SessionLimits {
  std::size_t maxStreams = 512;
  std::size_t maxInbound = 1 << 20;
};

// One stream. read() gives what the client sends, 0 after its FIN, an error after a reset; shutdownWrite() sends our FIN;
// close() (or destruction) resets what is not finished on both sides.
class Stream final : public ByteStream {
 public:
  ~Stream() override;
  std::string_view header(std::string_view name) const;  // "" when it was not sent
  std::uint32_t id() const { return id_; }
  Task<Result<std::size_t>> read(std::span<char> into) override;
  Task<Status> write(std::string_view bytes) override;
  void shutdownWrite() override;
  void close() override;
  bool peerClosed() override;
  void ignoreInput();  // for a stream that only we write: what the client sends is dropped

 private:
  friend class Session;
  struct State;
  Stream(std::uint32_t id, HeaderList headers, std::shared_ptr<State> state);
  std::uint32_t id_;
  HeaderList headers_;
  std::shared_ptr<State> state_;
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  // Reading and writing happen in tasks of `scope`; the session ends with them.
  static std::shared_ptr<Session> start(std::unique_ptr<ByteStream> connection, TaskScope& scope, SessionLimits limits = {});
  ~Session();

  // The next stream that the client opens; null once the connection is over.
  Task<std::unique_ptr<Stream>> accept();
  // Returns when the client has left or broken the protocol, and not before.
  Task<void> ended();
  bool over() const { return over_; }
  // Says goodbye, waits until all is written and the client has closed, at most `linger`, and closes.
  Task<void> close(std::chrono::milliseconds linger);

 private:
  friend class Stream;
  Session(Executor executor, std::unique_ptr<ByteStream> connection, SessionLimits limits);
  static Task<void> readLoop(std::shared_ptr<Session> self);
  static Task<void> writeLoop(std::shared_ptr<Session> self);
  static Task<void> watchPeer(std::shared_ptr<Session> self);
  bool onFrame(Frame frame);  // false: the connection is over
  void onSynStream(Frame frame);
  bool breakOff(StreamError why);
  void end(const std::string& why);
  void settle(std::uint32_t id);  // forgets a stream that is finished on both sides

  std::unique_ptr<ByteStream> connection_;
  Executor executor_;
  SessionLimits limits_;
  Decoder decoder_;
  Encoder encoder_;
  Outbox out_;
  std::shared_ptr<InboxBudget> budget_;
  Signal changed_;
  std::map<std::uint32_t, std::shared_ptr<Stream::State>> streams_;
  std::deque<std::unique_ptr<Stream>> opened_;
  std::uint32_t lastStream_ = 0;
  bool over_ = false;
};

}  // namespace slipway::net::spdy
