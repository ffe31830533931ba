#include "net/h1_parser.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include "net/chunk_decoder.h"

namespace slipway::net::h1 {
namespace {
namespace http = boost::beast::http;
using boost::beast::error_code;
using Text = boost::beast::string_view;

constexpr std::size_t kMaxFields = 512;

template <class Message>
constexpr bool kIsRequest = std::is_same_v<Message, Request>;

// Beast's parser with our message as its sink.
template <class Message>
class Sink final : public http::basic_parser<kIsRequest<Message>> {
 public:
  Message* into = nullptr;
  int minor = 1;

 private:
  void on_request_impl(http::verb, Text method, Text target, int version, error_code&) override {
    minor = version % 10;
    if constexpr (kIsRequest<Message>) {
      into->method.assign(method.data(), method.size());
      into->target.assign(target.data(), target.size());
      into->version.assign(version == 11 ? "HTTP/1.1" : "HTTP/1.0");
    }
  }
  void on_response_impl(int status, Text, int version, error_code&) override {
    minor = version % 10;
    if constexpr (!kIsRequest<Message>) into->status = status;
  }
  void on_field_impl(http::field, Text name, Text value, error_code& ec) override {
    if (into->headers.size() >= kMaxFields)
      ec = http::error::header_limit;
    else
      into->headers.add(name, value);
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(Text body, error_code&) override { return body.size(); }
  void on_chunk_header_impl(std::uint64_t, Text, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, Text body, error_code&) override {
    return body.size();  // never called: ChunkDecoder reads the body
  }
  void on_finish_impl(error_code&) override {}
};

Error describe(const error_code& ec, std::size_t maxHeaderBytes) {
  if (ec == http::error::header_limit) {
    return {Code::TooLarge,
            "request header is larger than the limit of " + std::to_string(maxHeaderBytes) + " bytes or " +
                std::to_string(kMaxFields) + " fields",
            ""};
  }
  if (ec == http::error::bad_version)
    return {Code::BadRequest, "malformed HTTP message: the version is not HTTP/1.0 or HTTP/1.1", ""};
  return {Code::BadRequest, "malformed HTTP message: " + ec.message(), ""};
}

// The rules beyond the grammar that decide where a message ends or goes.
Status checkHead(const Headers& headers, bool request, int minor) {
  std::size_t hosts = 0;
  for (const auto& [name, value] : headers) {
    if (iequals(name, "host")) ++hosts;
    if (iequals(name, "transfer-encoding") && !iequals(value, "chunked")) {
      return fail(Code::Unimplemented, "transfer-encoding '" + std::string(value) + "' is not supported; use chunked");
    }
  }
  if (request && hosts > 1) return fail(Code::BadRequest, "malformed HTTP message: more than one Host header");
  if (request && hosts == 0 && minor >= 1)
    return fail(Code::BadRequest, "malformed HTTP message: the Host header is missing");
  return {};
}

}  // namespace

template <class Message>
struct Parser<Message>::Impl {
  explicit Impl(std::size_t max) : maxHeaderBytes(max), chunks(max) { reset(); }
  void reset() {
    sink.emplace();
    sink->header_limit(static_cast<std::uint32_t>(std::min<std::size_t>(maxHeaderBytes, 1u << 30)));
    sink->body_limit(boost::none);
    framing = {};
    chunks = ChunkDecoder(maxHeaderBytes);
    started = false;
  }
  void setFraming(const Message& message) {
    framing.minor = sink->minor;
    framing.chunked = sink->chunked();
    framing.keepAlive = sink->keep_alive();
    framing.upgrade = sink->upgrade();
    framing.untilClose = !sink->is_done() && sink->need_eof();
    if (framing.untilClose)
      framing.keepAlive = false;
    else if (!framing.chunked)
      framing.length = sink->is_done() ? 0 : sink->content_length().value_or(0);
    if constexpr (kIsRequest<Message>) {
      framing.expectContinue = framing.minor >= 1 && iequals(message.headers.getOr("expect", ""), "100-continue");
    }
  }
  std::size_t maxHeaderBytes;
  std::optional<Sink<Message>> sink;
  Framing framing;
  ChunkDecoder chunks;
  bool started = false;
};

template <class Message>
Parser<Message>::Parser(std::size_t maxHeaderBytes) : impl_(std::make_unique<Impl>(maxHeaderBytes)) {}
template <class Message>
Parser<Message>::~Parser() = default;
template <class Message>
Parser<Message>::Parser(Parser&&) noexcept = default;
template <class Message>
void Parser<Message>::reset() {
  impl_->reset();
}
template <class Message>
void Parser<Message>::expectNoBody() {
  impl_->sink->skip(true);
}
template <class Message>
const Framing& Parser<Message>::framing() const {
  return impl_->framing;
}

template <class Message>
Result<Progress> Parser<Message>::parseHead(std::string_view in, Message& into) {
  auto& sink = *impl_->sink;
  Progress progress;
  if (!impl_->started && kIsRequest<Message>) {  // RFC 9112 §2.2: empty lines before a request line are skipped
    while (in.substr(progress.consumed).starts_with("\r\n")) progress.consumed += 2;
  }
  in.remove_prefix(progress.consumed);
  if (in.empty()) return progress;
  impl_->started = true;
  sink.into = &into;
  error_code ec;
  progress.consumed += sink.put(boost::asio::const_buffer(in.data(), in.size()), ec);
  sink.into = nullptr;
  if (ec == http::error::need_more) return progress;
  if (ec) return fail(describe(ec, impl_->maxHeaderBytes));
  progress.complete = sink.is_header_done();
  if (!progress.complete) return progress;
  impl_->setFraming(into);
  SLIP_CHECK(checkHead(into.headers, kIsRequest<Message>, impl_->framing.minor));
  return progress;
}

template <class Message>
Result<Progress> Parser<Message>::parseChunks(std::string_view in, std::string& out) {
  SLIP_TRY(const auto consumed, impl_->chunks.decode(in, out));
  return Progress{consumed, impl_->chunks.done()};
}

template class Parser<Request>;
template class Parser<Response>;

}  // namespace slipway::net::h1
