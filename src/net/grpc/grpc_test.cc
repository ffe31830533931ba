#include <gtest/gtest.h>

#include "net/client.h"
#include "net/grpc/service.h"
#include "net/server.h"
#include "net/testing/run.h"

namespace slipway::net::grpc {
namespace {
using namespace std::chrono_literals;
using net::testing::run;

TEST(GrpcMessage, FramesSayWhatIsWrongWithThem) {
  std::string body;
  appendFrame(body, "abc", false);
  EXPECT_EQ(body, std::string("\0\0\0\0\3abc", 8));
  for (std::size_t n = 0; n < body.size(); ++n)
    EXPECT_FALSE(takeFrame(std::string_view(body).substr(0, n), 10)->has_value());
  const std::string longer = body + "more";
  const auto frame = takeFrame(longer, 10);
  ASSERT_TRUE(frame && *frame);
  EXPECT_EQ((*frame)->message, "abc");
  EXPECT_EQ((*frame)->size, 8u);
  EXPECT_EQ(takeFrame(body, 2).error().code, Code::TooLarge);
  EXPECT_EQ(takeFrame(std::string_view("\2\0\0\0\0", 5), 10).error().code, Code::BadRequest);
  EXPECT_EQ(takeFrame(std::string_view("\0\xff\xff\xff\xff", 5), 1 << 20).error().code, Code::TooLarge);
}

TEST(GrpcMessage, TimeoutsHaveEightDigitsAndAUnit) {
  EXPECT_EQ(parseTimeout("100m"), 100ms);
  EXPECT_EQ(parseTimeout("5S"), 5s);
  EXPECT_EQ(parseTimeout("2M"), 2min);
  EXPECT_EQ(parseTimeout("1H"), 1h);
  EXPECT_EQ(parseTimeout("7u"), 7us);
  EXPECT_EQ(parseTimeout("99999999n"), 99999999ns);
  for (const char* bad : {"", "5", "S", "-1S", "5s", "123456789S", "1.5S"}) EXPECT_FALSE(parseTimeout(bad)) << bad;
}

TEST(GrpcMessage, StatusTextIsPercentEncoded) {
  const auto r = failure({Code::NotFound, "no model 'ä' 100%\n", ""});
  EXPECT_EQ(r.status, 200);
  EXPECT_EQ(r.headers.getOr("grpc-status", ""), "5");
  EXPECT_EQ(r.headers.getOr("grpc-message", ""), "no model '%C3%A4' 100%25%0A");
}

// Upper-cases each message; refuses "bad".
class Upper final : public Replies {
 public:
  explicit Upper(std::unique_ptr<Messages> requests) : requests_(std::move(requests)) {}
  Task<Result<std::optional<std::string>>> next() override {
    auto message = co_await requests_->next();
    if (!message || !*message) co_return message;
    if (**message == "bad") co_return fail(Code::BadRequest, "bad is bad");
    for (char& c : **message) c = static_cast<char>(std::toupper(c));
    co_return message;
  }

 private:
  std::unique_ptr<Messages> requests_;
};

struct Fixture {
  SystemClock clock;
  Service service{{.clock = &clock,
                   .maxReceiveMessage = 5000,
                   .maxSendMessage = 9000,
                   .gunzip = [](std::string_view m, std::size_t) -> Result<std::string> { return "un:" + std::string(m); },
                   .gzip = [](std::string_view m) { return "z:" + std::string(m.substr(0, 3)); }}};
  Fixture() {
    service.unary("/t.T/Twice", [](std::string_view m) -> Result<std::string> {
      if (m == "none") return fail(Code::NotFound, "none is not there");
      return std::string(m) + std::string(m);
    });
    service.streaming("/t.T/Upper", [](std::unique_ptr<Messages> in) { return std::make_unique<Upper>(std::move(in)); });
  }
  Handler handler() {
    return [this](Request r) -> Task<Response> {
      if (!service.isUnary(r.rawPath())) {
        auto streamed = co_await service.stream(std::move(r));
        co_return streamed;
      }
      const auto deadline = service.deadlineOf(r);
      auto body = co_await r.body.readAll(1 << 20);
      Response out;
      service.answer(r, *body, deadline, out);
      co_return out;
    };
  }
};

struct Called {
  std::vector<std::string> messages;
  std::string status, text;
};

Task<Called> call(HttpClient* client, std::uint16_t port, std::string path, std::string body, Headers headers = {}) {
  Request request{.method = "POST", .target = std::move(path)};
  request.headers = std::move(headers);
  request.headers.set("content-type", "application/grpc");
  request.headers.set("te", "trailers");
  request.body = Body(std::move(body));
  Called out;
  auto r = co_await client->send(Origin{.host = "127.0.0.1", .port = port, .http2 = true}, std::move(request));
  if (!r) {
    out.status = r.error().message;
    co_return out;
  }
  auto bytes = co_await r->body.readAll(1 << 20);
  const Headers& end = r->body.trailers() ? *r->body.trailers() : r->headers;
  out.status = std::string(end.getOr("grpc-status", "?"));
  out.text = std::string(end.getOr("grpc-message", ""));
  std::string_view rest = bytes ? std::string_view(*bytes) : "";
  while (!rest.empty()) {
    auto frame = takeFrame(rest, 1 << 20);
    if (!frame || !*frame) break;
    out.messages.push_back(((*frame)->compressed ? "packed " : "") + std::string((*frame)->message));
    rest.remove_prefix((*frame)->size);
  }
  co_return out;
}

std::string framed(std::initializer_list<std::string_view> messages, bool compressed = false) {
  std::string out;
  for (const auto m : messages) appendFrame(out, m, compressed);
  return out;
}

TEST(GrpcService, UnaryCallsAndTheirRefusals) {
  run([](Executor e) -> Task<void> {
    Fixture f;
    HttpServer server(e, f.handler(), {.http2 = true});
    auto bound = server.listen("127.0.0.1", 0);
    HttpClient client(e);
    auto good = co_await call(&client, bound->port, "/t.T/Twice", framed({"ab"}));
    EXPECT_EQ(good.status, "0");
    EXPECT_EQ(good.messages, std::vector<std::string>{"abab"});
    auto none = co_await call(&client, bound->port, "/t.T/Twice", framed({"none"}));
    EXPECT_EQ(none.status + none.text, "5none is not there");
    auto unknown = co_await call(&client, bound->port, "/t.T/Thrice", framed({"ab"}));
    EXPECT_EQ(unknown.status + unknown.text, "12method /t.T/Thrice is not known");
    auto empty = co_await call(&client, bound->port, "/t.T/Twice", "");
    EXPECT_EQ(empty.status, "3") << empty.text;
    auto two = co_await call(&client, bound->port, "/t.T/Twice", framed({"a", "b"}));
    EXPECT_EQ(two.status, "3") << two.text;
    auto large = co_await call(&client, bound->port, "/t.T/Twice", framed({std::string(5001, 'x')}));
    EXPECT_EQ(large.status, "8") << large.text;
    auto largeReply = co_await call(&client, bound->port, "/t.T/Twice", framed({std::string(4800, 'x')}));
    EXPECT_EQ(largeReply.status, "8") << largeReply.text;
    auto late = co_await call(&client, bound->port, "/t.T/Twice", framed({"a"}), Headers{{"grpc-timeout", "0n"}});
    EXPECT_EQ(late.status, "4") << late.text;
    auto brotli = co_await call(&client, bound->port, "/t.T/Twice", framed({"a"}), Headers{{"grpc-encoding", "br"}});
    EXPECT_EQ(brotli.status, "12") << brotli.text;
  });
}

TEST(GrpcService, AnswersArePackedForClientsThatPack) {
  run([](Executor e) -> Task<void> {
    Fixture f;
    HttpServer server(e, f.handler(), {.http2 = true});
    auto bound = server.listen("127.0.0.1", 0);
    HttpClient client(e);
    const Headers gzip{{"grpc-encoding", "gzip"}, {"grpc-accept-encoding", "deflate, gzip"}};
    auto packed = co_await call(&client, bound->port, "/t.T/Twice", framed({std::string(600, 'x')}, true), gzip);
    EXPECT_EQ(packed.messages, std::vector<std::string>{"packed z:un:"});
    auto small = co_await call(&client, bound->port, "/t.T/Twice", framed({"ab"}, true), gzip);
    EXPECT_EQ(small.messages, std::vector<std::string>{"un:abun:ab"});
    auto unsaid = co_await call(&client, bound->port, "/t.T/Twice", framed({"ab"}, true));
    EXPECT_EQ(unsaid.status, "13") << unsaid.text;
  });
}

TEST(GrpcService, StreamsAnswerMessageByMessage) {
  run([](Executor e) -> Task<void> {
    Fixture f;
    HttpServer server(e, f.handler(), {.http2 = true});
    auto bound = server.listen("127.0.0.1", 0);
    HttpClient client(e);
    auto good = co_await call(&client, bound->port, "/t.T/Upper", framed({"a", "bc", ""}));
    EXPECT_EQ(good.messages, (std::vector<std::string>{"A", "BC", ""}));
    EXPECT_EQ(good.status, "0");
    auto bad = co_await call(&client, bound->port, "/t.T/Upper", framed({"a", "bad", "b"}));
    EXPECT_EQ(bad.messages, std::vector<std::string>{"A"});
    EXPECT_EQ(bad.status + bad.text, "3bad is bad");
    auto cut = co_await call(&client, bound->port, "/t.T/Upper", framed({"a"}) + std::string("\0\0", 2));
    EXPECT_EQ(cut.status, "3") << cut.text;
  });
}

TEST(GrpcService, ADeadlineEndsAStreamThatWaits) {
  run([](Executor e) -> Task<void> {
    struct Never final : Replies {
      explicit Never(Clock& c) : clock(c) {}
      Task<Result<std::optional<std::string>>> next() override {
        co_await clock.sleepFor(1h);
        co_return std::optional<std::string>();
      }
      Clock& clock;
    };
    Fixture f;
    f.service.streaming("/t.T/Never", [&f](std::unique_ptr<Messages>) { return std::make_unique<Never>(f.clock); });
    HttpServer server(e, f.handler(), {.http2 = true});
    auto bound = server.listen("127.0.0.1", 0);
    HttpClient client(e);
    auto late = co_await call(&client, bound->port, "/t.T/Never", framed({"a"}), Headers{{"grpc-timeout", "50m"}});
    EXPECT_EQ(late.status, "4") << late.text;
  });
}

}  // namespace
}  // namespace slipway::net::grpc
