#include "net/spdy/session.h"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstring>

#include "base/log.h"

namespace slipway::net::spdy {
namespace asio = boost::asio;
namespace {

constexpr auto kLookForPeer = std::chrono::seconds(1);
constexpr std::size_t kReadBuffer = kMaxControl;  // holds the largest frame that must be whole

}  // namespace

struct Stream::State {
  State(Executor executor, std::uint32_t streamId, std::shared_ptr<InboxBudget> budget, std::weak_ptr<Session> owner)
      : inbox(std::move(executor), std::move(budget)), id(streamId), session(std::move(owner)) {}
  Inbox inbox;
  std::uint32_t id;
  std::weak_ptr<Session> session;
  bool finSent = false;      // we write no more
  bool finReceived = false;  // the client writes no more
  bool reset = false;        // by either side: nothing more goes either way
};

Stream::Stream(std::uint32_t id, HeaderList headers, std::shared_ptr<State> state)
    : id_(id), headers_(std::move(headers)), state_(std::move(state)) {}
Stream::~Stream() { Stream::close(); }

std::string_view Stream::header(std::string_view name) const {
  for (const auto& [key, value] : headers_) {
    if (key == name) return value;
  }
  return {};
}

Task<Result<std::size_t>> Stream::read(std::span<char> into) {
  const auto state = state_;
  auto n = co_await state->inbox.read(into);
  co_return n;
}

Task<Status> Stream::write(std::string_view bytes) {
  const auto state = state_;
  while (!bytes.empty()) {
    const auto session = state->session.lock();
    if (!session || session->over_) co_return fail(Code::Unavailable, "the connection is gone");
    if (state->reset || state->finSent) co_return fail(Code::Unavailable, "the client has closed this stream");
    auto room = co_await session->out_.room();
    if (!room) co_return room;
    if (state->reset || state->finSent) continue;
    const std::string_view piece = bytes.substr(0, kMaxData);
    Encoder::data(session->out_.buffer(), state->id, piece, false);
    session->out_.send();
    bytes.remove_prefix(piece.size());
  }
  co_return Status{};
}

void Stream::shutdownWrite() {
  const auto session = state_->session.lock();
  if (state_->finSent || state_->reset || !session || session->over_) return;
  state_->finSent = true;
  Encoder::data(session->out_.buffer(), state_->id, {}, true);
  session->out_.send();
  session->settle(state_->id);
}

void Stream::close() {
  state_->inbox.drop();
  if (state_->reset || (state_->finSent && state_->finReceived)) return;
  state_->reset = true;
  const auto session = state_->session.lock();
  if (!session || session->over_) return;
  Encoder::reset(session->out_.buffer(), state_->id, StreamError::Cancel);
  session->out_.send();
  session->settle(state_->id);
}

void Stream::ignoreInput() { state_->inbox.drop(); }

bool Stream::peerClosed() {
  const auto session = state_->session.lock();
  return state_->reset || !session || session->over_;
}

Session::Session(Executor executor, std::unique_ptr<ByteStream> connection, SessionLimits limits)
    : connection_(std::move(connection)),
      executor_(executor),
      limits_(limits),
      out_(executor, *connection_),
      budget_(std::make_shared<InboxBudget>(executor, limits.maxInbound)),
      changed_(executor) {}

Session::~Session() = default;

std::shared_ptr<Session> Session::start(std::unique_ptr<ByteStream> connection, TaskScope& scope, SessionLimits limits) {
  std::shared_ptr<Session> self(new Session(scope.executor(), std::move(connection), limits));
  scope.spawn("SPDY reader", [self] { return readLoop(self); });
  scope.spawn("SPDY writer", [self] { return writeLoop(self); });
  scope.spawn("SPDY watch", [self] { return watchPeer(self); });
  return self;
}

Task<void> Session::readLoop(std::shared_ptr<Session> self) {
  std::string in(kReadBuffer, '\0');
  std::size_t have = 0;
  for (;;) {
    co_await self->budget_->waitForRoom();
    const auto n = co_await self->connection_->read(std::span<char>(in).subspan(have));
    if (!n || *n == 0) break;
    have += *n;
    std::string_view bytes(in.data(), have);
    for (bool more = true; more;) {
      auto frame = self->decoder_.next(&bytes);
      if (!frame) {
        logDebug("{}", frame.error().message);
        self->breakOff(StreamError::Protocol);
        co_return;
      }
      more = frame->has_value();
      if (more && !self->onFrame(std::move(**frame))) co_return;
    }
    have = bytes.size();
    std::memmove(in.data(), bytes.data(), have);
    if (self->over_) co_return;
    if (self->out_.failed()) break;  // it asks and asks, and never reads
  }
  self->end("the client has left");
}

Task<void> Session::writeLoop(std::shared_ptr<Session> self) {
  co_await self->out_.run();
  if (self->out_.failed()) self->end("the client has left");
}

// A full budget means that nobody reads the connection; the client may leave without anyone noticing.
Task<void> Session::watchPeer(std::shared_ptr<Session> self) {
  asio::steady_timer timer(self->executor_);
  while (!self->over_) {
    timer.expires_after(kLookForPeer);
    co_await timer.async_wait(asio::use_awaitable);
    if (self->budget_->spent() && self->connection_->peerClosed()) self->end("the client has left");
  }
}

bool Session::onFrame(Frame frame) {
  switch (frame.type) {
    case FrameType::Ping:
      if (frame.value % 2 == 0) return true;  // an answer to a ping of ours: we send none
      Encoder::ping(out_.buffer(), frame.value);
      out_.send();
      return true;
    case FrameType::GoAway: return true;  // the client opens no more; it closes the connection when it is done
    case FrameType::SynStream: {
      if (frame.stream % 2 == 0 || frame.stream <= lastStream_) return breakOff(StreamError::Protocol);
      onSynStream(std::move(frame));
      return true;
    }
    default: break;
  }
  const auto found = streams_.find(frame.stream);
  if (found == streams_.end()) return true;  // finished or refused: what was on its way is dropped
  const auto state = found->second;
  if (frame.type == FrameType::RstStream) {
    state->reset = true;
    state->inbox.fail("the client has closed this stream");
    streams_.erase(found);
  } else if (frame.type == FrameType::Data || frame.type == FrameType::Headers) {
    if (!state->finReceived) state->inbox.push(frame.data);
    if (frame.fin) {
      state->finReceived = true;
      state->inbox.end();
      settle(state->id);
    }
  }
  return true;
}

void Session::onSynStream(Frame frame) {
  lastStream_ = frame.stream;
  if (streams_.size() >= limits_.maxStreams) {
    Encoder::reset(out_.buffer(), frame.stream, StreamError::Refused);
    out_.send();
    return;
  }
  auto state = std::make_shared<Stream::State>(executor_, frame.stream, budget_, weak_from_this());
  if (frame.fin) {
    state->finReceived = true;
    state->inbox.end();
  }
  streams_[frame.stream] = state;
  encoder_.synReply(out_.buffer(), frame.stream, {});
  out_.send();
  opened_.emplace_back(new Stream(frame.stream, std::move(frame.headers), std::move(state)));
  changed_.notifyAll();
}

void Session::settle(std::uint32_t id) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  const auto& state = *found->second;
  if (state.reset || (state.finSent && state.finReceived)) streams_.erase(found);
}

bool Session::breakOff(StreamError why) {
  Encoder::goAway(out_.buffer(), lastStream_, static_cast<std::uint32_t>(why));
  out_.send();
  out_.finish();
  end("the client broke the SPDY protocol");
  return false;
}

void Session::end(const std::string& why) {
  if (over_) return;
  over_ = true;
  for (const auto& [id, state] : streams_) {
    state->reset = true;
    state->inbox.fail(why);
  }
  streams_.clear();
  opened_.clear();
  out_.finish();
  changed_.notifyAll();
}

Task<std::unique_ptr<Stream>> Session::accept() {
  const auto self = shared_from_this();
  while (opened_.empty()) {
    if (over_) co_return nullptr;
    co_await changed_.wait();
  }
  auto stream = std::move(opened_.front());
  opened_.pop_front();
  co_return stream;
}

Task<void> Session::ended() {
  const auto self = shared_from_this();
  while (!over_) {
    co_await changed_.wait();
  }
}

Task<void> Session::close(std::chrono::milliseconds linger) {
  using namespace asio::experimental::awaitable_operators;
  const auto self = shared_from_this();
  if (!over_) {
    Encoder::goAway(out_.buffer(), lastStream_, 0);
    out_.send();
    asio::steady_timer timer(executor_, linger);
    boost::system::error_code ec;
    co_await (ended() || timer.async_wait(asio::redirect_error(asio::use_awaitable, ec)));
  }
  end("the session is closed");
  connection_->close();
}

}  // namespace slipway::net::spdy
