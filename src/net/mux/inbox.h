// Inbox: the bytes that have come for one stream of a multiplexed connection (SPDY, WebSocket channels) and nobody has read
// yet. All inboxes of a connection share one budget: when it is spent, the connection is read no further, and the peer's
// TCP window is what stops it. Used from one executor.
#pragma once
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/signal.h"
#include "base/task.h"

namespace slipway::net {

class InboxBudget {
 public:
  InboxBudget(Executor executor, std::size_t limit) : limit_(limit), freed_(std::move(executor)) {}
  bool spent() const { return used_ >= limit_; }
  std::size_t used() const { return used_; }
  Task<void> waitForRoom();  // returns when not spent; call it before reading more from the connection

 private:
  friend class Inbox;
  void take(std::size_t n) { used_ += n; }
  void give(std::size_t n);
  std::size_t limit_, used_ = 0;
  Signal freed_;
};

class Inbox {
 public:
  Inbox(Executor executor, std::shared_ptr<InboxBudget> budget)
      : budget_(std::move(budget)), changed_(std::move(executor)) {}
  ~Inbox() { drop(); }
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;

  void push(std::string_view bytes);  // dropped when nobody will read them
  void end();                         // no more will come
  void fail(std::string why);         // readers get Unavailable, at once
  void drop();                        // nobody reads any more
  bool ended() const { return ended_ || failed_; }
  Task<Result<std::size_t>> read(std::span<char> into);  // 0 at the end

 private:
  std::shared_ptr<InboxBudget> budget_;
  Signal changed_;
  std::deque<std::string> chunks_;
  std::size_t offset_ = 0;  // of the first chunk
  bool ended_ = false, failed_ = false, dropped_ = false;
  std::string why_;
};

}  // namespace slipway::net
