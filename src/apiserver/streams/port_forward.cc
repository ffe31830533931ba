#include "apiserver/streams/port_forward.h"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/this_coro.hpp>
#include <charconv>
#include <map>

#include "base/log.h"
#include "base/scope.h"
#include "net/spdy/session.h"
#include "net/websocket/channels.h"

namespace slipway::apiserver {
namespace asio = boost::asio;
namespace {

using net::ByteStream;
using SpdyStream = net::spdy::Stream;
constexpr auto kLinger = std::chrono::seconds(2);
constexpr std::size_t kChunk = 32 << 10;
constexpr std::size_t kMaxWaiting = 256;  // error streams whose data stream has not come

// What every connection of one client shares.
struct Forward {
  kube::PodStreams* node;
  Json pod;
};

std::string failureText(const Forward& forward, std::uint16_t port, const Error& error) {
  return fmt::format("error forwarding port {} to pod {}, uid : {}", port, textAt(at(forward.pod, "metadata"), "uid"),
                     error.message);
}

// From the client to the pod. A client that resets its stream takes the pod's connection with it.
Task<void> copyUp(ByteStream* client, ByteStream* pod) {
  std::string buffer(kChunk, '\0');
  for (;;) {
    const auto n = co_await client->read(buffer);
    if (!n) {
      pod->close();
      co_return;
    }
    if (*n == 0) break;
    auto written = co_await pod->write(std::string_view(buffer).substr(0, *n));
    if (!written) co_return;  // the pod reads no more; it may still write
  }
  pod->shutdownWrite();
}

// From the pod to the client. The end of it ends the error stream too: kubectl waits for both, and then closes its side.
Task<void> copyDown(ByteStream* pod, ByteStream* client, ByteStream* errors) {
  std::string buffer(kChunk, '\0');
  for (;;) {
    const auto n = co_await pod->read(buffer);
    if (!n || *n == 0) break;
    auto written = co_await client->write(std::string_view(buffer).substr(0, *n));
    if (!written) {
      pod->close();
      break;
    }
  }
  client->shutdownWrite();
  errors->shutdownWrite();
}

Task<void> discard(ByteStream* stream) {
  std::string buffer(kChunk, '\0');
  for (;;) {
    const auto n = co_await stream->read(buffer);
    if (!n || *n == 0) co_return;
  }
}

Task<void> upToTheEnd(ByteStream* client, ByteStream* pod) {
  co_await copyUp(client, pod);
  co_await discard(client);
}

// One connection, from dialing to both ends' end.
Task<void> forwardOne(std::shared_ptr<Forward> forward, std::uint16_t port, std::unique_ptr<ByteStream> data,
                      std::unique_ptr<ByteStream> errors) {
  using namespace asio::experimental::awaitable_operators;
  auto pod = co_await forward->node->dial(forward->pod, port);
  if (!pod) {
    auto told = co_await errors->write(failureText(*forward, port, pod.error()));
    (void)told;
    errors->shutdownWrite();
    data->shutdownWrite();
  } else {
    co_await (copyUp(data.get(), pod->get()) && copyDown(pod->get(), data.get(), errors.get()));
  }
  // Until the client has closed too: a reset now would reach it as an error of a connection that went well.
  co_await discard(data.get());
}

std::optional<std::uint16_t> portIn(std::string_view text) {
  std::uint16_t port = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), port);
  if (end.ec != std::errc() || end.ptr != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

// Which streams belong together. Clients before `requestid` existed open the error stream first and its data stream next.
std::string pairOf(const SpdyStream& stream, bool data) {
  const std::string_view id = stream.header("requestid");
  return id.empty() ? std::to_string(stream.id() - (data ? 2 : 0)) : std::string(id);
}

}  // namespace

Task<void> servePortForward(std::unique_ptr<ByteStream> connection, Transport transport, kube::PodStreams* node, Json pod) {
  TaskScope scope(co_await asio::this_coro::executor, "port-forward");
  if (transport == Transport::WebSocket)
    connection = net::websocket::asByteStream(net::websocket::Connection::start(std::move(connection), scope));
  auto session = net::spdy::Session::start(std::move(connection), scope);
  auto forward = std::make_shared<Forward>(Forward{node, std::move(pod)});
  std::map<std::string, std::unique_ptr<SpdyStream>> waiting;
  for (;;) {
    auto stream = co_await session->accept();
    if (!stream) break;
    const std::string_view type = stream->header("streamtype");
    const auto port = portIn(stream->header("port"));
    if (!port || (type != "error" && type != "data")) continue;  // its end is a reset
    const std::string pair = pairOf(*stream, type == "data");
    if (type == "error") {
      stream->ignoreInput();
      if (waiting.size() < kMaxWaiting) waiting[pair] = std::move(stream);
      continue;
    }
    auto errors = waiting.extract(pair);
    if (errors.empty()) continue;
    // Shared, because a task is started from a copyable function.
    auto streams = std::make_shared<std::pair<std::unique_ptr<ByteStream>, std::unique_ptr<ByteStream>>>(
        std::move(stream), std::move(errors.mapped()));
    scope.spawn("forward", [forward, port = *port, streams] {
      return forwardOne(forward, port, std::move(streams->first), std::move(streams->second));
    });
  }
  waiting.clear();
  scope.cancel();
  co_await session->close(std::chrono::milliseconds(0));
  co_await scope.join();
}

Task<void> servePortChannels(std::unique_ptr<ByteStream> connection, kube::PodStreams* node, Json pod,
                             std::vector<std::uint16_t> ports) {
  using namespace asio::experimental::awaitable_operators;
  TaskScope scope(co_await asio::this_coro::executor, "port-forward");
  TaskScope forwards(co_await asio::this_coro::executor, "port-forward channels");
  auto channels = net::websocket::Channels::start(net::websocket::Connection::start(std::move(connection), scope),
                                                  2 * ports.size(), net::websocket::HalfClose::No, scope);
  auto forward = std::make_shared<Forward>(Forward{node, std::move(pod)});
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const auto number = static_cast<std::uint8_t>(2 * i);
    channels->ignoreInput(number + 1);
    auto streams = std::make_shared<std::pair<std::unique_ptr<ByteStream>, std::unique_ptr<ByteStream>>>(
        channels->stream(number), channels->stream(number + 1));
    const std::string port{static_cast<char>(ports[i] & 0xff), static_cast<char>(ports[i] >> 8)};
    for (ByteStream* stream : {streams->first.get(), streams->second.get()}) {
      auto told = co_await stream->write(port);
      if (!told) co_return;
    }
    forwards.spawn("forward", [forward, number = ports[i], streams]() -> Task<void> {
      // The client cannot end its side alone: the pod's end is the end.
      return [](std::shared_ptr<Forward> f, std::uint16_t p, std::unique_ptr<ByteStream> data,
                std::unique_ptr<ByteStream> errors) -> Task<void> {
        auto pod = co_await f->node->dial(f->pod, p);
        if (!pod) {
          auto told = co_await errors->write(failureText(*f, p, pod.error()));
          (void)told;
          co_return;
        }
        co_await (copyDown(pod->get(), data.get(), errors.get()) || upToTheEnd(data.get(), pod->get()));
      }(forward, number, std::move(streams->first), std::move(streams->second));
    });
  }
  co_await (forwards.join() || channels->ended());
  forwards.cancel();
  co_await channels->close(kLinger);
}

}  // namespace slipway::apiserver
