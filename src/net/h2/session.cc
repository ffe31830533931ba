#include "net/h2/session.h"

#include <nghttp2/nghttp2.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "net/grpc/message.h"
#include "net/h2/fields.h"

namespace slipway::net::h2 {
namespace asio = boost::asio;
namespace {

constexpr std::uint32_t kMaxFrame = 256 << 10;  // that we take; larger frames cost the peer fewer headers
constexpr std::size_t kSendFrame = 64 << 10;    // that we send: other streams get their turn between two
// A peer may reset so many streams at once and then so many a second (CVE-2023-44487).
constexpr std::uint64_t kResetBurst = 1000, kResetRate = 100;

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* p) const {
    Free(p);
  }
};

Error closeError(Side side, std::uint32_t code) {
  if (code == NGHTTP2_CANCEL && side == Side::Server) return {Code::Cancelled, "the client cancelled the request", ""};
  if (code == NGHTTP2_REFUSED_STREAM) return {Code::Unavailable, "the peer refused the request; send it again", ""};
  const Code kind = side == Side::Server ? Code::Cancelled : Code::BadGateway;
  return {kind, std::string("the peer reset the stream: ") + nghttp2_http2_strerror(code), ""};
}

}  // namespace

Task<void> Waker::sleep() {
  auto executor = co_await asio::this_coro::executor;
  auto timer = std::make_shared<asio::steady_timer>(executor, asio::steady_timer::time_point::max());
  timer_ = timer;
  boost::system::error_code ignored;
  co_await timer->async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

struct Session::Callbacks {
  static Session& self(void* user) { return *static_cast<Session*>(user); }

  static int beginHeaders(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    auto stream = std::make_shared<Stream>();
    stream->id = frame->hd.stream_id;
    self(user).streams_.emplace(stream->id, std::move(stream));
    return 0;
  }

  static int header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* nameBytes, std::size_t nameSize,
                    const std::uint8_t* valueBytes, std::size_t valueSize, std::uint8_t, void* user) {
    const auto stream = self(user).find(frame->hd.stream_id);
    if (!stream) return 0;
    const std::string_view name(reinterpret_cast<const char*>(nameBytes), nameSize);
    const std::string_view value(reinterpret_cast<const char*>(valueBytes), valueSize);
    stream->headBytes += nameSize + valueSize + 32;
    if (stream->headBytes > self(user).limits_.maxHeaderBytes) stream->headTooLarge = true;
    if (stream->headTooLarge && !name.starts_with(':')) return 0;
    if (stream->headDone) {
      stream->trailers.add(name, value);
    } else if (!name.starts_with(':')) {
      if (name == "cookie")
        stream->cookies.append(stream->cookies.empty() ? "" : "; ").append(value);
      else if (name != "host" || !stream->head.has("host"))
        stream->head.add(name, value);
    } else if (name == ":status") {
      stream->status = 0;
      for (const char c : value) stream->status = stream->status * 10 + (c - '0');  // three digits: nghttp2 checked
    } else if (name == ":method") {
      stream->method = value;
    } else if (name == ":path") {
      stream->target = value;
    } else if (name == ":authority") {
      stream->head.set("host", value);
    } else if (name == ":scheme") {
      stream->scheme = value;
    }
    return 0;
  }

  static int frameReceived(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    Session& s = self(user);
    if (frame->hd.type == NGHTTP2_GOAWAY) s.goingAway_ = true;
    if (frame->hd.type == NGHTTP2_SETTINGS) s.settingsSeen_ = true;
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
    const auto stream = s.find(frame->hd.stream_id);
    if (!stream) return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && !stream->headDone) {
      if (s.side_ == Side::Client && stream->status < 200) {  // 100, 103: the real head follows
        stream->head.clear();
        stream->headBytes = 0;
        return 0;
      }
      if (!stream->cookies.empty()) stream->head.add("cookie", stream->cookies);
      stream->headDone = true;
      s.events_.onHead(stream);
    }
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
      stream->ended = true;
      stream->reader.wake();
      s.events_.onEnd(stream);
    }
    return 0;
  }

  static int dataChunk(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* bytes, std::size_t size,
                       void* user) {
    Session& s = self(user);
    const auto stream = s.find(id);
    if (!stream) {
      nghttp2_session_consume_connection(s.session_, size);
      return 0;
    }
    stream->data.append(reinterpret_cast<const char*>(bytes), size);
    stream->unconsumed += size;
    stream->received += size;
    stream->reader.wake();
    s.events_.onBody(stream);
    return 0;
  }

  static int streamClosed(nghttp2_session*, std::int32_t id, std::uint32_t code, void* user) {
    if (const auto stream = self(user).find(id)) self(user).close(stream, code);
    return 0;
  }

  // How much of the body goes into the next DATA frame; the bytes themselves go out in sendData().
  static ssize_t readBody(nghttp2_session*, std::int32_t id, std::uint8_t*, std::size_t length, std::uint32_t* flags,
                          nghttp2_data_source*, void* user) {
    Session& s = self(user);
    const auto stream = s.find(id);
    if (!stream) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    const auto left = stream->out.size() - stream->outAt;
    if (left == 0 && !stream->outEnded) return NGHTTP2_ERR_DEFERRED;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    const auto n = std::min(left, length);
    if (n < left || !stream->outEnded) return static_cast<ssize_t>(n);
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    stream->outDone = true;
    if (stream->outTrailers.size() > 0) {
      FieldList fields;
      fields.addAll(stream->outTrailers, false);
      *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      nghttp2_submit_trailer(s.session_, id, fields.data(), fields.size());
    }
    // What the client is still sending has no reader any more (§8.1). Sent after the frames above.
    if (s.side_ == Side::Server && !stream->ended)
      nghttp2_submit_rst_stream(s.session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
    if (left == 0) stream->writer.wake();
    return static_cast<ssize_t>(n);
  }

  static int sendData(nghttp2_session*, nghttp2_frame* frame, const std::uint8_t* head, std::size_t length,
                      nghttp2_data_source*, void* user) {
    Session& s = self(user);
    if (s.out_->size() >= s.outBound_) return NGHTTP2_ERR_WOULDBLOCK;
    const auto stream = s.find(frame->hd.stream_id);
    if (!stream) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    s.out_->append(reinterpret_cast<const char*>(head), 9);  // no padding: we never ask for any
    s.out_->append(stream->out, stream->outAt, length);
    stream->outAt += length;
    if (stream->outAt == stream->out.size()) {
      stream->out = std::string();
      stream->outAt = 0;
      stream->writer.wake();
    }
    return 0;
  }

  static ssize_t frameSize(nghttp2_session*, std::uint8_t, std::int32_t, std::int32_t sessionWindow,
                           std::int32_t streamWindow, std::uint32_t peerMaxFrame, void*) {
    const auto window = static_cast<std::size_t>(std::max(0, std::min(sessionWindow, streamWindow)));
    return static_cast<ssize_t>(std::min({window, std::size_t{peerMaxFrame}, kSendFrame}));
  }

  static nghttp2_session_callbacks* make() {
    nghttp2_session_callbacks* c = nullptr;
    if (nghttp2_session_callbacks_new(&c) != 0) throw std::bad_alloc();
    nghttp2_session_callbacks_set_on_begin_headers_callback(c, beginHeaders);
    nghttp2_session_callbacks_set_on_header_callback(c, header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, frameReceived);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, dataChunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, streamClosed);
    nghttp2_session_callbacks_set_send_data_callback(c, sendData);
    nghttp2_session_callbacks_set_data_source_read_length_callback(c, frameSize);
    return c;
  }
};

Session::Session(Side side, const Limits& limits, Events& events) : side_(side), limits_(limits), events_(events) {
  static nghttp2_session_callbacks* const callbacks = Callbacks::make();  // immutable, for the whole process
  nghttp2_option* raw = nullptr;
  if (nghttp2_option_new(&raw) != 0) throw std::bad_alloc();
  const std::unique_ptr<nghttp2_option, Deleter<nghttp2_option_del>> option(raw);
  nghttp2_option_set_no_auto_window_update(raw, 1);
  nghttp2_option_set_no_closed_streams(raw, 1);
  nghttp2_option_set_peer_max_concurrent_streams(raw, 100);  // until its settings come
  nghttp2_option_set_max_send_header_block_length(raw, 1 << 20);
  nghttp2_option_set_stream_reset_rate_limit(raw, kResetBurst, kResetRate);
  const int made = side == Side::Server ? nghttp2_session_server_new2(&session_, callbacks, this, raw)
                                        : nghttp2_session_client_new2(&session_, callbacks, this, raw);
  if (made != 0) throw std::bad_alloc();
  const nghttp2_settings_entry settings[] = {
      side == Side::Server ? nghttp2_settings_entry{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits.maxStreams}
                           : nghttp2_settings_entry{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits.streamWindow},
      {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, kMaxFrame},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(limits.maxHeaderBytes)}};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0,
                                        static_cast<std::int32_t>(std::max(limits.connectionWindow, 65535U)));
}

Session::~Session() { nghttp2_session_del(session_); }

StreamPtr Session::find(std::int32_t id) const {
  const auto it = streams_.find(id);
  return it == streams_.end() ? nullptr : it->second;
}

void Session::close(const StreamPtr& stream, std::uint32_t code) {
  const StreamPtr keep = stream;
  streams_.erase(keep->id);
  keep->closed = true;
  // What nobody will read any more must not keep the connection's window shut.
  if (keep->unconsumed > 0 && session_) nghttp2_session_consume_connection(session_, keep->unconsumed);
  keep->unconsumed = 0;
  if (!keep->failure && (!keep->ended || code != NGHTTP2_NO_ERROR) && !(keep->ended && keep->outDone)) {
    keep->refused = code == NGHTTP2_REFUSED_STREAM;
    keep->failure = closeError(side_, code);
  }
  keep->reader.wake();
  keep->writer.wake();
  events_.onClosed(keep);
}

Status Session::feed(std::string_view bytes) {
  const auto n = nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  if (n < 0) {
    if (!terminating_) goAway(ErrorCode::EnhanceYourCalm);
    return fail(Code::BadRequest, std::string("HTTP/2: ") + nghttp2_strerror(static_cast<int>(n)));
  }
  return {};
}

void Session::output(std::string* out, std::size_t bound) {
  out_ = out;
  outBound_ = bound;
  while (out->size() < bound) {
    const std::uint8_t* bytes = nullptr;
    const auto n = nghttp2_session_mem_send(session_, &bytes);
    if (n <= 0) break;
    out->append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(n));
  }
  out_ = nullptr;
}

bool Session::finished() const {
  return nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0;
}

std::size_t Session::queuedFrames() const { return nghttp2_session_get_outbound_queue_size(session_); }

std::size_t Session::begunStreams() const {
  return static_cast<std::size_t>(
      std::count_if(streams_.begin(), streams_.end(), [](const auto& entry) { return entry.second->headDone; }));
}

std::uint32_t Session::peerMaxStreams() const {
  return nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

bool Session::respond(const StreamPtr& stream, int status, const Headers& headers, bool withBody) {
  if (stream->closed || !find(stream->id)) return false;
  FieldList fields;
  fields.add(":status", std::to_string(status));
  fields.addAll(headers, true);
  nghttp2_data_provider provider{{}, Callbacks::readBody};
  if (!withBody) stream->outDone = true;
  return nghttp2_submit_response(session_, stream->id, fields.data(), fields.size(), withBody ? &provider : nullptr) == 0;
}

void Session::respondContinue(const StreamPtr& stream) {
  if (stream->closed) return;
  FieldList fields;
  fields.add(":status", "100");
  nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, stream->id, nullptr, fields.data(), fields.size(), nullptr);
}

Result<StreamPtr> Session::request(const Request& request, std::string_view authority, bool tls, bool withBody) {
  FieldList fields;
  fields.add(":method", request.method);
  fields.add(":scheme", tls ? "https" : "http");
  fields.add(":authority", request.headers.getOr("host", authority));
  fields.add(":path", request.target.empty() ? std::string_view("/") : std::string_view(request.target));
  fields.addAll(request.headers, false);
  const auto length = request.body.length();
  if (withBody && length && !grpc::isGrpc(request.headers)) fields.add("content-length", std::to_string(*length));
  nghttp2_data_provider provider{{}, Callbacks::readBody};
  auto stream = std::make_shared<Stream>();
  stream->outEnded = stream->outDone = !withBody;
  const auto id =
      nghttp2_submit_request(session_, nullptr, fields.data(), fields.size(), withBody ? &provider : nullptr, nullptr);
  if (id < 0) return fail(Code::Unavailable, std::string("HTTP/2: ") + nghttp2_strerror(id));
  stream->id = id;
  streams_.emplace(id, stream);
  return stream;
}

void Session::resume(const StreamPtr& stream) {
  if (!stream->closed) nghttp2_session_resume_data(session_, stream->id);
}

void Session::consume(const StreamPtr& stream) {
  if (stream->unconsumed == 0) return;
  const auto n = std::exchange(stream->unconsumed, 0);
  if (stream->closed)
    nghttp2_session_consume_connection(session_, n);
  else
    nghttp2_session_consume(session_, stream->id, n);
}

void Session::reset(const StreamPtr& stream, ErrorCode code) {
  if (!stream->closed) nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream->id, static_cast<std::uint32_t>(code));
}

void Session::shutdownNotice() { nghttp2_submit_shutdown_notice(session_); }

void Session::goAway(ErrorCode code) {
  if (code == ErrorCode::None) {
    nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_), NGHTTP2_NO_ERROR,
                          nullptr, 0);
  } else {
    terminating_ = true;
    nghttp2_session_terminate_session(session_, static_cast<std::uint32_t>(code));
  }
}

void Session::failAll(const Error& error) {
  while (!streams_.empty()) {
    const auto stream = streams_.begin()->second;
    if (!stream->ended || !stream->outDone) stream->failure = error;
    close(stream, NGHTTP2_NO_ERROR);
  }
}

}  // namespace slipway::net::h2
