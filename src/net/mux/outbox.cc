#include "net/mux/outbox.h"

namespace slipway::net {

Task<void> Outbox::run() {
  std::string sending;
  for (;;) {
    while (waiting_.empty()) {
      if (failed_ || finishing_) co_return;
      co_await changed_.wait();
    }
    if (failed_) co_return;
    sending.clear();
    sending.swap(waiting_);
    writing_ = true;
    changed_.notifyAll();
    auto written = co_await stream_.write(sending);
    writing_ = false;
    if (!written) fail();
    changed_.notifyAll();
  }
}

Task<Status> Outbox::room() {
  while (waiting_.size() >= kRoom && !failed_) {
    co_await changed_.wait();
  }
  if (failed_) co_return slipway::fail(Code::Unavailable, "the connection is gone");
  co_return Status{};
}

void Outbox::finish() {
  finishing_ = true;
  changed_.notifyAll();
}

void Outbox::fail() {
  failed_ = true;
  waiting_.clear();
  changed_.notifyAll();
}

Task<void> Outbox::flushed() {
  while (!failed_ && (writing_ || !waiting_.empty())) {
    co_await changed_.wait();
  }
}

}  // namespace slipway::net
