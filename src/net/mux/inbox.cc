#include "net/mux/inbox.h"

#include <algorithm>

namespace slipway::net {
namespace {
constexpr std::size_t kMergeBelow = 16 << 10;  // small pieces share a chunk: a flood of them costs no more than its bytes
}  // namespace

void InboxBudget::give(std::size_t n) {
  used_ -= n;
  if (n > 0 && !spent()) freed_.notifyAll();
}

Task<void> InboxBudget::waitForRoom() {
  while (spent()) {
    co_await freed_.wait();
  }
}

void Inbox::push(std::string_view bytes) {
  if (bytes.empty() || dropped_ || ended_ || failed_) return;
  budget_->take(bytes.size());
  if (!chunks_.empty() && chunks_.back().size() + bytes.size() <= kMergeBelow) {
    chunks_.back().append(bytes);
  } else {
    chunks_.emplace_back(bytes);
  }
  changed_.notifyAll();
}

void Inbox::end() {
  ended_ = true;
  changed_.notifyAll();
}

void Inbox::fail(std::string why) {
  if (failed_) return;
  failed_ = true;
  why_ = std::move(why);
  changed_.notifyAll();
}

void Inbox::drop() {
  dropped_ = true;
  std::size_t freed = 0;
  for (const std::string& chunk : chunks_) freed += chunk.size();
  freed -= offset_;
  chunks_.clear();
  offset_ = 0;
  budget_->give(freed);
}

Task<Result<std::size_t>> Inbox::read(std::span<char> into) {
  while (chunks_.empty() || failed_) {
    if (failed_) co_return tl::unexpected<Error>(Error{Code::Unavailable, why_, ""});
    if (dropped_) co_return tl::unexpected<Error>(Error{Code::Cancelled, "stream closed", ""});
    if (ended_) co_return 0;
    co_await changed_.wait();
  }
  std::size_t done = 0;
  while (done < into.size() && !chunks_.empty()) {
    const std::string_view rest = std::string_view(chunks_.front()).substr(offset_);
    const std::size_t n = std::min(rest.size(), into.size() - done);
    std::copy_n(rest.data(), n, into.data() + done);
    done += n;
    offset_ += n;
    if (n == rest.size()) {
      chunks_.pop_front();
      offset_ = 0;
    }
  }
  budget_->give(done);
  co_return done;
}

}  // namespace slipway::net
