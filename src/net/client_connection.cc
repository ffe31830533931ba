#include "net/client_connection.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>

#include "base/log.h"

namespace slipway::net {
namespace asio = boost::asio;
namespace {

constexpr std::size_t kReadChunk = 32 << 10;
constexpr std::size_t kCoalesce = 16 << 10;

// The streamed body of a response. Dropping it before its end closes the connection.
class ClientBody final : public BodyReader {
 public:
  ClientBody(ClientConnectionPtr connection, std::string first)
      : connection_(std::move(connection)), first_(std::move(first)) {}
  ~ClientBody() override {
    if (connection_) connection_->giveBack();
  }
  Task<Result<std::string>> read() override {
    if (!first_.empty()) co_return std::exchange(first_, {});
    if (!connection_) co_return std::string();
    const auto connection = connection_;
    auto chunk = co_await connection->readBodyChunk();
    if (!chunk || connection->released) connection_ = nullptr;  // it may carry another request by now
    co_return chunk;
  }

 private:
  ClientConnectionPtr connection_;
  std::string first_;
};

}  // namespace

void ClientPool::wakeOne() {
  if (waiters.empty()) return;
  const auto waiter = std::move(waiters.front());
  waiters.pop_front();
  waiter->cancel();
}

ClientConnection::ClientConnection(std::shared_ptr<ClientPool> p, std::unique_ptr<ByteStream> s, std::size_t maxHeaderBytes)
    : pool(std::move(p)), stream(std::move(s)), in(std::max(maxHeaderBytes, kReadChunk)), parser(maxHeaderBytes) {
  ++pool->open;
}

ClientConnection::~ClientConnection() {
  std::erase(pool->active, this);
  --pool->open;
  pool->wakeOne();
}

void ClientConnection::onTick() {
  if (deadline_ == 0 || pool->tick < deadline_) return;
  deadline_ = 0;
  timedOut_ = true;
  stream->close();
}

Task<Result<Response>> ClientConnection::exchange(Request* request, std::uint64_t headTicks) {
  if (headTicks != 0) {
    deadline_ = pool->tick + headTicks;
    pool->active.push_back(this);
  }
  gotByte = released = timedOut_ = broken_ = bodyDone_ = false;
  parser.reset();
  const bool noBody = request->method == "HEAD";
  auto written = co_await writeRequest(request);
  // A server may answer and close before it has read everything: look for that answer even after a failed write.
  Result<Response> response = fail(Code::Unavailable, "");
  if (written || written.error().code == Code::Unavailable) {
    response = co_await readHead(noBody);
  } else {
    response = fail(std::move(written).error());
  }
  deadline_ = 0;
  std::erase(pool->active, this);
  if (!response && timedOut_) {
    co_return fail(Code::Timeout, "no answer from " + pool->where + " within " +
                                      std::to_string(headTicks * kTick.count() - kTick.count()) + " ms");
  }
  co_return response;
}

Task<Status> ClientConnection::writeRequest(Request* request) {
  out.clear();
  const auto mode = h1::appendRequestHead(out, *request, pool->hostHeader);
  const bool streaming = request->body.streaming();
  std::string_view tail = streaming ? std::string_view() : std::string_view(request->body.bytes());
  if (tail.size() <= kCoalesce) {
    out += tail;
    tail = {};
  }
  const auto sent = tail.empty() ? stream->tryWrite(out) : 0;
  if (sent < out.size() || !tail.empty()) {
    const std::array<std::string_view, 2> parts{std::string_view(out).substr(sent), tail};
    auto written = co_await stream->writev(parts);
    if (!written) co_return written;
  }
  if (streaming) {
    auto executor = co_await asio::this_coro::executor;
    pumping_ = true;
    auto self = shared_from_this();
    const bool chunked = mode == h1::BodyMode::Chunked;
    // The pump reads the caller's body while the response is awaited; cancelling it must not throw into anybody.
    asio::co_spawn(executor, pump(self, std::move(request->body), chunked),
                   asio::bind_cancellation_slot(pumpSignal_.slot(), [self](std::exception_ptr error) {
                     self->pumping_ = false;
                     if (error) self->broken_ = true;
                   }));
  }
  co_return Status{};
}

Task<void> ClientConnection::pump(ClientConnectionPtr self, Body body, bool chunked) {
  for (;;) {
    auto chunk = co_await body.read();
    if (!chunk) {  // our caller's body broke: the origin must see that it is incomplete
      self->broken_ = true;
      self->stream->close();
      co_return;
    }
    const bool last = chunk->empty();
    Status written;
    if (chunked) {
      const std::string size = h1::chunkHeader(chunk->size());
      const std::array<std::string_view, 3> parts{size, *chunk, "\r\n"};
      if (last) {
        written = co_await self->stream->write(h1::kLastChunk);
      } else {
        written = co_await self->stream->writev(parts);
      }
    } else if (!last) {
      written = co_await self->stream->write(*chunk);
    }
    if (!written) self->broken_ = true;
    if (last || !written) co_return;
  }
}

Task<Result<Response>> ClientConnection::readHead(bool noBody) {
  Response response;
  if (noBody) parser.expectNoBody();
  for (;;) {
    auto progress = parser.parseHead(in.view(), response);
    if (!progress)
      co_return fail(Code::BadGateway, pool->where + " sent no valid HTTP response: " + progress.error().message);
    in.consume(progress->consumed);
    if (progress->complete) {
      if (response.status >= 200 || response.status == 101) break;
      response = Response{};  // 100 Continue, 103 Early Hints
      parser.reset();
      if (noBody) parser.expectNoBody();
      continue;
    }
    const auto space = in.space();
    if (space.empty()) co_return fail(Code::BadGateway, pool->where + " sent a response header larger than the limit");
    const auto n = co_await stream->read(space);
    if (!n) co_return fail(n.error().code, "connection to " + pool->where + ": " + n.error().message);
    if (*n == 0 && gotByte)
      co_return fail(Code::BadGateway, pool->where + " closed the connection within a response header");
    if (*n == 0) co_return fail(Code::Unavailable, pool->where + " closed the connection before a response");
    gotByte = true;
    in.commit(*n);
  }
  // The stream cannot be handed over while the rest of the request is still being written to it.
  if (response.status == 101 && pumping_)
    co_return fail(Code::BadGateway, pool->where + " switched protocols before the request body ended");
  co_return finishHead(std::move(response));
}

Response ClientConnection::finishHead(Response response) {
  const auto& framing = parser.framing();
  if (response.status == 101) {
    bodyDone_ = true;
    response.upgraded = in.size() > 0 ? prefixed(std::string(in.view()), std::move(stream)) : std::move(stream);
    return response;
  }
  bodyLeft_ = framing.length.value_or(0);
  std::string first;
  if (framing.chunked) {
    if (in.size() > 0) {
      auto progress = parser.parseChunks(in.view(), first);
      if (progress) {
        in.consume(progress->consumed);
        bodyDone_ = progress->complete;
      } else {
        broken_ = true;
      }
    }
  } else if (!framing.untilClose && bodyLeft_ <= in.size()) {
    first = std::string(in.view().substr(0, bodyLeft_));
    in.consume(bodyLeft_);
    bodyLeft_ = 0;
    bodyDone_ = true;
  }
  if (bodyDone_) {
    response.body = Body(std::move(first));
    giveBack();
  } else {
    response.body = Body(std::make_unique<ClientBody>(shared_from_this(), std::move(first)), framing.length);
  }
  return response;
}

Task<Result<std::string>> ClientConnection::readBodyChunk() {
  const auto& framing = parser.framing();
  const auto broken = [this](std::string what) {
    stream->close();
    return fail(Code::BadGateway, pool->where + ": " + what);
  };
  std::string chunk;
  while (!bodyDone_ && chunk.empty()) {
    if (!framing.chunked && in.size() > 0) {
      const auto n = framing.untilClose ? in.size() : std::min<std::uint64_t>(bodyLeft_, in.size());
      chunk.assign(in.view().substr(0, n));
      in.consume(n);
    } else if (framing.chunked && in.size() > 0) {
      auto progress = parser.parseChunks(in.view(), chunk);
      if (!progress) co_return broken(progress.error().message);
      in.consume(progress->consumed);
      bodyDone_ = progress->complete;
      if (!chunk.empty() || bodyDone_) break;
    }
    if (chunk.empty() && framing.chunked) {
      const auto space = in.space();
      if (space.empty()) co_return broken("chunk header too long");
      const auto n = co_await stream->read(space);
      if (!n) co_return broken(n.error().message);
      if (*n == 0) co_return broken("connection closed within the response body");
      in.commit(*n);
    } else if (chunk.empty()) {
      chunk.resize(framing.untilClose ? kReadChunk : std::min<std::uint64_t>(bodyLeft_, kReadChunk));
      const auto n = co_await stream->read(chunk);
      if (!n) co_return broken(n.error().message);
      chunk.resize(*n);
      if (*n == 0 && !framing.untilClose) co_return broken("connection closed within the response body");
      if (*n == 0) bodyDone_ = true;
    }
    if (!framing.chunked && !framing.untilClose) {
      bodyLeft_ -= chunk.size();
      bodyDone_ = bodyLeft_ == 0;
    }
  }
  if (bodyDone_) giveBack();
  co_return chunk;
}

void ClientConnection::giveBack() {
  if (!stream || released) return;
  released = true;
  const bool reusable =
      bodyDone_ && !pumping_ && !broken_ && !timedOut_ && parser.framing().keepAlive && in.size() == 0 && !pool->closing;
  if (reusable && pool->idle.size() < pool->maxIdle) {
    idleSince = pool->tick;
    pool->idle.push_back(shared_from_this());
    pool->wakeOne();
    return;
  }
  stream->close();
  if (pumping_) pumpSignal_.emit(asio::cancellation_type::terminal);
}

}  // namespace slipway::net
