// Internal to net: one HTTP/2 connection as a codec (RFC 9113): bytes in, events and bytes out, no I/O. Framing, HPACK, flow
// control and the rules of messages are nghttp2's; here they become streams with a head, a body each way and trailers.
//
//   Session session(Side::Server, limits, events);
//   auto fed = session.feed(bytes);          // calls events; on failure what output() gives holds the GOAWAY
//   session.output(&out, 256 << 10);         // frames to send
//
// Bounds: a stream's body waits in Stream::data up to Limits::streamWindow, all of them up to connectionWindow; consume()
// opens the windows again. A peer that floods (resets, pings, settings, continuations) ends the session.
#pragma once
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "net/http.h"

struct nghttp2_session;

namespace slipway::net::h2 {

inline constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

enum class Side { Server, Client };
// RFC 9113 §7, those that we send.
enum class ErrorCode : std::uint32_t { None = 0, Internal = 2, Cancel = 8, EnhanceYourCalm = 11 };

struct Limits {
  std::size_t maxHeaderBytes = 64 << 10;  // names and values of one head, 32 bytes on top for each (§6.5.2)
  std::uint32_t maxStreams = 250;         // that the peer may have open
  std::uint32_t streamWindow = 1 << 20;
  std::uint32_t connectionWindow = 4 << 20;
};

// Lets one coroutine sleep until something about its stream has changed; it checks again after every wake-up.
class Waker {
 public:
  Task<void> sleep();
  void wake() {
    if (auto timer = std::exchange(timer_, nullptr)) timer->cancel();
  }

 private:
  std::shared_ptr<boost::asio::steady_timer> timer_;
};

struct Stream {
  std::int32_t id = 0;
  // What the peer sent. A request's :authority is in head as "host".
  std::string method, target, scheme;
  int status = 0;
  Headers head, trailers;
  bool headDone = false, headTooLarge = false;
  std::string data;              // of the body, not yet taken
  std::size_t unconsumed = 0;    // bytes whose window has not been given back
  std::uint64_t received = 0;    // of the body so far
  bool ended = false;            // the peer has sent everything
  bool closed = false;           // no more frames either way
  bool refused = false;          // closed before the peer did anything about it: safe to send again
  std::optional<Error> failure;  // why it closed before its end
  // What we send.
  std::string out;  // of the body, not yet framed
  std::size_t outAt = 0;
  bool outEnded = false;  // nothing comes after `out`
  Headers outTrailers;
  bool outDone = false;     // the frame with our END_STREAM is made
  std::size_t outSeen = 0;  // outAt at the last look: whether the peer takes anything
  Waker reader, writer;
  std::uint64_t readDeadline = 0, writeDeadline = 0;  // ticks of the connection; 0: none
  std::size_t headBytes = 0;
  bool handled = false;  // server: a handler has it, or it has been answered
  std::string cookies;   // crumbs, to be joined (§8.2.3)
};
using StreamPtr = std::shared_ptr<Stream>;

// Called from within feed(): note what happened, act after feed() has returned.
class Events {
 public:
  virtual void onHead(const StreamPtr& stream) = 0;    // a request, or the final head of a response
  virtual void onBody(const StreamPtr& stream) = 0;    // more in stream->data
  virtual void onEnd(const StreamPtr& stream) = 0;     // stream->ended
  virtual void onClosed(const StreamPtr& stream) = 0;  // stream->closed; also from output(), when our END_STREAM was last

 protected:
  ~Events() = default;
};

class Session {
 public:
  Session(Side side, const Limits& limits, Events& events);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Error BadRequest: the peer broke the protocol or floods; send what output() gives, then close.
  Status feed(std::string_view bytes);
  // Appends frames until `out` has about `bound` bytes or nothing is left to send.
  void output(std::string* out, std::size_t bound);
  bool finished() const;             // nothing will be sent or received any more
  std::size_t queuedFrames() const;  // that wait to be sent, without bodies
  bool peerSpeaksHttp2() const { return settingsSeen_; }
  bool goingAway() const { return goingAway_; }  // the peer takes no new streams
  std::uint32_t peerMaxStreams() const;
  std::size_t openStreams() const { return streams_.size(); }
  std::size_t begunStreams() const;  // of them, those whose head has come

  // Server. The body is what stream->out holds now and gets later (resume()); false when the stream is gone.
  bool respond(const StreamPtr& stream, int status, const Headers& headers, bool withBody);
  void respondContinue(const StreamPtr& stream);  // 100
  // Client. Fails with Unavailable when the connection takes no more streams.
  Result<StreamPtr> request(const Request& request, std::string_view authority, bool tls, bool withBody);

  void resume(const StreamPtr& stream);  // after stream->out or outEnded changed
  void consume(const StreamPtr& stream);
  void reset(const StreamPtr& stream, ErrorCode code);
  void shutdownNotice();  // "no more streams soon": GOAWAY with the highest id
  void goAway(ErrorCode code);
  void failAll(const Error& error);  // the connection is gone: every stream closes with this

 private:
  struct Callbacks;
  StreamPtr find(std::int32_t id) const;
  void close(const StreamPtr& stream, std::uint32_t code);

  Side side_;
  Limits limits_;
  Events& events_;
  nghttp2_session* session_ = nullptr;
  std::unordered_map<std::int32_t, StreamPtr> streams_;
  std::string* out_ = nullptr;  // while in output()
  std::size_t outBound_ = 0;
  bool goingAway_ = false, terminating_ = false, settingsSeen_ = false;
};

}  // namespace slipway::net::h2
