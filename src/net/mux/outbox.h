// Outbox: what waits to be written to a multiplexed connection, in order, and the one coroutine that writes it. Bounded: a
// sender of data waits for room; control frames go in at once, up to a second bound that only a peer who asks without ever
// reading can reach. Used from one executor.
//
//   auto room = co_await outbox.room();   // then:
//   outbox.buffer() += frame;  outbox.send();
#pragma once
#include <string>

#include "base/result.h"
#include "base/signal.h"
#include "base/task.h"
#include "net/byte_stream.h"

namespace slipway::net {

class Outbox {
 public:
  Outbox(Executor executor, ByteStream& stream) : stream_(stream), changed_(std::move(executor)) {}

  // Writes until finish() was called and everything is out, or a write fails.
  Task<void> run();
  Task<Status> room();  // error Unavailable once the connection is gone
  std::string& buffer() { return waiting_; }
  void send() { overflowing() ? fail() : changed_.notifyAll(); }
  void finish();         // run() ends when all is written
  void fail();           // nothing more is written
  Task<void> flushed();  // returns when all is written or the connection is gone
  bool failed() const { return failed_; }

 private:
  static constexpr std::size_t kRoom = 64 << 10;       // senders wait beyond it
  static constexpr std::size_t kOverflow = 256 << 10;  // control frames break the connection beyond it
  bool overflowing() const { return waiting_.size() > kOverflow; }
  ByteStream& stream_;
  Signal changed_;
  std::string waiting_;
  bool writing_ = false, finishing_ = false, failed_ = false;
};

}  // namespace slipway::net
