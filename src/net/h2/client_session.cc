#include "net/h2/client_session.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include "net/buffer.h"

namespace slipway::net::h2 {
namespace asio = boost::asio;

std::shared_ptr<ClientSession> ClientPool::usable() {
  for (const auto& session : sessions) {
    if (session->usable()) return session;
  }
  return nullptr;
}

void ClientPool::forgetClosed() {
  std::erase_if(sessions, [](const auto& session) { return !session->open(); });
}

bool ClientPool::opening() const {
  return dialing > 0 ||
         std::any_of(sessions.begin(), sessions.end(), [](const auto& s) { return s->open() && !s->settled(); });
}

// The upload of one request, which goes on while its response is awaited and read.
struct ClientSession::Pump {
  asio::cancellation_signal signal;
  bool running = true;
  static Task<void> run(std::shared_ptr<Connection> connection, StreamPtr stream, Body body) {
    for (;;) {
      auto chunk = co_await body.read();
      if (!chunk) {  // our caller's body broke: the origin must see that it is incomplete
        connection->reset(stream, ErrorCode::Cancel);
        co_return;
      }
      if (chunk->empty()) break;
      auto written = co_await connection->writeBody(stream, std::move(*chunk));
      if (!written) co_return;
    }
    connection->endBody(stream, body.trailers());
  }
  static void stop(const std::shared_ptr<Pump>& pump, const Executor& executor) {
    if (!pump || !pump->running) return;
    pump->signal.emit(asio::cancellation_type::terminal);
    asio::post(executor, [pump] {});  // after what Asio may have posted
  }
};

namespace {

// The streamed body of a response; ends its request's upload with it.
class ResponseBody final : public BodyReader {
 public:
  ResponseBody(std::unique_ptr<StreamBody> inner, std::function<void()> over)
      : inner_(std::move(inner)), over_(std::move(over)) {}
  ~ResponseBody() override { end(); }
  Task<Result<std::string>> read() override {
    auto chunk = co_await inner_->read();
    if (!chunk || chunk->empty()) end();
    co_return chunk;
  }
  const Headers* trailers() const override { return inner_->trailers(); }

 private:
  void end() {
    if (auto over = std::exchange(over_, nullptr)) over();
  }
  std::unique_ptr<StreamBody> inner_;
  std::function<void()> over_;
};

}  // namespace

ClientSession::ClientSession(Executor executor, std::shared_ptr<ClientPool> pool, std::unique_ptr<ByteStream> stream,
                             const Limits& limits)
    // A response may take its time, a stream of tokens for minutes: only what the origin does not take is bounded here.
    : Connection(std::move(executor), std::move(stream), Side::Client, limits, {0, ticksIn(std::chrono::seconds(60))}),
      pool_(std::move(pool)) {}

void ClientSession::start() {
  asio::co_spawn(
      executor_,
      [self = std::static_pointer_cast<ClientSession>(shared_from_this())]() -> Task<void> {
        const auto keep = self;
        co_await keep->readLoop("");
        keep->pool_->forgetClosed();
        keep->pool_->changed.notifyAll();
      },
      asio::detached);
}

bool ClientSession::usable() const {
  auto& s = session_();
  const std::size_t most = settled() ? std::min<std::size_t>(s.peerMaxStreams(), 100'000) : 1;
  return open() && !s.goingAway() && s.openStreams() < most;
}

void ClientSession::shut() { close(); }

void ClientSession::afterFeed() {
  if (announced_ || !settled()) return;
  announced_ = true;
  pool_->changed.notifyAll();
}

void ClientSession::onClosed(const StreamPtr&) {
  idleSince = tick();
  if (pool_->waiting > 0) pool_->changed.notifyAll();
}

std::shared_ptr<ClientSession::Pump> ClientSession::startPump(const StreamPtr& stream, Body body) {
  auto pump = std::make_shared<Pump>();
  asio::co_spawn(executor_, Pump::run(shared_from_this(), stream, std::move(body)),
                 asio::bind_cancellation_slot(pump->signal.slot(), [pump](std::exception_ptr) { pump->running = false; }));
  return pump;
}

Error ClientSession::explain(const Stream& stream, std::uint64_t headTicks) const {
  Error error = stream.failure.value_or(Error{Code::Unavailable, "the stream was closed", ""});
  if (error.code == Code::Timeout)
    return {Code::Timeout,
            "no answer from " + pool_->where + " within " + std::to_string((headTicks - 1) * kTick.count()) + " ms", ""};
  if (!open() && !session_().peerSpeaksHttp2())
    return {Code::BadGateway, pool_->where + " does not speak HTTP/2 (prior knowledge)", ""};
  error.message = pool_->where + ": " + error.message;
  return error;
}

Task<Result<Response>> ClientSession::exchange(Request* request, std::uint64_t headTicks, bool* sent) {
  const auto self = std::static_pointer_cast<ClientSession>(shared_from_this());
  const bool streaming = request->body.streaming();
  const bool withBody = streaming || !request->body.bytes().empty() || request->body.trailers() != nullptr;
  auto opened = session().request(*request, pool_->host, pool_->tls, withBody);
  if (!opened) {
    *sent = false;
    co_return failIn(pool_->where, std::move(opened).error());
  }
  const StreamPtr stream = *opened;
  const bool head = request->method == "HEAD";
  struct Abandon {  // whatever ends this early: the origin should stop working on it
    std::shared_ptr<ClientSession> self;
    StreamPtr stream;
    std::shared_ptr<Pump> pump;
    bool done = false;
    ~Abandon() {
      if (done) return;
      self->reset(stream, ErrorCode::Cancel);
      Pump::stop(pump, self->executor_);
    }
  } guard{self, stream, nullptr};
  if (streaming) {
    flush();
    guard.pump = startPump(stream, std::move(request->body));
  } else if (withBody) {
    stream->out = request->body.bytes();  // a copy: the request may have to be sent again
    endBody(stream, request->body.trailers());
    if (!stream->outDone) watchWrite(stream);
  } else {
    flush();
  }
  while (!stream->headDone && !stream->failure && !stream->closed) {
    co_await awaitChange(stream, headTicks);
  }
  if (!stream->headDone) {
    if (stream->refused) *sent = false;
    co_return fail(explain(*stream, headTicks));
  }
  guard.done = true;
  if (stream->headTooLarge) {
    guard.done = false;
    co_return fail(Code::BadGateway, pool_->where + " sent a response header larger than the limit");
  }
  Response response;
  response.status = stream->status;
  response.headers = std::move(stream->head);
  if (stream->ended && !guard.pump) {
    session().consume(stream);
    flush();
    response.body = Body(std::exchange(stream->data, {}));
    if (stream->trailers.size() > 0) response.body.setTrailers(std::move(stream->trailers));
    co_return response;
  }
  std::optional<std::uint64_t> length;
  if (const auto text = response.headers.get("content-length"); text && !head) {
    std::uint64_t n = 0;
    for (const char c : text->substr(0, 18)) n = n * 10 + static_cast<std::uint64_t>(c - '0');
    length = n;
  }
  auto body = std::make_unique<StreamBody>(self, stream, nullptr, true);
  auto over = [pump = guard.pump, executor = executor_] { Pump::stop(pump, executor); };
  response.body = Body(std::make_unique<ResponseBody>(std::move(body), std::move(over)), length);
  co_return response;
}

}  // namespace slipway::net::h2
