#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "net/byte_stream.h"

namespace slipway::net {
namespace asio = boost::asio;
namespace {

using Waiter = std::shared_ptr<asio::steady_timer>;

// One direction: a bounded buffer with at most one reader and one writer asleep on it.
struct Channel {
  explicit Channel(std::size_t n) : capacity(n) {}
  std::size_t capacity;
  std::string bytes;
  bool ended = false;   // no more will be written
  bool broken = false;  // one end was closed
  Waiter reader, writer;

  static void wake(Waiter& waiter) {
    if (auto timer = std::exchange(waiter, nullptr)) timer->cancel();
  }
  void wakeBoth() { wake(reader), wake(writer); }
};

Task<void> sleepOn(std::shared_ptr<Channel> channel, Waiter Channel::* slot) {
  auto executor = co_await asio::this_coro::executor;
  auto timer = std::make_shared<asio::steady_timer>(executor, asio::steady_timer::time_point::max());
  (*channel).*slot = timer;
  boost::system::error_code ec;
  co_await timer->async_wait(asio::redirect_error(asio::use_awaitable, ec));
}

class PipeEnd final : public ByteStream {
 public:
  PipeEnd(std::shared_ptr<Channel> in, std::shared_ptr<Channel> out) : in_(std::move(in)), out_(std::move(out)) {}
  ~PipeEnd() override { PipeEnd::close(); }

  Task<Result<std::size_t>> read(std::span<char> into) override {
    const auto in = in_;
    for (;;) {
      if (in->broken) co_return fail(Code::Cancelled, "connection closed");
      if (!in->bytes.empty()) break;
      if (in->ended) co_return 0;
      co_await sleepOn(in, &Channel::reader);
    }
    const auto n = std::min(into.size(), in->bytes.size());
    std::copy_n(in->bytes.data(), n, into.data());
    in->bytes.erase(0, n);
    Channel::wake(in->writer);
    co_return n;
  }

  Task<Status> write(std::string_view bytes) override {
    const auto out = out_;
    while (!bytes.empty()) {
      if (out->broken || out->ended) co_return fail(Code::Unavailable, "broken pipe");
      const auto n = std::min(bytes.size(), out->capacity - out->bytes.size());
      out->bytes.append(bytes.substr(0, n));
      bytes.remove_prefix(n);
      if (n > 0) Channel::wake(out->reader);
      if (!bytes.empty()) {
        co_await sleepOn(out, &Channel::writer);
      }
    }
    co_return Status{};
  }

  void shutdownWrite() override {
    out_->ended = true;
    Channel::wake(out_->reader);
  }

  void close() override {
    in_->broken = true;
    out_->ended = true;
    in_->wakeBoth();
    out_->wakeBoth();
  }

  bool peerClosed() override { return in_->ended || in_->broken; }

 private:
  std::shared_ptr<Channel> in_, out_;
};

}  // namespace

std::pair<std::unique_ptr<ByteStream>, std::unique_ptr<ByteStream>> makePipe(std::size_t capacity) {
  auto there = std::make_shared<Channel>(capacity);
  auto back = std::make_shared<Channel>(capacity);
  return {std::make_unique<PipeEnd>(back, there), std::make_unique<PipeEnd>(there, back)};
}

}  // namespace slipway::net
