// Internal to net: the read buffer of a connection. Grows by doubling up to a bound and keeps its memory.
#pragma once
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

namespace slipway::net {

class ReadBuffer {
 public:
  explicit ReadBuffer(std::size_t limit) : limit_(std::max(limit, kInitial)) {}
  std::string_view view() const { return {data_.get() + begin_, end_ - begin_}; }
  std::size_t size() const { return end_ - begin_; }
  void consume(std::size_t n) {
    begin_ += n;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  void commit(std::size_t n) { end_ += n; }
  // Room to read into; empty when `limit` bytes wait unconsumed.
  std::span<char> space() {
    if (end_ == capacity_) makeRoom();
    return {data_.get() + end_, capacity_ - end_};
  }

 private:
  static constexpr std::size_t kInitial = 4096;
  void makeRoom() {
    if (begin_ > 0) {
      std::memmove(data_.get(), data_.get() + begin_, size());
      end_ -= begin_;
      begin_ = 0;
      if (end_ < capacity_) return;
    }
    const std::size_t bigger = capacity_ == 0 ? kInitial : std::min(capacity_ * 2, limit_);
    if (bigger == capacity_) return;
    auto grown = std::make_unique_for_overwrite<char[]>(bigger);
    if (end_ > 0) std::memcpy(grown.get(), data_.get(), end_);
    data_ = std::move(grown);
    capacity_ = bigger;
  }
  std::size_t limit_;
  std::unique_ptr<char[]> data_;
  std::size_t capacity_ = 0, begin_ = 0, end_ = 0;
};

// Coarse time for deadlines: one tick of a shared timer, so that no request arms a timer of its own.
inline constexpr std::chrono::milliseconds kTick{100};
inline std::uint64_t ticksIn(std::chrono::milliseconds d) {
  return static_cast<std::uint64_t>((d + kTick - std::chrono::milliseconds(1)) / kTick) + 1;
}

}  // namespace slipway::net
