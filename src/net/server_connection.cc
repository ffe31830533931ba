#include "net/server_connection.h"

#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include "base/log.h"
#include "net/h2/server_session.h"

namespace slipway::net {
namespace asio = boost::asio;
namespace {

constexpr std::size_t kReadChunk = 32 << 10;
constexpr std::chrono::milliseconds kLinger{3000};

// A body whose beginning has been read already.
class PrefixedBody final : public BodyReader {
 public:
  PrefixedBody(std::string first, std::unique_ptr<BodyReader> rest) : first_(std::move(first)), rest_(std::move(rest)) {}
  Task<Result<std::string>> read() override {
    if (!first_.empty()) co_return std::exchange(first_, {});
    auto chunk = co_await rest_->read();
    co_return chunk;
  }

 private:
  std::string first_;
  std::unique_ptr<BodyReader> rest_;
};

std::unique_ptr<BodyReader> withPrefix(std::string first, std::unique_ptr<BodyReader> rest) {
  return std::make_unique<PrefixedBody>(std::move(first), std::move(rest));
}

bool isAbort(const boost::system::system_error& e) { return e.code() == asio::error::operation_aborted; }

}  // namespace

Error ServerConnection::tooLarge(std::uint64_t limit) {
  return {Code::TooLarge, "request body is larger than the limit of " + std::to_string(limit) + " bytes", ""};
}

// Marks that somebody is inside a read of the request body; a reader that is cancelled half way leaves it too.
class ServerConnection::ReadingBody {
 public:
  explicit ReadingBody(ServerConnection& connection) : connection_(connection) { connection_.bodyReading_ = true; }
  ~ReadingBody() {
    connection_.bodyReading_ = false;
    connection_.readDeadline_ = 0;
    if (connection_.bodyReadEnded_) connection_.bodyReadEnded_->cancel();
  }
  ReadingBody(const ReadingBody&) = delete;
  ReadingBody& operator=(const ReadingBody&) = delete;

 private:
  ServerConnection& connection_;
};

// The streamed body of one request. It may outlive the request: it then says that the request is over.
class ServerBody final : public BodyReader {
 public:
  ServerBody(std::shared_ptr<ServerConnection> connection, std::uint64_t generation)
      : connection_(std::move(connection)), generation_(generation) {}
  Task<Result<std::string>> read() override {
    const auto connection = connection_;
    auto chunk = co_await connection->readBodyChunk(generation_);
    co_return chunk;
  }

 private:
  std::shared_ptr<ServerConnection> connection_;
  std::uint64_t generation_;
};

ServerConnection::ServerConnection(std::shared_ptr<ServerCore> core, std::unique_ptr<ByteStream> stream, Peer peer)
    : core_(std::move(core)),
      stream_(std::move(stream)),
      peer_(std::move(peer)),
      in_(std::max(core_->options.maxHeaderBytes, kReadChunk)),
      parser_(core_->options.maxHeaderBytes) {
  request_.peer = peer_;
}

Task<void> ServerConnection::run() {
  try {
    co_await loop();
  } catch (const boost::system::system_error& e) {
    if (!isAbort(e)) logError("http: connection from {}: {}", peer_.address, e.what());
  } catch (const std::exception& e) {
    logError("http: connection from {}: {}", peer_.address, e.what());
  }
  ++generation_;
  readDeadline_ = writeDeadline_ = 0;
  handling_ = false;
  if (stream_) stream_->close();
}

bool ServerConnection::onTick() {
  if (http2_) http2_->tick();
  if (!stream_) return false;
  if (readDeadline_ != 0 && core_->tick >= readDeadline_) {
    if (phase_ == Phase::Head) {
      stream_->tryWrite("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    }
    readDeadline_ = 0;
    stream_->close();
    return false;
  }
  if (writeDeadline_ != 0 && core_->tick >= writeDeadline_) {
    writeDeadline_ = 0;
    stream_->close();
    return handling_;
  }
  return askPeer() && stream_->peerClosed();
}

// Whether it is time to ask the kernel if the client of a running handler has left. Of ten thousand idle watches only a
// tenth is asked in each tick: a stream that has sent nothing for a second hears of it within a second.
bool ServerConnection::askPeer() const {
  if (!handling_ || bodyReading_) return false;  // a read of the body notices by itself
  constexpr std::uint64_t kTurns = 10;
  const std::uint64_t quiet = lastChunk_ == 0 ? 0 : core_->tick + 1 - lastChunk_;
  return quiet <= kTurns || quiet % kTurns == 0;
}

void ServerConnection::closeIfIdle() {
  if (http2_) http2_->drain();
  if (stream_ && phase_ == Phase::Idle) stream_->close();
}

void ServerConnection::abort() {
  aborted_ = true;
  if (http2_) return http2_->abort();  // its run() ends by itself, when its handlers have
  if (stream_) stream_->close();
  signal_.emit(asio::cancellation_type::terminal);
}

// Whether the first bytes of this connection are HTTP/2's preface (RFC 9113 §3.4). Waits for as many as it takes to tell: of
// HTTP/1.1 requests, mostly one read and one comparison.
Task<bool> ServerConnection::beginsHttp2() {
  for (;;) {
    const auto bytes = in_.view();
    const auto n = std::min(bytes.size(), h2::kPreface.size());
    if (bytes.substr(0, n) != h2::kPreface.substr(0, n)) co_return false;
    if (n == h2::kPreface.size()) co_return true;
    const bool more = co_await readMore();
    if (!more) co_return false;
  }
}

Task<void> ServerConnection::runHttp2() {
  readDeadline_ = 0;
  auto executor = co_await asio::this_coro::executor;
  http2_ = std::make_shared<h2::ServerSession>(core_, executor, std::move(stream_), peer_);
  std::string first(in_.view());
  in_ = ReadBuffer(0);
  if (core_->draining) http2_->drain();
  co_await http2_->run(std::move(first));
}

Task<void> ServerConnection::loop() {
  if (core_->options.http2) {
    const bool http2 = co_await beginsHttp2();
    if (http2) {
      co_await runHttp2();
      co_return;
    }
  }
  for (;;) {
    auto progress = parser_.parseHead(in_.view(), request_);
    if (!progress) {
      co_await refuse(std::move(progress).error());
      co_return;
    }
    in_.consume(progress->consumed);
    if (!progress->complete) {
      const bool more = co_await readMore();
      if (!more) co_return;
      continue;
    }
    phase_ = Phase::Busy;
    readDeadline_ = 0;
    const auto& framing = parser_.framing();
    head_ = request_.method == "HEAD";
    minor_ = framing.minor;
    keepAlive_ = framing.keepAlive && !core_->draining;
    bool received = takeBufferedBody();
    if (!received) {
      const bool sent = co_await sendPending();
      if (!sent) co_return;
      received = co_await receiveBody();
    }
    if (!received) co_return;
    if (answerInline()) {
      if (out_.size() >= kMaxPendingOut || !keepAlive_) {
        auto flushed = co_await flush();
        if (!flushed || !keepAlive_) co_return;
      }
    } else {
      const bool sent = co_await sendPending();
      if (!sent) co_return;
      const bool goOn = co_await answer();
      if (!goOn) co_return;
    }
    nextRequest();
  }
}

void ServerConnection::nextRequest() {
  parser_.reset();
  request_.headers.clear();
  if (request_.body.streaming())
    request_.body = Body();
  else
    request_.body.mutableBytes().clear();
  if (request_.body.bytes().capacity() > kMaxPendingOut) request_.body = Body();
  ++generation_;
  phase_ = in_.size() > 0 ? Phase::Head : Phase::Idle;
  readDeadline_ = lastChunk_ = 0;
}

// Sends the answers gathered for pipelined requests: nobody may wait for anything while they lie here. False when the
// connection is over.
Task<bool> ServerConnection::sendPending() {
  if (out_.empty()) co_return true;
  auto flushed = co_await flush();
  co_return flushed.has_value();
}

// Waits for more of a request head. False when the connection is over.
Task<bool> ServerConnection::readMore() {
  if (!out_.empty()) {  // without a coroutine in the usual case
    const auto sent = stream_->tryWrite(out_);
    if (sent == out_.size()) {
      out_.clear();
    } else {
      out_.erase(0, sent);
      const bool rest = co_await sendPending();
      if (!rest) co_return false;
    }
  }
  const bool started = in_.size() > 0;
  if (started && phase_ == Phase::Idle) phase_ = Phase::Head, readDeadline_ = 0;
  if (core_->draining && !started) co_return false;
  const auto space = in_.space();
  if (space.empty()) {
    co_await refuse(
        {Code::TooLarge,
         "request header is larger than the limit of " + std::to_string(core_->options.maxHeaderBytes) + " bytes", ""});
    co_return false;
  }
  if (readDeadline_ == 0)
    readDeadline_ = in(phase_ == Phase::Head ? core_->options.headTimeout : core_->options.idleTimeout);
  const auto n = co_await stream_->read(space);
  if (!n || *n == 0) co_return false;
  in_.commit(*n);
  co_return true;
}

// True when the whole body is in the buffer already (or there is none): the usual case, without a coroutine.
bool ServerConnection::takeBufferedBody() {
  const auto& framing = parser_.framing();
  bodySeen_ = 0;
  bodyDone_ = bodyTooLarge_ = false;
  continuePending_ = framing.expectContinue;
  bodyLeft_ = framing.length.value_or(0);
  if (framing.chunked) return false;
  if (bodyLeft_ > in_.size() || bodyLeft_ > core_->options.maxBodyBytes) return false;
  if (bodyLeft_ > 0) {
    request_.body.mutableBytes().assign(in_.view().substr(0, bodyLeft_));
    in_.consume(bodyLeft_);
    bodyLeft_ = 0;
  }
  bodyDone_ = true;
  continuePending_ = false;
  return true;
}

// Gathers a small body, or leaves a stream in the request. False when the request was refused.
Task<bool> ServerConnection::receiveBody() {
  const auto& options = core_->options;
  if (bodyLeft_ > options.maxBodyBytes) {
    co_await refuse(tooLarge(options.maxBodyBytes));
    co_return false;
  }
  std::string gathered;
  const bool chunked = parser_.framing().chunked;
  if (chunked && in_.size() > 0) {
    auto progress = parser_.parseChunks(in_.view(), gathered);
    if (!progress) {
      co_await refuse(std::move(progress).error());
      co_return false;
    }
    in_.consume(progress->consumed);
    bodySeen_ = gathered.size();
    bodyDone_ = progress->complete;
    if (bodySeen_ > options.maxBodyBytes) {
      co_await refuse(tooLarge(options.maxBodyBytes));
      co_return false;
    }
  }
  if (!chunked && bodyLeft_ <= options.bufferBodyBytes) {
    auto whole = co_await gatherBody();
    if (!whole) {
      co_await refuse(std::move(whole).error());
      co_return false;
    }
    gathered = std::move(*whole);
  }
  const bool gatherChunks = chunked && options.bufferChunked && options.bufferBodyBytes > 0;
  while (gatherChunks && !bodyDone_ && gathered.size() <= options.bufferBodyBytes) {
    auto chunk = co_await readBodyChunk(generation_);
    if (!chunk) {
      co_await refuse(std::move(chunk).error());
      co_return false;
    }
    if (gathered.empty())
      gathered = std::move(*chunk);
    else
      gathered += *chunk;
  }
  if (bodyDone_) {
    request_.body = Body(std::move(gathered));
    co_return true;
  }
  auto stream = std::make_unique<ServerBody>(shared_from_this(), generation_);
  request_.body = gathered.empty() ? Body(std::move(stream), parser_.framing().length)
                                   : Body(withPrefix(std::move(gathered), std::move(stream)), parser_.framing().length);
  co_return true;
}

// A whole body of known length, read straight into its place. The memory follows what has come, not what was announced.
Task<Result<std::string>> ServerConnection::gatherBody() {
  if (continuePending_) {
    auto sent = co_await sendContinue();
    if (!sent) co_return fail(std::move(sent).error());
  }
  std::string body(in_.view());
  in_.consume(body.size());
  std::size_t have = body.size();
  const std::size_t total = bodyLeft_;
  while (have < total) {
    if (have == body.size()) body.resize(std::min(total, std::max(2 * have, kReadChunk)));
    readDeadline_ = in(core_->options.stallTimeout);
    const auto n = co_await stream_->read(std::span<char>(body).subspan(have));
    readDeadline_ = 0;
    if (!n) co_return fail(n.error());
    if (*n == 0) co_return fail(Code::BadRequest, "the connection ended before the whole request body came");
    have += *n;
  }
  bodyLeft_ = 0;
  bodyDone_ = true;
  co_return body;
}

Task<Status> ServerConnection::sendContinue() {
  continuePending_ = false;
  auto written = co_await stream_->write("HTTP/1.1 100 Continue\r\n\r\n");
  co_return written;
}

Task<Result<std::string>> ServerConnection::readBodyChunk(std::uint64_t generation) {
  if (generation != generation_ || !stream_) co_return fail(Code::Unavailable, "the request is over; its body is gone");
  if (bodyDone_) co_return std::string();
  if (continuePending_) {
    auto sent = co_await sendContinue();
    if (!sent) co_return fail(std::move(sent).error());
  }
  const ReadingBody reading(*this);
  readDeadline_ = in(core_->options.stallTimeout);
  Result<std::string> chunk;
  if (parser_.framing().chunked) {
    chunk = co_await readChunked();
  } else if (in_.size() > 0) {
    const auto n = std::min<std::uint64_t>(bodyLeft_, in_.size());
    chunk = std::string(in_.view().substr(0, n));
    in_.consume(n);
  } else {
    std::string bytes(std::min<std::uint64_t>(bodyLeft_, kReadChunk), '\0');
    const auto n = co_await stream_->read(bytes);
    if (!n)
      chunk = fail(n.error());
    else if (*n == 0)
      chunk = fail(Code::BadRequest, "the connection ended before the whole request body came");
    else
      bytes.resize(*n), chunk = std::move(bytes);
  }
  if (!chunk) co_return chunk;
  bodySeen_ += chunk->size();
  if (!parser_.framing().chunked) {
    bodyLeft_ -= chunk->size();
    bodyDone_ = bodyLeft_ == 0;
  } else if (bodySeen_ > core_->options.maxBodyBytes) {
    bodyTooLarge_ = true;
    co_return fail(tooLarge(core_->options.maxBodyBytes));
  }
  co_return chunk;
}

Task<Result<std::string>> ServerConnection::readChunked() {
  std::string out;
  for (;;) {
    auto progress = parser_.parseChunks(in_.view(), out);
    if (!progress) co_return fail(std::move(progress).error());
    in_.consume(progress->consumed);
    if (progress->complete) bodyDone_ = true;
    if (bodyDone_ || !out.empty()) co_return out;
    const auto space = in_.space();
    if (space.empty()) co_return fail(Code::BadRequest, "malformed HTTP message: chunk header too long");
    const auto n = co_await stream_->read(space);
    if (!n) co_return fail(n.error());
    if (*n == 0) co_return fail(Code::BadRequest, "the connection ended before the whole request body came");
    in_.commit(*n);
  }
}

// The fast path. True when the answer is in out_; a large one is left to answer().
bool ServerConnection::answerInline() {
  if (!core_->options.inlineHandler || request_.body.streaming()) return false;
  inlineResponse_.status = 200;
  inlineResponse_.headers.clear();
  if (inlineResponse_.body.streaming()) inlineResponse_.body = Body();
  inlineResponse_.body.mutableBytes().clear();
  try {
    if (!core_->options.inlineHandler(request_, inlineResponse_)) return false;
  } catch (const std::exception& e) {
    logError("http: {} {}: {}", request_.method, request_.target, e.what());
    inlineResponse_ = Response::text(500, "internal error\n");
  }
  const h1::ResponseContext context{head_, keepAlive_, minor_, core_->options.serverHeader, h1::httpDate()};
  const auto mode = h1::appendResponseHead(out_, inlineResponse_, context);
  if (mode != h1::BodyMode::None) out_ += inlineResponse_.body.bytes();
  if (inlineResponse_.body.bytes().capacity() > kMaxPendingOut) inlineResponse_.body = Body();
  return true;
}

Task<bool> ServerConnection::answer() {
  handling_ = true;
  const std::string line = logEnabled(LogLevel::Debug) ? request_.method + " " + request_.target : std::string();
  Response response;
  try {
    response = co_await core_->handler(std::move(request_));
  } catch (const boost::system::system_error& e) {
    if (aborted_) throw;
    if (isAbort(e))
      response = Response::text(503, "the request was cancelled; the server is stopping\n");
    else
      response = Response::text(500, "internal error\n");
    if (!isAbort(e)) logError("http: request handler: {}", e.what());
  } catch (const std::exception& e) {
    logError("http: request handler: {}", e.what());
    response = Response::text(500, "internal error\n");
  }
  request_ = Request{};
  request_.peer = peer_;
  const bool goOn = co_await writeResponse(std::move(response));
  handling_ = false;
  co_return goOn;
}

// One clear line, then the connection ends: after a framing error nothing that follows can be trusted.
Task<void> ServerConnection::refuse(Error error) {
  if (error.code == Code::Unavailable || error.code == Code::Cancelled) co_return;
  int status = httpStatus(error.code);
  if (error.code == Code::TooLarge && phase_ != Phase::Busy) status = 431;
  logDebug("http: {} from {}: {}", status, peer_.address, error.message);
  phase_ = Phase::Busy;
  const auto response = Response::text(status, error.message + "\n");
  h1::appendResponseHead(out_, response, {false, false, 1, core_->options.serverHeader, h1::httpDate()});
  auto written = co_await flushWith(response.body.bytes());
  if (written) {
    co_await linger();
  }
}

// Reads on for a while after a last answer: closing with unread bytes would reset the connection and could destroy the
// answer before the client has read it.
Task<void> ServerConnection::linger() {
  handling_ = false;
  phase_ = Phase::Linger;
  ++generation_;  // whoever still reads the body gets no further
  stream_->shutdownWrite();
  if (bodyReading_) {
    co_await endOfBodyRead();
  }
  readDeadline_ = in(kLinger);
  std::string waste(kReadChunk, '\0');
  for (;;) {
    const auto n = co_await stream_->read(waste);
    if (!n || *n == 0) co_return;
  }
}

// Waits for the read of the body that is under way, whose reader may be slow to notice that it was cancelled.
Task<void> ServerConnection::endOfBodyRead() {
  readDeadline_ = in(kLinger);  // closes the stream, which ends the read
  bodyReadEnded_.emplace(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
  while (bodyReading_) {
    boost::system::error_code ignored;
    co_await bodyReadEnded_->async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  bodyReadEnded_.reset();
}

}  // namespace slipway::net
