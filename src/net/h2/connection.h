// Internal to net: an HTTP/2 connection over a ByteStream: the part that server and client share. Reads, feeds the Session,
// writes what it has to send, and moves bodies: readers and writers of a stream sleep until flow control lets them go on.
// Used from one executor. Derived classes act on what arrived in afterFeed().
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "base/scope.h"
#include "net/byte_stream.h"
#include "net/h2/session.h"

namespace slipway::net::h2 {

struct Pace {                      // in ticks
  std::uint64_t stall = 600;       // a body that does not arrive; 0: for ever
  std::uint64_t writeStall = 600;  // bytes that the peer does not take
};

class Connection : public std::enable_shared_from_this<Connection>, public Events {
 public:
  virtual ~Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // The next chunk of what the peer sends in `stream`; empty at its end. Errors: the stream's failure, Timeout.
  Task<Result<std::string>> readBody(StreamPtr stream);
  // Hands over a chunk and waits until it has been framed: back-pressure. Errors: the stream has closed, Timeout.
  Task<Status> writeBody(StreamPtr stream, std::string chunk);
  void endBody(const StreamPtr& stream, const Headers* trailers);  // END_STREAM, after trailers if there are any
  void reset(const StreamPtr& stream, ErrorCode code);
  void onTick(std::uint64_t tick);
  bool open() const { return stream_ != nullptr && !closed_; }

 protected:
  Connection(Executor executor, std::unique_ptr<ByteStream> stream, Side side, const Limits& limits, Pace pace);
  // Reads until the connection is over, `first` before what the stream has. Then every stream has failed.
  Task<void> readLoop(std::string first);
  virtual void afterFeed() {}
  // Sleeps until something has changed about `stream`, which times out after `ticks` (0: never).
  Task<void> awaitChange(StreamPtr stream, std::uint64_t ticks);
  void watchRead(const StreamPtr& stream);   // resets it when nothing of its body comes for too long; until called again
  void watchWrite(const StreamPtr& stream);  // resets it when the peer takes nothing of its body for too long
  // Sends what the session has to send. Does nothing within a feed: the loop does it afterwards.
  void flush();
  void close();  // at once
  Session& session() { return session_; }
  std::uint64_t tick() const { return tick_; }
  Executor executor_;

 private:
  Status feed(std::string_view bytes);
  void startWriter();
  static Task<void> writeLoop(std::shared_ptr<Connection> self);

  std::unique_ptr<ByteStream> stream_;
  Session session_;
  Pace pace_;
  std::string out_;
  bool feeding_ = false, writing_ = false, closed_ = false;
  Waker drained_;  // sleeps while the peer does not take what its own frames ask for
  std::uint64_t tick_ = 0, writeDeadline_ = 0;
  std::vector<StreamPtr> waiting_;  // streams with a deadline
};

// The body of a message as it comes in; dropped before its end it resets the stream.
class StreamBody final : public BodyReader {
 public:
  // beforeRead: called once, before the first read (100 Continue); may be null.
  StreamBody(std::shared_ptr<Connection> connection, StreamPtr stream, std::function<void()> beforeRead, bool resetOnDrop)
      : connection_(std::move(connection)),
        stream_(std::move(stream)),
        beforeRead_(std::move(beforeRead)),
        resetOnDrop_(resetOnDrop) {}
  ~StreamBody() override;
  Task<Result<std::string>> read() override;
  const Headers* trailers() const override { return stream_->trailers.size() > 0 ? &stream_->trailers : nullptr; }

 private:
  std::shared_ptr<Connection> connection_;
  StreamPtr stream_;
  std::function<void()> beforeRead_;
  bool resetOnDrop_;
};

}  // namespace slipway::net::h2
