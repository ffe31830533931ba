#include <boost/asio/experimental/awaitable_operators.hpp>

#include "net/byte_stream.h"

namespace slipway::net {

Task<Status> ByteStream::writev(std::span<const std::string_view> parts) {
  for (const auto part : parts) {
    auto written = co_await write(part);
    if (!written) co_return written;
  }
  co_return Status{};
}

namespace {

class PrefixedStream final : public ByteStream {
 public:
  PrefixedStream(std::string first, std::unique_ptr<ByteStream> rest) : first_(std::move(first)), rest_(std::move(rest)) {}
  Task<Result<std::size_t>> read(std::span<char> into) override {
    if (used_ < first_.size()) {
      const auto n = std::min(into.size(), first_.size() - used_);
      std::copy_n(first_.data() + used_, n, into.data());
      used_ += n;
      co_return n;
    }
    auto n = co_await rest_->read(into);
    co_return n;
  }
  Task<Status> write(std::string_view bytes) override { return rest_->write(bytes); }
  Task<Status> writev(std::span<const std::string_view> parts) override { return rest_->writev(parts); }
  std::size_t tryWrite(std::string_view bytes) override { return rest_->tryWrite(bytes); }
  void shutdownWrite() override { rest_->shutdownWrite(); }
  void close() override { rest_->close(); }
  bool peerClosed() override { return used_ == first_.size() && rest_->peerClosed(); }

 private:
  std::string first_;
  std::size_t used_ = 0;
  std::unique_ptr<ByteStream> rest_;
};

// Ends with both streams closed when a side fails, and with a half close when `from` ends cleanly.
Task<void> copyOneWay(ByteStream* from, ByteStream* to, std::size_t bufferBytes) {
  std::string buffer(bufferBytes, '\0');
  for (;;) {
    const auto n = co_await from->read(buffer);
    if (n && *n == 0) break;
    Status written;
    if (n) {
      written = co_await to->write(std::string_view(buffer).substr(0, *n));
    }
    if (!n || !written) {
      from->close();
      to->close();
      co_return;
    }
  }
  to->shutdownWrite();
}

}  // namespace

std::unique_ptr<ByteStream> prefixed(std::string first, std::unique_ptr<ByteStream> rest) {
  return std::make_unique<PrefixedStream>(std::move(first), std::move(rest));
}

Task<void> copyBothWays(std::unique_ptr<ByteStream> a, std::unique_ptr<ByteStream> b, std::size_t bufferBytes) {
  using namespace boost::asio::experimental::awaitable_operators;
  co_await (copyOneWay(a.get(), b.get(), bufferBytes) && copyOneWay(b.get(), a.get(), bufferBytes));
  a->close();
  b->close();
}

}  // namespace slipway::net
