#include "net/grpc/service.h"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include "base/log.h"

namespace slipway::net::grpc {
namespace {

using OptionsPtr = std::shared_ptr<const ServiceOptions>;
constexpr std::size_t kWorthPacking = 1024;  // smaller answers are sent as they are

bool usesGzip(const Headers& headers) { return headers.getOr("grpc-encoding", "identity") == "gzip"; }

// Answers are packed where the client packs its requests and takes gzip: it has chosen bytes over time.
bool wantsGzip(const ServiceOptions& options, const Headers& headers) {
  return options.gzip && usesGzip(headers) && hasToken(headers.getOr("grpc-accept-encoding", ""), "gzip");
}

Status checkEncoding(const ServiceOptions& options, const Headers& headers) {
  const auto encoding = headers.getOr("grpc-encoding", "identity");
  if (encoding == "identity" || (encoding == "gzip" && options.gunzip)) return {};
  return fail(Code::Unimplemented, "grpc-encoding '" + std::string(encoding) + "' is not supported: use gzip or identity");
}

Result<std::string> unpacked(const ServiceOptions& options, const Frame& frame, bool gzip) {
  if (!gzip) return fail(Code::Internal, "a compressed message without a grpc-encoding header");
  auto raw = options.gunzip(frame.message, options.maxReceiveMessage);
  if (!raw) return failIn("compressed message", std::move(raw).error());
  return raw;
}

Status appendReply(std::string& out, const ServiceOptions& options, std::string_view message, bool gzip) {
  if (message.size() > options.maxSendMessage)
    return fail(Code::TooLarge, "the answer of " + std::to_string(message.size()) + " bytes is larger than the limit of " +
                                    std::to_string(options.maxSendMessage) + " bytes");
  const bool pack = gzip && message.size() >= kWorthPacking;
  if (pack)
    appendFrame(out, options.gzip(message), true);
  else
    appendFrame(out, message, false);
  return {};
}

class BodyMessages final : public Messages {
 public:
  BodyMessages(OptionsPtr options, Body body, bool gzip)
      : options_(std::move(options)), body_(std::move(body)), gzip_(gzip) {}
  Task<Result<std::optional<std::string>>> next() override {
    for (;;) {
      auto frame = takeFrame(std::string_view(buffer_).substr(at_), options_->maxReceiveMessage);
      if (!frame) co_return fail(std::move(frame).error());
      if (*frame) {
        at_ += (*frame)->size;
        if (!(*frame)->compressed) co_return std::optional<std::string>((*frame)->message);
        auto raw = unpacked(*options_, **frame, gzip_);
        if (!raw) co_return fail(std::move(raw).error());
        co_return std::optional<std::string>(std::move(*raw));
      }
      auto chunk = co_await body_.read();
      if (!chunk) co_return fail(std::move(chunk).error());
      if (chunk->empty()) break;
      buffer_.erase(0, std::exchange(at_, 0));
      buffer_ += *chunk;
    }
    if (buffer_.size() > at_) co_return fail(Code::BadRequest, "the request ends within a message");
    co_return std::optional<std::string>();
  }

 private:
  OptionsPtr options_;
  Body body_;
  bool gzip_;
  std::string buffer_;
  std::size_t at_ = 0;
};

// The answer of a streaming method as a body; its status comes as trailers.
class ReplyBody final : public BodyReader {
 public:
  ReplyBody(OptionsPtr options, std::unique_ptr<Replies> replies, std::optional<TimePoint> deadline, bool gzip)
      : options_(std::move(options)), replies_(std::move(replies)), deadline_(deadline), gzip_(gzip) {}
  Task<Result<std::string>> read() override {
    auto message = co_await next();
    std::string out;
    Status appended;
    if (message && *message) appended = appendReply(out, *options_, **message, gzip_);
    if (message && *message && appended) co_return out;
    if (message && !*message)
      setStatus(trailers_, StatusCode::Ok, "");
    else if (!message)
      setStatus(trailers_, statusOf(message.error().code), message.error().message);
    else
      setStatus(trailers_, statusOf(appended.error().code), appended.error().message);
    co_return std::string();
  }
  const Headers* trailers() const override { return &trailers_; }

 private:
  Task<Result<std::optional<std::string>>> next() {
    using namespace boost::asio::experimental::awaitable_operators;
    if (!deadline_) {
      auto message = co_await replies_->next();
      co_return message;
    }
    const Error late{Code::Timeout, "the deadline of the call has passed", ""};
    if (options_->clock->now() >= *deadline_) co_return fail(late);
    auto first = co_await (replies_->next() || options_->clock->sleepUntil(*deadline_));
    if (first.index() == 1) co_return fail(late);
    co_return std::get<0>(std::move(first));
  }

  OptionsPtr options_;
  std::unique_ptr<Replies> replies_;
  std::optional<TimePoint> deadline_;
  bool gzip_;
  Headers trailers_;
};

}  // namespace

std::optional<TimePoint> Service::deadlineOf(const Request& request) const {
  const auto text = request.headers.get("grpc-timeout");
  if (!text) return std::nullopt;
  const auto timeout = parseTimeout(*text);
  if (!timeout) return std::nullopt;
  return options_->clock->now() + std::min<std::chrono::nanoseconds>(*timeout, std::chrono::hours(24 * 365));
}

Result<std::string> Service::call(const UnaryMethod& method, const Request& request, std::string_view body,
                                  std::optional<TimePoint> deadline) const {
  SLIP_CHECK(checkEncoding(*options_, request.headers));
  SLIP_TRY(const auto frame, takeFrame(body, options_->maxReceiveMessage));
  if (!frame)
    return fail(Code::BadRequest, body.empty() ? "the request has no message" : "the request ends within its message");
  if (frame->size != body.size())
    return fail(Code::BadRequest, "the request has more than one message; this method takes one");
  if (deadline && options_->clock->now() >= *deadline)
    return fail(Code::Timeout, "the deadline of the call passed before its turn came");
  if (!frame->compressed) return method(frame->message);
  SLIP_TRY(const auto raw, unpacked(*options_, *frame, usesGzip(request.headers)));
  return method(raw);
}

bool Service::answer(const Request& request, std::string_view body, std::optional<TimePoint> deadline,
                     Response& response) const {
  const auto found = unary_.find(request.rawPath());
  if (found == unary_.end()) return false;
  Result<std::string> reply;
  try {
    reply = call(found->second, request, body, deadline);
  } catch (const std::exception& e) {  // out of memory, a fault in a third-party engine: this call fails, the server goes on
    reply = fail(Code::Internal, e.what());
  }
  std::string out;
  const bool gzip = wantsGzip(*options_, request.headers);
  if (reply) {
    auto appended = appendReply(out, *options_, *reply, gzip);
    if (!appended) reply = fail(std::move(appended).error());
  }
  response.status = 200;
  response.headers.clear();
  response.headers.set("content-type", "application/grpc");
  if (!reply) {
    setStatus(response.headers, statusOf(reply.error().code), reply.error().message);
    response.body = Body();
    return true;
  }
  if (options_->gunzip) response.headers.set("grpc-accept-encoding", "identity, gzip");
  if (gzip) response.headers.set("grpc-encoding", "gzip");
  response.body = Body(std::move(out));
  response.body.setTrailers(okTrailers());
  return true;
}

Task<Response> Service::stream(Request request) const {
  const auto found = streams_.find(request.rawPath());
  if (found == streams_.end())
    co_return failure(StatusCode::Unimplemented, "method " + std::string(request.rawPath()) + " is not known");
  auto known = checkEncoding(*options_, request.headers);
  if (!known) co_return failure(known.error());
  const auto deadline = deadlineOf(request);
  const bool gzip = wantsGzip(*options_, request.headers);
  auto messages = std::make_unique<BodyMessages>(options_, std::move(request.body), usesGzip(request.headers));
  Response r;
  r.headers.set("content-type", "application/grpc");
  if (options_->gunzip) r.headers.set("grpc-accept-encoding", "identity, gzip");
  if (gzip) r.headers.set("grpc-encoding", "gzip");
  r.body = Body(std::make_unique<ReplyBody>(options_, found->second(std::move(messages)), deadline, gzip));
  co_return r;
}

}  // namespace slipway::net::grpc
