#include "net/websocket/connection.h"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstring>

#include "base/log.h"

namespace slipway::net::websocket {
namespace asio = boost::asio;
namespace {

constexpr std::size_t kReadBuffer = 32 << 10;
constexpr std::uint16_t kProtocolError = 1002;
constexpr std::size_t kMaxSend = 32 << 10;  // bytes in one message of ours

class Tunnel final : public ByteStream {
 public:
  explicit Tunnel(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}
  ~Tunnel() override { connection_->cut(); }

  Task<Result<std::size_t>> read(std::span<char> into) override {
    const auto connection = connection_;
    while (rest_.empty()) {
      const auto piece = co_await connection->read();
      if (!piece) co_return 0;
      rest_ = piece->data;
    }
    const std::size_t n = std::min(rest_.size(), into.size());
    std::copy_n(rest_.data(), n, into.data());
    rest_.remove_prefix(n);
    co_return n;
  }
  Task<Status> write(std::string_view bytes) override {
    const auto connection = connection_;
    while (!bytes.empty()) {
      auto sent = co_await connection->send(Opcode::Binary, {}, bytes.substr(0, kMaxSend));
      if (!sent) co_return sent;
      bytes.remove_prefix(std::min(bytes.size(), kMaxSend));
    }
    co_return Status{};
  }
  void shutdownWrite() override {}
  void close() override { connection_->cut(); }
  bool peerClosed() override { return connection_->peerClosed(); }

 private:
  std::shared_ptr<Connection> connection_;
  std::string_view rest_;  // of the last piece
};

}  // namespace

Connection::Connection(Executor executor, std::unique_ptr<ByteStream> stream)
    : stream_(std::move(stream)),
      executor_(executor),
      out_(executor, *stream_),
      changed_(executor),
      in_(kReadBuffer, '\0') {}
Connection::~Connection() = default;

std::shared_ptr<Connection> Connection::start(std::unique_ptr<ByteStream> stream, TaskScope& scope) {
  std::shared_ptr<Connection> self(new Connection(scope.executor(), std::move(stream)));
  scope.spawn("WebSocket writer", [self] { return writeLoop(self); });
  return self;
}

Task<void> Connection::writeLoop(std::shared_ptr<Connection> self) {
  co_await self->out_.run();
  if (self->out_.failed()) self->end();
}

Task<std::optional<Piece>> Connection::read() {
  const auto self = shared_from_this();
  while (!over_) {
    auto piece = decoder_.next(&unread_);
    if (!piece) {
      logDebug("websocket: {}", piece.error().message);
      sayClose(kProtocolError, piece.error().message);
      end();
      break;
    }
    if (!*piece) {
      const std::size_t have = unread_.size();  // at most a control frame
      if (have > 0) std::memmove(in_.data(), unread_.data(), have);
      unread_ = std::span<char>(in_).first(have);
      reading_ = true;
      const auto n = co_await stream_->read(std::span<char>(in_).subspan(have));
      reading_ = false;
      if (!n || *n == 0) {
        end();
        break;
      }
      unread_ = std::span<char>(in_).first(have + *n);
      continue;
    }
    if ((*piece)->opcode == Opcode::Close) {
      sayClose(1000, {});
      end();
    } else if ((*piece)->opcode == Opcode::Ping) {
      appendFrame(out_.buffer(), Opcode::Pong, {}, (*piece)->data);
      out_.send();
      if (out_.failed()) end();  // it asks and asks, and never reads
    } else if ((*piece)->opcode != Opcode::Pong) {
      co_return *piece;
    }
  }
  co_return std::nullopt;
}

Task<Status> Connection::send(Opcode opcode, std::string_view prefix, std::string_view data) {
  const auto self = shared_from_this();
  auto room = co_await out_.room();
  if (!room) co_return room;
  if (over_ || closeSent_) co_return fail(Code::Unavailable, "the connection is gone");
  appendFrame(out_.buffer(), opcode, prefix, data);
  out_.send();
  co_return Status{};
}

Task<void> Connection::ended() {
  const auto self = shared_from_this();
  while (!over_) {
    co_await changed_.wait();
  }
}

void Connection::sayClose(std::uint16_t code, std::string_view reason) {
  if (closeSent_) return;
  closeSent_ = true;
  appendClose(out_.buffer(), code, reason);
  out_.send();
}

void Connection::end() {
  over_ = true;
  out_.finish();
  changed_.notifyAll();
}

Task<void> Connection::close(std::uint16_t code, std::string reason, std::chrono::milliseconds linger) {
  using namespace asio::experimental::awaitable_operators;
  const auto self = shared_from_this();
  sayClose(code, reason);
  asio::steady_timer timer(executor_, linger);
  boost::system::error_code ec;
  co_await (out_.flushed() || timer.async_wait(asio::redirect_error(asio::use_awaitable, ec)));
  const auto drain = [](std::shared_ptr<Connection> c) -> Task<void> {
    if (c->reading_) {
      co_await c->ended();
      co_return;
    }
    for (;;) {
      const auto piece = co_await c->read();
      if (!piece) co_return;
    }
  };
  if (!over_) {
    co_await (drain(self) || timer.async_wait(asio::redirect_error(asio::use_awaitable, ec)));
  }
  cut();
}

void Connection::cut() {
  end();
  stream_->close();
}

std::unique_ptr<ByteStream> asByteStream(std::shared_ptr<Connection> connection) {
  return std::make_unique<Tunnel>(std::move(connection));
}

}  // namespace slipway::net::websocket
