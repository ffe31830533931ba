// Any bytes as what an HTTP/2 peer sends, cut at a place that the input chooses: a server that answers every request and a
// client with two requests must neither crash nor hold more than their windows.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "net/h2/session.h"

using namespace slipway::net;

namespace {

constexpr std::uint32_t kWindow = 65535, kConnectionWindow = 131072;

struct Peer final : h2::Events {
  explicit Peer(h2::Side side)
      : server(side == h2::Side::Server), session(side, {4096, 20, kWindow, kConnectionWindow}, *this) {}
  void onHead(const h2::StreamPtr& stream) override { heads.push_back(stream); }
  void onBody(const h2::StreamPtr& stream) override {
    if (stream->data.size() > kWindow) std::abort();
  }
  void onEnd(const h2::StreamPtr&) override {}
  void onClosed(const h2::StreamPtr& stream) override {
    if (!stream->closed) std::abort();
  }
  void act() {
    auto all = std::exchange(heads, {});
    for (const auto& stream : all) {
      if (!server) {
        session.consume(stream);
        continue;
      }
      stream->out = "answer";
      stream->outEnded = true;
      stream->outTrailers.set("grpc-status", "0");
      session.respond(stream, 200, stream->head, true);
      if (stream->received % 2 == 1) session.consume(stream);
    }
  }
  bool server;
  std::vector<h2::StreamPtr> heads;
  h2::Session session;
};

void play(h2::Side side, std::string_view bytes, std::size_t cut) {
  Peer peer(side);
  if (side == h2::Side::Client) {
    Request get, post{.method = "POST", .target = "/x"};
    post.body = Body(std::string("body"));
    auto first = peer.session.request(get, "a", false, false);
    auto second = peer.session.request(post, "a", false, true);
    if (second) (*second)->out = "body", (*second)->outEnded = true;
  } else {
    if (!peer.session.feed(h2::kPreface)) std::abort();
  }
  std::string out;
  while (!bytes.empty()) {
    const auto n = std::min(cut, bytes.size());
    const auto fed = peer.session.feed(bytes.substr(0, n));
    bytes.remove_prefix(n);
    if (fed) peer.act();
    out.clear();
    peer.session.output(&out, 1 << 20);
    if (!fed || peer.session.finished()) break;
  }
  peer.session.failAll({slipway::Code::Unavailable, "over", ""});
  if (peer.session.openStreams() != 0) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > 65536) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t cut = data[0] < 128 ? 1 << 20 : 1 + data[0] % 64;
  play(data[0] % 2 == 0 ? h2::Side::Server : h2::Side::Client, bytes, cut);
  return 0;
}
