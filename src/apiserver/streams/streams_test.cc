// exec, attach and port-forward over pipes, with a node of the test's own: protocols, statuses, refusals.
#include <gtest/gtest.h>

#include "apiserver/http/stream_routes.h"
#include "apiserver/streams/port_forward.h"
#include "apiserver/streams/remote_command.h"
#include "apiserver/testing/test_api.h"
#include "net/spdy/frames.h"

namespace slipway::apiserver {
namespace {
using namespace std::chrono_literals;
using net::ByteStream;
using net::spdy::FrameType;

// A process that gives back its input in capitals and ends with code 3 at the end of it.
class Shouter final : public kube::ProcessSession {
 public:
  explicit Shouter(bool* alive) : alive_(alive) {
    *alive_ = true;
    std::tie(in_, inEnd_) = net::makePipe();
    std::tie(out_, outEnd_) = net::makePipe();
  }
  ~Shouter() override { *alive_ = false; }
  ByteStream* in() override { return in_.get(); }
  ByteStream* out() override { return out_.get(); }
  ByteStream* err() override { return nullptr; }
  void resize(kube::TerminalSize size) override { lastSize = size; }
  Task<Result<int>> wait() override {
    std::string buffer(100, '\0');
    for (;;) {
      const auto n = co_await inEnd_->read(buffer);
      if (!n || *n == 0) break;
      std::string text = buffer.substr(0, *n);
      for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      auto written = co_await outEnd_->write(text);
      (void)written;
    }
    outEnd_->shutdownWrite();
    co_return 3;
  }
  kube::TerminalSize lastSize;

 private:
  bool* alive_;
  std::unique_ptr<ByteStream> in_, inEnd_, out_, outEnd_;
};

struct FakeNode final : kube::PodStreams {
  Task<Result<net::Body>> logs(Json, kube::LogOptions) override { co_return net::Body("log\n"); }
  Status canOpen(const Json&, const std::string& container) override {
    if (container == "main") return {};
    return fail(Code::NotFound, "container not found (\"" + container + "\")");
  }
  Task<Result<std::unique_ptr<kube::ProcessSession>>> open(Json, kube::SessionOptions options) override {
    asked = options;
    if (!options.command.empty() && options.command[0] == "missing") co_return fail(Code::Internal, "no such program");
    co_return std::make_unique<Shouter>(&processAlive);
  }
  // The far end of the connection waits in `dialled`; port 1 refuses.
  Task<Result<std::unique_ptr<ByteStream>>> dial(Json, std::uint16_t port) override {
    if (port == 1) co_return fail(Code::Unavailable, "cannot connect: Connection refused");
    auto [near, far] = net::makePipe();
    dialled = std::move(far);
    co_return std::move(near);
  }
  std::optional<kube::Usage> podUsage(const Json&) override {
    kube::Usage usage{WallTime(1767225600s), 15s, 0, 0, {{"main", 250'000'000, 64 << 20}}};
    return usage;
  }
  std::optional<kube::Usage> nodeUsage(const std::string&) override {
    return kube::Usage{WallTime(1767225600s), 15s, 1'500'000'000, std::int64_t{2} << 30, {}};
  }
  kube::SessionOptions asked;
  bool processAlive = false;
  std::unique_ptr<ByteStream> dialled;
};

class StreamsTest : public ::testing::Test {
 protected:
  StreamsTest() {
    api.server().setPodStreams(&node);
    for (const char* name : {"p", "free"}) {
      Json pod{{"apiVersion", "v1"},
               {"kind", "Pod"},
               {"metadata", {{"name", name}, {"namespace", "default"}, {"labels", {{"app", name}}}}},
               {"spec", {{"containers", {{{"name", "main"}, {"image", "local"}}, {{"name", "off"}, {"image", "local"}}}}}}};
      if (name == std::string("p")) pod["spec"]["nodeName"] = "n1";
      EXPECT_TRUE(api.await(api.client().create(kinds::kPod, pod)));
    }
  }
  static constexpr const char* kPods = "/api/v1/namespaces/default/pods/";
  using HeaderLines = std::vector<std::pair<std::string, std::string>>;
  static HeaderLines spdy(const std::string& protocols) {
    return {{"Connection", "Upgrade"}, {"Upgrade", "SPDY/3.1"}, {"X-Stream-Protocol-Version", protocols}};
  }
  static HeaderLines webSocket(std::string protocols) {
    return {{"Connection", "keep-alive, Upgrade"},
            {"Upgrade", "websocket"},
            {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
            {"Sec-WebSocket-Version", "13"},
            {"Sec-WebSocket-Protocol", std::move(protocols)}};
  }
  net::Response request(std::string method, const std::string& path, HeaderLines headers = {}) {
    return api.http(std::move(method), kPods + path, "", std::move(headers));
  }
  std::string refusal(std::string method, const std::string& path, HeaderLines headers = {}) {
    net::Response r = request(std::move(method), path, std::move(headers));
    const Json status = Json::parse(r.body.bytes(), nullptr, false);
    return fmt::format("{} {}", r.status, status.is_object() ? textAt(status, "message") : r.body.bytes());
  }
  // Hands the connection over; the client's end comes back.
  void connect(net::Response response) {
    ASSERT_EQ(response.status, 101) << response.body.bytes();
    auto [near, far] = net::makePipe();
    client = std::move(near);
    served = false;
    boost::asio::co_spawn(
        io,
        [](net::Response r, std::unique_ptr<ByteStream> s) -> Task<void> { co_await r.upgrade(std::move(s)); }(
                                                               std::move(response), std::move(far)),
        [this](std::exception_ptr e) {
          served = true;
          EXPECT_FALSE(e);
        });
  }
  void send(std::string bytes) { EXPECT_TRUE(api.await(client->write(bytes))); }
  std::string receive() {
    std::string buffer(65536, '\0');
    const auto n = api.await(client->read(buffer));
    return n ? buffer.substr(0, *n) : "";
  }
  // What came on each SPDY stream, until `streams` of them have ended.
  std::map<std::uint32_t, std::string> receiveSpdy(std::size_t streams) {
    std::map<std::uint32_t, std::string> data;
    std::set<std::uint32_t> ended;
    std::string in;
    while (ended.size() < streams) {
      const std::string more = receive();
      if (more.empty()) break;
      in += more;
      std::string_view view = in;
      for (auto frame = decoder.next(&view); frame && *frame; frame = decoder.next(&view)) {
        if ((*frame)->type == FrameType::Data) data[(*frame)->stream] += (*frame)->data;
        if ((*frame)->fin || (*frame)->type == FrameType::RstStream) ended.insert((*frame)->stream);
      }
      in.erase(0, in.size() - view.size());
    }
    return data;
  }

  boost::asio::io_context io;
  TestApi api{io, {.roles = true}};
  FakeNode node;
  std::unique_ptr<ByteStream> client;
  net::spdy::Encoder encoder;
  net::spdy::Decoder decoder;
  bool served = false;
};

TEST_F(StreamsTest, RefusalsAreTheRealOnes) {
  const auto good = spdy("v4.channel.k8s.io");
  EXPECT_EQ(refusal("POST", "nope/exec?command=ls&stdout=true&container=main", good), "404 pods \"nope\" not found");
  EXPECT_EQ(refusal("POST", "free/exec?command=ls&stdout=true&container=main", good),
            "400 pod free does not have a host assigned");
  EXPECT_EQ(refusal("POST", "free/portforward", spdy("portforward.k8s.io")), "400 pod free does not have a host assigned");
  EXPECT_EQ(refusal("POST", "p/exec?command=ls&stdout=true&container=x", good), "400 container x is not valid for pod p");
  EXPECT_EQ(refusal("POST", "p/exec?command=ls&stdout=true", good),
            "400 a container name must be specified for pod p, choose one of: [main off]");
  EXPECT_EQ(refusal("POST", "p/exec?command=ls&container=main", good),
            "400 you must specify at least 1 of stdin, stdout, stderr");
  EXPECT_EQ(refusal("POST", "p/exec?stdout=true&container=main", good),
            "400 you must specify at least one command for the container");
  EXPECT_EQ(refusal("POST", "p/exec?command=ls&stdout=true&container=off", good), "404 container not found (\"off\")");
  EXPECT_EQ(refusal("POST", "p/exec?command=ls&stdout=true&container=main"), "400 Upgrade request required");
  EXPECT_EQ(refusal("POST", "p/exec?command=ls&stdout=true&container=main", spdy("v9")),
            "403 unable to upgrade: unable to negotiate protocol: client supports [v9], server accepts [v5.channel.k8s.io "
            "v4.channel.k8s.io]");
  EXPECT_EQ(refusal("GET", "p/portforward", webSocket("v4.channel.k8s.io")), "400 query parameter \"ports\" is required");
  EXPECT_EQ(refusal("GET", "p/portforward?ports=http", webSocket("v4.channel.k8s.io")),
            "400 unable to parse \"http\" as a port");
  EXPECT_EQ(refusal("GET", "p/portforward?ports=0", webSocket("v4.channel.k8s.io")), "400 port \"0\" must be > 0");
  EXPECT_EQ(refusal("DELETE", "p/exec"), "405 the server does not allow this method on the requested resource");
  EXPECT_EQ(refusal("GET", "p/log?container=main&tailLines=-1"),
            "422 PodLogOptions \"\" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0");
  EXPECT_EQ(refusal("GET", "p/log?container=main&limitBytes=0"),
            "422 PodLogOptions \"\" is invalid: limitBytes: Invalid value: 0: must be greater than 0");
  EXPECT_EQ(refusal("GET", "p/log?container=main&sinceTime=yesterday"),
            "400 sinceTime: \"yesterday\" is not a time like 2026-01-31T12:00:00Z");
}

TEST_F(StreamsTest, TheHandshakeEchoesTheProtocolThatIsSpoken) {
  const std::string path = "p/exec?command=ls&stdout=true&container=main";
  net::Response r = request("POST", path, spdy("v5.channel.k8s.io, v4.channel.k8s.io, v3.channel.k8s.io"));
  EXPECT_EQ(r.status, 101);
  EXPECT_EQ(r.headers.getOr("X-Stream-Protocol-Version", ""), "v5.channel.k8s.io");
  r = request("GET", path, webSocket("v9.x, v4.channel.k8s.io"));
  EXPECT_EQ(r.headers.getOr("Sec-WebSocket-Protocol", ""), "v4.channel.k8s.io");
  EXPECT_EQ(r.headers.getOr("Sec-WebSocket-Accept", ""), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  r = request("GET", "p/portforward", webSocket("SPDY/3.1+portforward.k8s.io"));
  EXPECT_EQ(r.headers.getOr("Sec-WebSocket-Protocol", ""), "SPDY/3.1+portforward.k8s.io");
}

TEST_F(StreamsTest, ExecOverSpdyCarriesInputOutputAndTheExitCode) {
  connect(request("POST", "p/exec?command=tr&command=a+b&stdin=true&stdout=true&container=main", spdy("v4.channel.k8s.io")));
  std::string wire;
  encoder.synStream(wire, 1, {{"streamtype", "error"}}, false);
  encoder.synStream(wire, 3, {{"streamtype", "stdin"}}, false);
  encoder.synStream(wire, 5, {{"streamtype", "stdout"}}, false);
  net::spdy::Encoder::data(wire, 3, "hello", true);
  send(wire);
  const auto data = receiveSpdy(2);
  EXPECT_EQ(data.at(5), "HELLO");
  const Json status = Json::parse(data.at(1));
  EXPECT_EQ(status["reason"], "NonZeroExitCode");
  EXPECT_EQ(status["details"]["causes"][0]["message"], "3");
  EXPECT_EQ(node.asked.command, (std::vector<std::string>{"tr", "a b"}));
  client->close();
  EXPECT_TRUE(api.runUntil([&] { return served; }));
}

TEST_F(StreamsTest, ExecOverWebSocketHalfClosesInputAndEndsWithAClose) {
  connect(request("GET", "p/exec?command=x&stdin=true&stdout=true&container=main", webSocket("v5.channel.k8s.io")));
  const std::string zeroMask(4, '\0');
  send("\x82\x86" + zeroMask + std::string("\0hello", 6) + "\x82\x82" + zeroMask + std::string("\xff\0", 2));
  std::string got;
  EXPECT_TRUE(api.runUntil([&] { return got += receive(), got.find("\x88\x02\x03\xe8") != std::string::npos; }));
  EXPECT_TRUE(got.starts_with("\x82\x01\x01")) << got;  // an empty message comes first
  EXPECT_NE(got.find("\x82\x06\x01HELLO"), std::string::npos) << got;
  EXPECT_NE(got.find("\x03{"), std::string::npos) << got;
  EXPECT_NE(got.find("\"ExitCode\""), std::string::npos) << got;
  client->close();
  EXPECT_TRUE(api.runUntil([&] { return served; }));
}

TEST_F(StreamsTest, AClientThatLeavesEndsTheProcess) {
  for (const bool ws : {false, true}) {
    const std::string path = "p/exec?command=x&stdin=true&stdout=true&container=main";
    connect(ws ? request("GET", path, webSocket("v4.channel.k8s.io")) : request("POST", path, spdy("v4.channel.k8s.io")));
    std::string wire;
    net::spdy::Encoder fresh;
    fresh.synStream(wire, 1, {{"streamtype", "error"}}, false);
    fresh.synStream(wire, 3, {{"streamtype", "stdin"}}, false);
    fresh.synStream(wire, 5, {{"streamtype", "stdout"}}, false);
    if (!ws) send(wire);
    EXPECT_TRUE(api.runUntil([&] { return node.processAlive; })) << ws;
    client->close();
    EXPECT_TRUE(api.runUntil([&] { return served && !node.processAlive; })) << ws;
  }
}

TEST_F(StreamsTest, WhatCannotBeStartedIsToldOnTheErrorStream) {
  connect(request("POST", "p/exec?command=missing&stdout=true&container=main", spdy("v4.channel.k8s.io")));
  std::string wire;
  encoder.synStream(wire, 1, {{"streamtype", "error"}}, false);
  encoder.synStream(wire, 3, {{"streamtype", "stdout"}}, false);
  send(wire);
  const Json status = Json::parse(receiveSpdy(2).at(1));
  EXPECT_EQ(status["message"], "Internal error occurred: error executing command in container: no such program");
  client->close();
  EXPECT_TRUE(api.runUntil([&] { return served; }));
}

TEST_F(StreamsTest, PortForwardPairsStreamsPassesHalfClosesAndTellsRefusals) {
  connect(request("POST", "p/portforward", spdy("portforward.k8s.io")));
  std::string wire;
  encoder.synStream(wire, 1, {{"port", "80"}, {"requestid", "0"}, {"streamtype", "error"}}, true);
  encoder.synStream(wire, 3, {{"port", "80"}, {"requestid", "0"}, {"streamtype", "data"}}, false);
  net::spdy::Encoder::data(wire, 3, "request", true);
  send(wire);
  ASSERT_TRUE(api.runUntil([&] { return node.dialled != nullptr; }));
  std::string buffer(100, '\0');
  auto n = api.await(node.dialled->read(buffer));
  EXPECT_EQ(buffer.substr(0, *n), "request");
  n = api.await(node.dialled->read(buffer));
  EXPECT_EQ(*n, 0u);  // the client's half close
  EXPECT_TRUE(api.await(node.dialled->write("answer")));
  node.dialled->shutdownWrite();
  EXPECT_EQ(receiveSpdy(2).at(3), "answer");
  wire.clear();
  encoder.synStream(wire, 5, {{"port", "1"}, {"requestid", "1"}, {"streamtype", "error"}}, true);
  encoder.synStream(wire, 7, {{"port", "1"}, {"requestid", "1"}, {"streamtype", "data"}}, false);
  send(wire);
  const std::string told = receiveSpdy(2).at(5);
  EXPECT_TRUE(told.starts_with("error forwarding port 1 to pod ")) << told;
  EXPECT_TRUE(told.ends_with("cannot connect: Connection refused")) << told;
  client->close();
  EXPECT_TRUE(api.runUntil([&] { return served; }));
}

TEST_F(StreamsTest, PortChannelsBeginWithTheirPort) {
  connect(request("GET", "p/portforward?ports=8080", webSocket("v4.channel.k8s.io")));
  std::string got;
  EXPECT_TRUE(api.runUntil([&] { return got += receive(), got.size() >= 10; }));
  EXPECT_EQ(got, std::string("\x82\x03\x00\x90\x1f\x82\x03\x01\x90\x1f", 10));
  ASSERT_TRUE(api.runUntil([&] { return node.dialled != nullptr; }));
  EXPECT_TRUE(api.await(node.dialled->write("hi")));
  EXPECT_EQ(receive(), std::string("\x82\x03\x00hi", 5));
  node.dialled->close();
  EXPECT_EQ(receive().substr(0, 2), "\x88\x02");
  client->close();
  EXPECT_TRUE(api.runUntil([&] { return served; }));
}

TEST_F(StreamsTest, MetricsAreServedAndListedOnlyWithANode) {
  const auto get = [&](const std::string& path) {
    net::Response r = api.http("GET", path);
    return std::pair(r.status, Json::parse(r.body.bytes(), nullptr, false));
  };
  const auto [code, list] = get("/apis/metrics.k8s.io/v1beta1/namespaces/default/pods?labelSelector=app%3Dp");
  EXPECT_EQ(code, 200);
  ASSERT_EQ(list["items"].size(), 1u);
  EXPECT_EQ(list["items"][0]["containers"][0]["usage"], (Json{{"cpu", "250000000n"}, {"memory", "65536Ki"}}));
  EXPECT_EQ(list["items"][0]["window"], "15.000s");
  EXPECT_EQ(get("/apis/metrics.k8s.io/v1beta1/namespaces/default/pods/p").second["kind"], "PodMetrics");
  EXPECT_EQ(get("/apis/metrics.k8s.io/v1beta1/namespaces/default/pods/none").first, 404);
  EXPECT_EQ(get("/apis/metrics.k8s.io/v1beta1").second["resources"].size(), 2u);
  api.server().setPodStreams(nullptr);
  EXPECT_EQ(get("/apis/metrics.k8s.io/v1beta1").first, 404);
  EXPECT_EQ(get("/apis/metrics.k8s.io/v1beta1/nodes").first, 404);
}

TEST(TerminalSize, TextsComeInPiecesAndTheLastWins) {
  std::string text = "{\"Width\":80,\"Hei";
  EXPECT_FALSE(takeTerminalSize(&text));
  text += "ght\":24}\n{\"Width\":100,\"Height\":30}\n{\"Wid";
  const auto size = takeTerminalSize(&text);
  ASSERT_TRUE(size);
  EXPECT_EQ(size->columns, 100);
  EXPECT_EQ(size->rows, 30);
  EXPECT_EQ(text, "\n{\"Wid");
  text = "junk}{\"Width\":-1,\"Height\":70000}";
  EXPECT_FALSE(takeTerminalSize(&text));
  EXPECT_EQ(text, "");
}

}  // namespace
}  // namespace slipway::apiserver
