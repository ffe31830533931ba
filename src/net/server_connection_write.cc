// How a connection answers: head, complete and streamed bodies, bounded pieces.
#include <boost/system/system_error.hpp>

#include "base/log.h"
#include "net/server_connection.h"

namespace slipway::net {
namespace {

constexpr std::size_t kCoalesce = 16 << 10;   // bodies up to this are copied behind the head: one packet
constexpr std::size_t kWritePiece = 1 << 20;  // of a large body, each within the stall timeout

}  // namespace

Task<bool> ServerConnection::writeResponse(Response response) {
  // An upgrade takes the stream away, which a body that is still coming needs.
  if (response.status == 101 && response.upgrade && !bodyDone_)
    response = Response::text(502, "upgrade before the end of the request body\n");
  // Whatever became of it in the handler: the client should know why.
  if (bodyTooLarge_ && response.status != 101)
    response = Response::text(413, tooLarge(core_->options.maxBodyBytes).message + "\n");
  if (!bodyDone_ || core_->draining) keepAlive_ = false;
  continuePending_ = false;  // the final status answers the expectation
  const h1::ResponseContext context{head_, keepAlive_, minor_, core_->options.serverHeader, h1::httpDate()};
  const auto mode = h1::appendResponseHead(out_, response, context);
  if (response.status == 101 && response.upgrade) {
    auto flushed = co_await flush();
    if (!flushed) co_return false;
    auto stream = in_.size() > 0 ? prefixed(std::string(in_.view()), std::move(stream_)) : std::move(stream_);
    co_await response.upgrade(std::move(stream));
    co_return false;
  }
  Status written;
  if (mode == h1::BodyMode::None) {
    written = co_await flush();
  } else if (response.body.streaming()) {
    written = co_await writeStream(std::move(response.body), mode);
  } else {
    written = co_await flushWith(response.body.bytes());
  }
  if (!written) co_return false;
  if (keepAlive_ && bodyDone_ && mode != h1::BodyMode::UntilClose) co_return true;
  if (!bodyDone_) {
    co_await linger();
  }
  co_return false;
}

Task<Status> ServerConnection::writeStream(Body body, h1::BodyMode mode) {
  // The head goes out before the first chunk exists: a watch's client waits for it.
  auto head = co_await flush();
  if (!head) co_return head;
  std::uint64_t left = mode == h1::BodyMode::Length ? *body.length() : 0;
  for (;;) {
    lastChunk_ = core_->tick + 1;
    auto chunk = co_await body.readPieces();
    if (!chunk) {
      logDebug("http: response body ended early: {}", chunk.error().message);
      co_return fail(std::move(chunk).error());  // the connection is cut: the client sees that bytes are missing
    }
    const std::size_t size = chunk->size();
    if (size == 0) break;
    if (mode == h1::BodyMode::Length && size > left)
      co_return fail(Code::Internal, "response body is longer than its Content-Length");
    left -= mode == h1::BodyMode::Length ? size : 0;
    const std::string header = mode == h1::BodyMode::Chunked ? h1::chunkHeader(size) : "";
    std::array<std::string_view, BodyPieces::kMaxShared + 3> parts;
    std::size_t count = 0;
    const auto add = [&](std::string_view part) {
      if (!part.empty()) parts[count++] = part;
    };
    add(header);
    add(chunk->own);
    for (const auto& piece : chunk->shared) add(*piece);
    if (mode == h1::BodyMode::Chunked) add("\r\n");
    writeDeadline_ = in(core_->options.streamStallTimeout);
    Status written = co_await stream_->writev(std::span(parts.data(), count));
    writeDeadline_ = 0;
    if (!written) co_return written;
  }
  lastChunk_ = 0;
  if (left > 0) co_return fail(Code::Internal, "response body is shorter than its Content-Length");
  if (mode == h1::BodyMode::Chunked) out_ += h1::kLastChunk;
  auto end = co_await flush();
  co_return end;
}

Task<Status> ServerConnection::flush() {
  auto written = co_await flushWith({});
  co_return written;
}

Task<Status> ServerConnection::flushWith(std::string_view tail) {
  if (tail.size() <= kCoalesce) {
    out_ += tail;
    tail = {};
  }
  const auto sent = tail.empty() ? stream_->tryWrite(out_) : 0;
  std::string_view head = std::string_view(out_).substr(sent);
  Status written;
  while (written && (!head.empty() || !tail.empty())) {  // in pieces: a client that is slow but reads is no stall
    writeDeadline_ = in(core_->options.stallTimeout);
    const std::array<std::string_view, 2> parts{head, tail.substr(0, kWritePiece)};
    written = co_await stream_->writev(parts);
    writeDeadline_ = 0;
    head = {};
    tail.remove_prefix(std::min(tail.size(), kWritePiece));
  }
  out_.clear();
  if (out_.capacity() > 4 * kMaxPendingOut) out_.shrink_to_fit();
  co_return written;
}

}  // namespace slipway::net
