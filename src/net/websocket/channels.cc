#include "net/websocket/channels.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace slipway::net::websocket {
namespace asio = boost::asio;
namespace {

constexpr std::size_t kMaxInbound = 1 << 20;
constexpr std::size_t kMaxMessage = 32 << 10;
constexpr std::uint8_t kCloseChannel = 255;
constexpr auto kLookForPeer = std::chrono::seconds(1);

}  // namespace

class Channels::Channel final : public ByteStream {
 public:
  Channel(std::shared_ptr<Connection> connection, std::shared_ptr<Inbox> inbox, std::uint8_t number)
      : connection_(std::move(connection)), inbox_(std::move(inbox)), prefix_(1, static_cast<char>(number)) {}
  ~Channel() override { inbox_->drop(); }

  Task<Result<std::size_t>> read(std::span<char> into) override {
    const auto inbox = inbox_;
    auto n = co_await inbox->read(into);
    co_return n;
  }
  // Nothing to write is a message too: it tells some clients that the connection works.
  Task<Status> write(std::string_view bytes) override {
    const auto connection = connection_;
    const std::string prefix = prefix_;
    do {
      auto sent = co_await connection->send(Opcode::Binary, prefix, bytes.substr(0, kMaxMessage));
      if (!sent) co_return sent;
      bytes.remove_prefix(std::min(bytes.size(), kMaxMessage));
    } while (!bytes.empty());
    co_return Status{};
  }
  void shutdownWrite() override {}
  void close() override { inbox_->drop(); }
  bool peerClosed() override { return connection_->over(); }

 private:
  std::shared_ptr<Connection> connection_;
  std::shared_ptr<Inbox> inbox_;
  std::string prefix_;
};

Channels::Channels(Executor executor, std::shared_ptr<Connection> connection, std::size_t count, HalfClose halfClose)
    : connection_(std::move(connection)),
      executor_(executor),
      budget_(std::make_shared<InboxBudget>(executor, kMaxInbound)),
      halfClose_(halfClose) {
  for (std::size_t i = 0; i < count; ++i) inboxes_.push_back(std::make_shared<Inbox>(executor, budget_));
}

std::shared_ptr<Channels> Channels::start(std::shared_ptr<Connection> connection, std::size_t count, HalfClose halfClose,
                                          TaskScope& scope) {
  std::shared_ptr<Channels> self(new Channels(scope.executor(), std::move(connection), count, halfClose));
  scope.spawn("WebSocket reader", [self] { return readLoop(self); });
  scope.spawn("WebSocket watch", [self] { return watchPeer(self); });
  return self;
}

std::unique_ptr<ByteStream> Channels::stream(std::uint8_t number) {
  return std::make_unique<Channel>(connection_, inboxes_.at(number), number);
}

void Channels::ignoreInput(std::uint8_t number) { inboxes_.at(number)->drop(); }

Task<void> Channels::readLoop(std::shared_ptr<Channels> self) {
  for (;;) {
    co_await self->budget_->waitForRoom();
    const auto piece = co_await self->connection_->read();
    if (!piece) break;
    self->onPiece(*piece);
  }
  for (const auto& inbox : self->inboxes_) inbox->fail("the client has left");
}

// A full budget means that nobody reads the connection; the client may leave without anyone noticing.
Task<void> Channels::watchPeer(std::shared_ptr<Channels> self) {
  asio::steady_timer timer(self->executor_);
  while (!self->over()) {
    timer.expires_after(kLookForPeer);
    co_await timer.async_wait(asio::use_awaitable);
    if (self->budget_->spent() && self->connection_->peerClosed()) self->connection_->cut();
  }
  for (const auto& inbox : self->inboxes_) inbox->fail("the client has left");
}

void Channels::onPiece(const Piece& piece) {
  std::string_view data = piece.data;
  if (piece.first) current_ = -1;
  if (current_ < 0 && !data.empty()) {
    current_ = static_cast<std::uint8_t>(data[0]);
    data.remove_prefix(1);
  }
  if (current_ >= 0 && static_cast<std::size_t>(current_) < inboxes_.size()) {
    inboxes_[static_cast<std::size_t>(current_)]->push(data);
  } else if (current_ == kCloseChannel && halfClose_ == HalfClose::Yes && !data.empty()) {
    const auto ended = static_cast<std::uint8_t>(data[0]);
    if (ended < inboxes_.size()) inboxes_[ended]->end();
  }
}

}  // namespace slipway::net::websocket
