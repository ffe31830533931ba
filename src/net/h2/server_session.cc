#include "net/h2/server_session.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>

#include "base/log.h"
#include "net/grpc/message.h"
#include "net/h1_writer.h"

namespace slipway::net::h2 {
namespace asio = boost::asio;
namespace {

Limits limitsOf(const ServerOptions& options) {
  return {options.maxHeaderBytes, options.maxStreams, options.streamWindow, options.connectionWindow};
}

Pace paceOf(const ServerOptions& options) { return {ticksIn(options.stallTimeout), ticksIn(options.streamStallTimeout)}; }

std::string tooLarge(std::uint64_t limit) {
  return "request body is larger than the limit of " + std::to_string(limit) + " bytes\n";
}

std::optional<std::uint64_t> contentLength(const Headers& headers) {
  const auto text = headers.get("content-length");
  if (!text) return std::nullopt;
  std::uint64_t n = 0;
  for (const char c : *text) {  // digits: nghttp2 has checked; it also holds the body to it
    if (n > (1ULL << 59)) break;
    n = n * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return n;
}

}  // namespace

// A streamed request body that says 413 when it grows too large, and what its handler did not read.
class LimitedBody final : public BodyReader {
 public:
  LimitedBody(std::unique_ptr<BodyReader> inner, std::uint64_t limit) : inner_(std::move(inner)), limit_(limit) {}
  Task<Result<std::string>> read() override {
    auto chunk = co_await inner_->read();
    if (chunk) seen_ += chunk->size();
    if (seen_ > limit_)
      co_return fail(Code::TooLarge, "request body is larger than the limit of " + std::to_string(limit_) + " bytes");
    co_return chunk;
  }
  const Headers* trailers() const override { return inner_->trailers(); }

 private:
  std::unique_ptr<BodyReader> inner_;
  std::uint64_t limit_, seen_ = 0;
};

ServerSession::ServerSession(std::shared_ptr<ServerCore> core, Executor executor, std::unique_ptr<ByteStream> stream,
                             Peer peer)
    : Connection(std::move(executor), std::move(stream), Side::Server, limitsOf(core->options), paceOf(core->options)),
      core_(std::move(core)),
      peer_(std::move(peer)) {
  idleSince_ = core_->tick;
  onTick(core_->tick);
}

Task<void> ServerSession::run(std::string first) {
  const auto self = shared_from_this();
  co_await readLoop(std::move(first));
  gathering_.clear();
  arrived_.clear();
  while (running_ > 0) {
    co_await handlerEnded_.sleep();
  }
}

void ServerSession::tick() {
  onTick(core_->tick);
  if (!open()) return;
  // A head that does not end is as good as nothing.
  const bool idle = running_ == 0 && session().begunStreams() == 0;
  if (!idle) idleSince_ = core_->tick;
  if (draining_ == 1) {  // a round trip after the notice: now name the last stream
    draining_ = 2;
    session().goAway(ErrorCode::None);
    flush();
  } else if (draining_ == 0 && core_->tick - idleSince_ > ticksIn(core_->options.idleTimeout)) {
    session().goAway(ErrorCode::None);
    flush();
    close();
  }
  if (draining_ == 2 && idle) close();
}

void ServerSession::drain() {
  if (draining_ != 0 || !open()) return;
  draining_ = 1;
  session().shutdownNotice();
  flush();
}

void ServerSession::abort() {
  std::vector<CallPtr> all;
  for (const auto& [id, call] : calls_) all.push_back(call);
  for (const auto& call : all) cancel(call);
  close();
}

void ServerSession::cancel(const CallPtr& call) {
  if (!call->running || call->cancelled) return;
  call->cancelled = true;
  call->signal.emit(asio::cancellation_type::terminal);
  asio::post(executor_, [call] {});  // after what Asio may have posted: keeps the signal until then
}

void ServerSession::onHead(const StreamPtr& stream) { arrived_.push_back(stream); }

void ServerSession::onBody(const StreamPtr& stream) {
  if (gathering_.contains(stream->id)) arrived_.push_back(stream);
}

void ServerSession::onEnd(const StreamPtr& stream) {
  if (gathering_.contains(stream->id)) arrived_.push_back(stream);
}

void ServerSession::onClosed(const StreamPtr& stream) {
  gathering_.erase(stream->id);
  const auto it = calls_.find(stream->id);
  if (it == calls_.end()) return;
  const auto call = it->second;
  calls_.erase(it);
  if (stream->failure) cancel(call);
}

void ServerSession::afterFeed() {
  const auto arrived = std::exchange(arrived_, {});
  for (const auto& stream : arrived) dispatch(stream);
}

// Decides what to do with a request whose head has come: answer at once, wait for its small body, or start the handler.
void ServerSession::dispatch(const StreamPtr& stream) {
  const auto& options = core_->options;
  if (stream->closed || stream->handled) return;
  if (stream->headTooLarge)
    return refuse(stream, 431,
                  "request header is larger than the limit of " + std::to_string(options.maxHeaderBytes) + " bytes\n");
  if (stream->method == "CONNECT") return refuse(stream, 501, "CONNECT is not supported over HTTP/2\n");
  const auto length = contentLength(stream->head);
  // A gRPC call may stream for ever; its messages have a limit of their own.
  const bool grpcCall = grpc::isGrpc(stream->head);
  if (!grpcCall && (length.value_or(0) > options.maxBodyBytes || stream->received > options.maxBodyBytes))
    return refuse(stream, 413, tooLarge(options.maxBodyBytes));
  if (stream->ended) {
    gathering_.erase(stream->id);
    stream->readDeadline = 0;
    stream->handled = true;
    auto request = requestOf(stream);
    if (!answerInline(stream, request)) spawn(stream, std::move(request));
    return;
  }
  // gRPC sends no length and may wait for us before it goes on.
  const bool small = length ? *length <= options.bufferBodyBytes
                            : options.bufferChunked && !grpcCall && stream->received <= options.bufferBodyBytes;
  if (small && options.bufferBodyBytes > 0 && !stream->head.has("expect")) {
    gathering_[stream->id] = stream;
    session().consume(stream);
    watchRead(stream);
    return;
  }
  gathering_.erase(stream->id);
  stream->readDeadline = 0;  // its reader has one of its own
  spawn(stream, requestOf(stream));
}

Request ServerSession::requestOf(const StreamPtr& stream) {
  Request request;
  request.method = std::move(stream->method);
  request.target = std::move(stream->target);
  request.version = "HTTP/2";
  request.headers = std::move(stream->head);
  request.peer = peer_;
  if (stream->ended) {
    session().consume(stream);
    request.body = Body(std::exchange(stream->data, {}));
    if (stream->trailers.size() > 0) request.body.setTrailers(std::move(stream->trailers));
    return request;
  }
  std::function<void()> beforeRead;
  if (request.headers.has("expect")) {
    beforeRead = [this, stream, keep = shared_from_this()] {
      if (stream->outDone || stream->outEnded) return;
      session().respondContinue(stream);
      flush();
    };
  }
  const auto length = contentLength(request.headers);
  std::unique_ptr<BodyReader> body = std::make_unique<StreamBody>(shared_from_this(), stream, std::move(beforeRead), false);
  if (!grpc::isGrpc(request.headers)) body = std::make_unique<LimitedBody>(std::move(body), core_->options.maxBodyBytes);
  request.body = Body(std::move(body), length);
  return request;
}

void ServerSession::addServerFields(Headers& headers) {
  if (!core_->options.serverHeader.empty() && !headers.has("server")) headers.add("server", core_->options.serverHeader);
  if (!headers.has("date")) headers.add("date", h1::httpDate());
}

bool ServerSession::answerInline(const StreamPtr& stream, Request& request) {
  if (!core_->options.inlineHandler) return false;
  inlineResponse_.status = 200;
  inlineResponse_.headers.clear();
  if (inlineResponse_.body.streaming()) inlineResponse_.body = Body();
  inlineResponse_.body.mutableBytes().clear();
  inlineResponse_.body.clearTrailers();
  try {
    if (!core_->options.inlineHandler(request, inlineResponse_)) return false;
  } catch (const std::exception& e) {
    logError("http: {} {}: {}", request.method, request.target, e.what());
    inlineResponse_ = Response::text(500, "internal error\n");
  }
  sendWhole(stream, inlineResponse_, request.method == "HEAD");
  return true;
}

void ServerSession::spawn(const StreamPtr& stream, Request request) {
  // Handlers of streams that were reset may take a while to end: they count, or resets would get around maxStreams.
  if (running_ >= 2 * std::size_t{core_->options.maxStreams}) {
    session().reset(stream, ErrorCode::EnhanceYourCalm);
    return;
  }
  stream->handled = true;
  auto call = std::make_shared<Call>();
  call->stream = stream;
  call->running = true;
  calls_[stream->id] = call;
  ++running_;
  auto self = std::static_pointer_cast<ServerSession>(shared_from_this());
  auto done = [self, call](std::exception_ptr) {
    call->running = false;
    --self->running_;
    const auto it = self->calls_.find(call->stream->id);
    if (it != self->calls_.end() && it->second == call) self->calls_.erase(it);
    // A handler that ended without an answer leaves a stream that nobody will ever answer.
    if (!call->stream->closed && !call->stream->outEnded && !call->stream->outDone)
      self->reset(call->stream, ErrorCode::Internal);
    self->handlerEnded_.wake();
  };
  asio::co_spawn(executor_, handle(self, call, std::move(request)),
                 asio::bind_cancellation_slot(call->signal.slot(), std::move(done)));
}

Task<void> ServerSession::handle(std::shared_ptr<ServerSession> self, CallPtr call, Request request) {
  const bool head = request.method == "HEAD";
  Response response;
  try {
    response = co_await self->core_->handler(std::move(request));
  } catch (const boost::system::system_error& e) {
    if (call->cancelled) throw;
    const bool aborted = e.code() == asio::error::operation_aborted;
    if (!aborted) logError("http: request handler: {}", e.what());
    response = aborted ? Response::text(503, "the request was cancelled; the server is stopping\n")
                       : Response::text(500, "internal error\n");
  } catch (const std::exception& e) {
    logError("http: request handler: {}", e.what());
    response = Response::text(500, "internal error\n");
  }
  co_await self->send(call->stream, std::move(response), head);
}

// True when nothing of the answer is left to be sent later.
bool ServerSession::sendWhole(const StreamPtr& stream, Response& response, bool head) {
  if (response.status == 101) response = Response::text(501, "upgrades are not supported over HTTP/2\n");
  addServerFields(response.headers);
  const bool bodyless = head || response.status == 204 || response.status == 304 || response.status < 200;
  if (!bodyless && response.body.streaming()) return false;
  if (bodyless) {
    if (head && !response.headers.has("content-length") && response.body.length())
      response.headers.add("content-length", std::to_string(*response.body.length()));
    session().respond(stream, response.status, response.headers, false);
  } else {
    const auto* trailers = response.body.trailers();
    if (!grpc::isGrpc(response.headers))
      response.headers.set("content-length", std::to_string(response.body.bytes().size()));
    else
      response.headers.remove("content-length");
    const bool withBody = !response.body.bytes().empty() || trailers != nullptr;
    if (trailers) stream->outTrailers = *trailers;
    stream->out = response.body.takeBytes();
    stream->outAt = 0;
    stream->outEnded = true;
    session().respond(stream, response.status, response.headers, withBody);
  }
  if (stream->outDone && !stream->ended) session().reset(stream, ErrorCode::None);  // queued behind the answer
  flush();
  if (!stream->outDone && !stream->closed) watchWrite(stream);
  return true;
}

Task<void> ServerSession::send(StreamPtr stream, Response response, bool head) {
  if (stream->closed) co_return;
  if (sendWhole(stream, response, head)) co_return;
  const auto length = response.body.length();
  if (length && !grpc::isGrpc(response.headers))
    response.headers.set("content-length", std::to_string(*length));
  else
    response.headers.remove("content-length");
  if (!session().respond(stream, response.status, response.headers, true)) co_return;
  flush();
  for (;;) {
    auto chunk = co_await response.body.read();
    if (!chunk) {
      logDebug("http: response body ended early: {}", chunk.error().message);
      const bool gone = chunk.error().code == Code::Cancelled;
      reset(stream, gone ? ErrorCode::Cancel : ErrorCode::Internal);  // the client sees that bytes are missing
      co_return;
    }
    if (chunk->empty()) break;
    auto written = co_await writeBody(stream, std::move(*chunk));
    if (!written) co_return;
  }
  endBody(stream, response.body.trailers());
}

void ServerSession::refuse(const StreamPtr& stream, int status, std::string text) {
  gathering_.erase(stream->id);
  stream->handled = true;
  logDebug("http: {} from {}: {}", status, peer_.address, text);
  auto response = Response::text(status, std::move(text));
  sendWhole(stream, response, false);
}

}  // namespace slipway::net::h2
