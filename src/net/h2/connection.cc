#include "net/h2/connection.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "base/log.h"

namespace slipway::net::h2 {
namespace asio = boost::asio;
namespace {

constexpr std::size_t kReadChunk = 64 << 10;
constexpr std::size_t kWriteChunk = 256 << 10;
constexpr std::size_t kMaxQueuedFrames = 500;  // answers to the peer's own frames; it is read no further until it takes them

}  // namespace

Connection::Connection(Executor executor, std::unique_ptr<ByteStream> stream, Side side, const Limits& limits, Pace pace)
    : executor_(std::move(executor)), stream_(std::move(stream)), session_(side, limits, *this), pace_(pace) {}

Task<void> Connection::readLoop(std::string first) {
  const auto self = shared_from_this();
  Error end{Code::Unavailable, "the connection was closed", ""};
  auto good = feed(first);
  first = std::string();
  const auto buffer = std::make_unique_for_overwrite<char[]>(kReadChunk);
  while (good && !closed_) {
    while (writing_ && session_.queuedFrames() > kMaxQueuedFrames && !closed_) {
      co_await drained_.sleep();
    }
    if (closed_) break;
    const auto n = co_await stream_->read({buffer.get(), kReadChunk});
    if (!n || *n == 0) {
      if (!n) end.message = "the connection broke: " + n.error().message;
      break;
    }
    good = feed({buffer.get(), *n});
  }
  if (!good) end = {Code::BadGateway, good.error().message, ""};
  feeding_ = true;  // whoever wakes up now has nothing to send
  session_.failAll(end);
  feeding_ = false;
  while (writing_ && !closed_) {  // the last words, a GOAWAY
    co_await drained_.sleep();
  }
  close();
}

Status Connection::feed(std::string_view bytes) {
  feeding_ = true;
  auto fed = session_.feed(bytes);
  if (fed) afterFeed();
  feeding_ = false;
  if (!fed) logDebug("{}", fed.error().message);
  flush();
  return fed;
}

void Connection::flush() {
  if (feeding_ || writing_ || closed_) return;
  // output() may end streams, whose owners may want to send more: they find feeding_ set, and the loop takes it along.
  feeding_ = true;
  for (;;) {
    session_.output(&out_, kWriteChunk);
    if (out_.empty()) break;
    const auto sent = stream_->tryWrite(out_);
    if (sent < out_.size()) {
      out_.erase(0, sent);
      feeding_ = false;
      return startWriter();
    }
    out_.clear();
  }
  feeding_ = false;
  if (session_.finished()) close();
}

void Connection::startWriter() {
  writing_ = true;
  asio::co_spawn(executor_, writeLoop(shared_from_this()), asio::detached);
}

Task<void> Connection::writeLoop(std::shared_ptr<Connection> self) {
  while (!self->out_.empty() && !self->closed_) {
    self->writeDeadline_ = self->tick_ + self->pace_.writeStall;
    auto written = co_await self->stream_->write(self->out_);
    self->writeDeadline_ = 0;
    if (!written) {
      self->close();
      break;
    }
    self->out_.clear();
    self->session_.output(&self->out_, kWriteChunk);
  }
  self->writing_ = false;
  if (self->out_.capacity() > 2 * kWriteChunk) self->out_.shrink_to_fit();
  self->drained_.wake();
  if (self->session_.finished()) self->close();
}

void Connection::close() {
  if (closed_) return;
  closed_ = true;
  stream_->close();
  drained_.wake();
}

void Connection::reset(const StreamPtr& stream, ErrorCode code) {
  session_.reset(stream, code);
  flush();
}

Task<Result<std::string>> Connection::readBody(StreamPtr stream) {
  const auto self = shared_from_this();
  while (stream->data.empty() && !stream->ended && !stream->failure) {
    co_await awaitChange(stream, pace_.stall);
  }
  if (stream->data.empty()) {
    if (stream->ended) co_return std::string();
    co_return fail(*stream->failure);
  }
  auto chunk = std::exchange(stream->data, {});
  session_.consume(stream);
  flush();
  co_return chunk;
}

Task<void> Connection::awaitChange(StreamPtr stream, std::uint64_t ticks) {
  if (ticks != 0) {
    stream->readDeadline = tick_ + ticks;
    waiting_.push_back(stream);
  }
  co_await stream->reader.sleep();
  stream->readDeadline = 0;
}

void Connection::watchRead(const StreamPtr& stream) {
  if (stream->readDeadline == 0) waiting_.push_back(stream);
  stream->readDeadline = tick_ + pace_.stall;
}

void Connection::watchWrite(const StreamPtr& stream) {
  stream->outSeen = stream->outAt;
  stream->writeDeadline = tick_ + pace_.writeStall;
  waiting_.push_back(stream);
}

Task<Status> Connection::writeBody(StreamPtr stream, std::string chunk) {
  const auto self = shared_from_this();
  if (stream->closed) co_return fail(stream->failure.value_or(Error{Code::Cancelled, "the stream is closed", ""}));
  stream->out = std::move(chunk);
  stream->outAt = 0;
  session_.resume(stream);
  flush();
  while (!stream->out.empty() && !stream->closed) {
    watchWrite(stream);
    co_await stream->writer.sleep();
    stream->writeDeadline = 0;
  }
  if (stream->closed && !stream->out.empty())
    co_return fail(stream->failure.value_or(Error{Code::Cancelled, "the stream was closed", ""}));
  co_return Status{};
}

void Connection::endBody(const StreamPtr& stream, const Headers* trailers) {
  stream->outEnded = true;
  if (trailers) stream->outTrailers = *trailers;
  session_.resume(stream);
  flush();
}

void Connection::onTick(std::uint64_t tick) {
  tick_ = tick;
  if (writeDeadline_ != 0 && tick >= writeDeadline_) return close();
  if (waiting_.empty()) return;
  const auto all = std::exchange(waiting_, {});
  for (const auto& stream : all) {
    if (stream->closed || (stream->readDeadline == 0 && stream->writeDeadline == 0)) continue;
    if (stream->outDone || stream->outAt != stream->outSeen) {  // a slow reader is no stall
      stream->outSeen = stream->outAt;
      stream->writeDeadline = stream->outDone ? 0 : tick + pace_.writeStall;
    }
    const bool late = (stream->readDeadline != 0 && tick >= stream->readDeadline) ||
                      (stream->writeDeadline != 0 && tick >= stream->writeDeadline);
    if (!late) {
      if (std::find(waiting_.begin(), waiting_.end(), stream) == waiting_.end()) waiting_.push_back(stream);
      continue;
    }
    stream->failure = Error{Code::Timeout, "the peer sent or took nothing of the body for too long", ""};
    reset(stream, ErrorCode::Cancel);
    stream->reader.wake();
    stream->writer.wake();
  }
}

StreamBody::~StreamBody() {
  if (resetOnDrop_ && !stream_->closed && !stream_->ended) connection_->reset(stream_, ErrorCode::Cancel);
  stream_->data = std::string();
}

Task<Result<std::string>> StreamBody::read() {
  if (beforeRead_) std::exchange(beforeRead_, nullptr)();
  const auto connection = connection_;
  auto chunk = co_await connection->readBody(stream_);
  co_return chunk;
}

}  // namespace slipway::net::h2
