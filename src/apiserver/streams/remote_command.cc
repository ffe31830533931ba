#include "apiserver/streams/remote_command.h"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "apiserver/api_status.h"
#include "base/log.h"
#include "base/scope.h"
#include "net/spdy/session.h"
#include "net/websocket/channels.h"

namespace slipway::apiserver {
namespace asio = boost::asio;
namespace {

using net::ByteStream;
constexpr auto kStreamsTimeout = std::chrono::seconds(30);  // for the client to open the streams it asked for
constexpr auto kLinger = std::chrono::seconds(5);           // for the client to take the end of it all
constexpr std::size_t kChunk = 32 << 10;
constexpr std::size_t kMaxSizeText = 4096;

// The client's side. Streams that were not asked for are null.
struct ClientStreams {
  std::unique_ptr<ByteStream> in, out, err, status, resize;
};

class CommandConnection {
 public:
  virtual ~CommandConnection() = default;
  virtual Task<Result<ClientStreams>> open(kube::SessionOptions options) = 0;
  virtual Task<void> ended() = 0;  // returns when the client has left
  virtual Task<void> close() = 0;
};

class SpdyCommand final : public CommandConnection {
 public:
  SpdyCommand(std::unique_ptr<ByteStream> connection, TaskScope& scope)
      : session_(net::spdy::Session::start(std::move(connection), scope)), executor_(scope.executor()) {}

  Task<Result<ClientStreams>> open(kube::SessionOptions options) override {
    using namespace asio::experimental::awaitable_operators;
    asio::steady_timer timer(executor_, kStreamsTimeout);
    boost::system::error_code ec;
    auto got = co_await (collect(std::move(options)) || timer.async_wait(asio::redirect_error(asio::use_awaitable, ec)));
    if (got.index() == 1) co_return fail(Code::Timeout, "the client did not open its streams in 30 s");
    co_return std::get<0>(std::move(got));
  }
  Task<void> ended() override { return session_->ended(); }
  Task<void> close() override { return session_->close(kLinger); }

 private:
  Task<Result<ClientStreams>> collect(kube::SessionOptions options) {
    ClientStreams streams;
    const auto missing = [&] {
      return !streams.status || (options.stdin_ && !streams.in) || (options.stdout_ && !streams.out) ||
             (options.stderr_ && !options.tty && !streams.err) || (options.tty && !streams.resize);
    };
    while (missing()) {
      auto stream = co_await session_->accept();
      if (!stream) co_return fail(Code::Cancelled, "the client has left");
      const std::string type(stream->header("streamtype"));
      if (type == "stdin") {
        streams.in = std::move(stream);
      } else if (type == "resize") {
        streams.resize = std::move(stream);
      } else if (type == "stdout" || type == "stderr" || type == "error") {
        stream->ignoreInput();
        (type == "stdout" ? streams.out : type == "stderr" ? streams.err : streams.status) = std::move(stream);
      }
    }
    co_return streams;
  }
  std::shared_ptr<net::spdy::Session> session_;
  Executor executor_;
};

class WebSocketCommand final : public CommandConnection {
 public:
  WebSocketCommand(std::unique_ptr<ByteStream> connection, bool halfClose, TaskScope& scope)
      : channels_(net::websocket::Channels::start(net::websocket::Connection::start(std::move(connection), scope), 5,
                                                  halfClose ? net::websocket::HalfClose::Yes : net::websocket::HalfClose::No,
                                                  scope)) {}

  Task<Result<ClientStreams>> open(kube::SessionOptions options) override {
    ClientStreams streams;
    for (const std::uint8_t written : {1, 2, 3}) channels_->ignoreInput(written);
    streams.status = channels_->stream(3);
    if (options.stdin_) streams.in = channels_->stream(0);
    if (options.stdout_) streams.out = channels_->stream(1);
    if (options.stderr_) streams.err = channels_->stream(2);
    if (options.tty) streams.resize = channels_->stream(4);
    if (!options.stdin_) channels_->ignoreInput(0);
    if (!options.tty) channels_->ignoreInput(4);
    // An empty message tells clients that wait for one that the connection works.
    ByteStream& first = streams.out ? *streams.out : streams.err ? *streams.err : *streams.status;
    auto hello = co_await first.write({});
    if (!hello) co_return fail(hello.error());
    co_return streams;
  }
  Task<void> ended() override { return channels_->ended(); }
  Task<void> close() override { return channels_->close(kLinger); }

 private:
  std::shared_ptr<net::websocket::Channels> channels_;
};

Task<void> forever() {
  asio::steady_timer never(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
  co_await never.async_wait(asio::use_awaitable);
}

// Until the process has ended or closed its output; what the client no longer takes is thrown away.
Task<void> copyOutput(ByteStream* from, ByteStream* to) {
  if (from == nullptr) co_return;
  std::string buffer(kChunk, '\0');
  for (;;) {
    const auto n = co_await from->read(buffer);
    if (!n || *n == 0) co_return;
    if (to == nullptr) continue;
    auto written = co_await to->write(std::string_view(buffer).substr(0, *n));
    if (!written) to = nullptr;
  }
}

Task<void> copyInput(ByteStream* from, ByteStream* to) {
  if (from == nullptr) co_return;
  std::string buffer(kChunk, '\0');
  for (;;) {
    const auto n = co_await from->read(buffer);
    if (!n || *n == 0) break;
    Status written;
    if (to != nullptr) {
      written = co_await to->write(std::string_view(buffer).substr(0, *n));
    }
    if (!written) to = nullptr;  // the process reads no more; the client's rest is thrown away
  }
  if (to != nullptr) to->shutdownWrite();
}

Task<void> copySizes(ByteStream* from, kube::ProcessSession* to) {
  if (from == nullptr) co_return;
  std::string text;
  std::string buffer(512, '\0');
  while (text.size() < kMaxSizeText) {
    const auto n = co_await from->read(buffer);
    if (!n || *n == 0) co_return;
    text.append(buffer, 0, *n);
    if (const auto size = takeTerminalSize(&text)) to->resize(*size);
  }
}

Task<Result<int>> outputs(kube::ProcessSession* session, const ClientStreams* client) {
  using namespace asio::experimental::awaitable_operators;
  auto code = co_await (session->wait() && copyOutput(session->out(), client->out.get()) &&
                        copyOutput(session->err(), client->err.get()));
  co_return code;
}

Task<void> inputs(kube::ProcessSession* session, const ClientStreams* client) {
  using namespace asio::experimental::awaitable_operators;
  co_await (copyInput(client->in.get(), session->in()) && copySizes(client->resize.get(), session) && forever());
}

using OpenedSession = Result<std::unique_ptr<kube::ProcessSession>>;

// nullopt: the client has left meanwhile.
Task<std::optional<OpenedSession>> openUnlessLeft(kube::PodStreams* node, Json pod, kube::SessionOptions options,
                                                  CommandConnection* connection) {
  using namespace asio::experimental::awaitable_operators;
  auto done = co_await (node->open(std::move(pod), std::move(options)) || connection->ended());
  if (done.index() != 0) co_return std::nullopt;
  co_return std::get<0>(std::move(done));
}

// nullopt: the client has left.
Task<std::optional<Result<int>>> runCommand(CommandConnection* connection, const ClientStreams* client,
                                            kube::ProcessSession* session) {
  using namespace asio::experimental::awaitable_operators;
  auto done = co_await (outputs(session, client) || inputs(session, client) || connection->ended());
  if (done.index() != 0) co_return std::nullopt;
  co_return std::get<0>(std::move(done));
}

}  // namespace

std::optional<kube::TerminalSize> takeTerminalSize(std::string* text) {
  std::optional<kube::TerminalSize> size;
  for (std::size_t end = text->find('}'); end != std::string::npos; end = text->find('}')) {
    const auto json = parseJson(text->substr(0, end + 1));
    text->erase(0, end + 1);
    if (!json) continue;
    const std::int64_t width = intAt(*json, "Width");
    const std::int64_t height = intAt(*json, "Height");
    if (width > 0 && height > 0 && width < 65536 && height < 65536)
      size = {static_cast<std::uint16_t>(width), static_cast<std::uint16_t>(height)};
  }
  return size;
}

Json commandStatus(const Result<int>& exitCode) {
  if (!exitCode) {
    Json status = toStatus(Error{Code::Internal, "Internal error occurred: " + exitCode.error().message, ""});
    status["details"] = {{"causes", Json::array({{{"message", exitCode.error().message}}})}};
    return status;
  }
  if (*exitCode == 0) return {{"metadata", Json::object()}, {"status", "Success"}};
  return {{"metadata", Json::object()},
          {"status", "Failure"},
          {"reason", "NonZeroExitCode"},
          {"message", fmt::format("command terminated with non-zero exit code: exit status {}", *exitCode)},
          {"details", {{"causes", Json::array({{{"reason", "ExitCode"}, {"message", std::to_string(*exitCode)}}})}}}};
}

Task<void> serveCommand(std::unique_ptr<ByteStream> connection, Transport transport, std::string protocol,
                        kube::PodStreams* node, Json pod, kube::SessionOptions options) {
  TaskScope scope(co_await asio::this_coro::executor, "exec");
  std::unique_ptr<CommandConnection> client;
  if (transport == Transport::Spdy) {
    client = std::make_unique<SpdyCommand>(std::move(connection), scope);
  } else {
    client = std::make_unique<WebSocketCommand>(std::move(connection), protocol == "v5.channel.k8s.io", scope);
  }
  auto streams = co_await client->open(options);
  if (!streams) {
    logDebug("exec: {}", streams.error().message);
    co_await client->close();
    co_return;
  }
  const bool exec = !options.command.empty();
  Result<int> code;
  auto opened = co_await openUnlessLeft(node, std::move(pod), std::move(options), client.get());
  if (!opened) co_return;
  auto& session = *opened;
  if (session) {
    auto ended = co_await runCommand(client.get(), &*streams, session->get());
    if (!ended) co_return;  // nobody is left to tell; the session ends with this function
    code = std::move(*ended);
  } else {
    code = fail(session.error().code, fmt::format("error {} container: {}", exec ? "executing command in" : "attaching to",
                                                  session.error().message));
  }
  for (ByteStream* stream : {streams->out.get(), streams->err.get()}) {
    if (stream != nullptr) stream->shutdownWrite();
  }
  auto told = co_await streams->status->write(dumpJson(commandStatus(code)));
  streams->status->shutdownWrite();
  if (told) {
    co_await client->close();
  }
}

}  // namespace slipway::apiserver
