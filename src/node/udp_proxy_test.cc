#include "node/udp_proxy.h"

#include <gtest/gtest.h>

#include <boost/asio/ip/udp.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "kube/testing/loop.h"

namespace slipway::node {
namespace {
using namespace std::chrono_literals;
namespace asio = boost::asio;
using asio::ip::udp;

udp::endpoint local(std::uint16_t port = 0) { return {asio::ip::make_address("127.0.0.1"), port}; }

// A program that answers each datagram with its own name and what it got.
class Program {
 public:
  Program(TaskScope& scope, std::string name) : name_(std::move(name)), socket_(scope.executor(), local()) {
    scope.spawn("program", [this] { return run(this); });
  }
  Endpoint endpoint() const { return {"127.0.0.1", socket_.local_endpoint().port()}; }

 private:
  static Task<void> run(Program* self) {
    std::string buffer(65536, '\0');
    for (;;) {
      udp::endpoint from;
      const std::size_t n = co_await self->socket_.async_receive_from(asio::buffer(buffer), from, asio::use_awaitable);
      self->socket_.send_to(asio::buffer(self->name_ + buffer.substr(0, n)), from);
    }
  }
  std::string name_;
  udp::socket socket_;
};

class UdpProxyTest : public ::testing::Test {
 protected:
  ~UdpProxyTest() override {
    proxy_.reset();
    scope_.cancel();
    loop_.run(scope_.join());
  }
  void start(UdpProxyOptions options = {}) { proxy_ = std::make_shared<UdpProxy>(clock_, scope_, options); }
  // A port that was free a moment ago.
  Endpoint freePort() { return {"127.0.0.1", udp::socket(loop_.executor(), local()).local_endpoint().port()}; }
  std::unique_ptr<udp::socket> client() {
    auto socket = std::make_unique<udp::socket>(loop_.executor(), local());
    socket->non_blocking(true);
    return socket;
  }
  // What `from` has got from that port by now; "" when nothing.
  static std::string answered(udp::socket& from, const Endpoint& by) {
    std::string got(65536, '\0');
    boost::system::error_code ec;
    udp::endpoint sender;
    const std::size_t size = from.receive_from(asio::buffer(got), sender, 0, ec);
    return ec || sender.port() != by.port ? "" : got.substr(0, size);
  }
  // Sends and waits for the answer.
  std::string ask(udp::socket& from, const Endpoint& to, const std::string& text) {
    from.send_to(asio::buffer(text), local(to.port));
    std::string got;
    loop_.until([&] { return !(got = answered(from, to)).empty(); });
    return got;
  }
  bool listens(std::size_t ports) {
    return loop_.until([&] { return proxy_->listening() == ports; });
  }

  kube::Loop loop_;
  SystemClock clock_;
  TaskScope scope_{loop_.executor(), "test"};
  std::shared_ptr<UdpProxy> proxy_;
};

TEST(ProcNetUdp, ShowsWhoReceives) {
  const std::string table =
      "   sl  local_address rem_address   st tx_queue rx_queue\n"
      "  342: 0200807F:0035 00000000:0000 07 00000000:00000000\n"
      "  343: 00000000:1F90 00000000:0000 07 00000000:00000000\n";
  EXPECT_TRUE(receives(table, {"127.128.0.2", 53}));
  EXPECT_FALSE(receives(table, {"127.128.0.3", 53}));
  EXPECT_TRUE(receives(table, {"127.128.0.3", 8080})) << "by the program that listens on every address";
  EXPECT_FALSE(receives(table, {"not an address", 53}));
}

TEST_F(UdpProxyTest, EachClientTalksWithOnePodAndClientsTakeTurns) {
  start();
  Program a(scope_, "a:");
  Program b(scope_, "b:");
  const Endpoint on = freePort();
  proxy_->update({{on, {"service", {a.endpoint(), b.endpoint()}, 0s}}});
  ASSERT_TRUE(listens(1));
  const auto first = client();
  const auto second = client();
  EXPECT_EQ(ask(*first, on, "one"), "a:one");
  EXPECT_EQ(ask(*second, on, "two"), "b:two");
  EXPECT_EQ(ask(*first, on, "three"), "a:three");
  EXPECT_EQ(ask(*first, on, std::string(60000, 'x')).size(), 60002u);
  EXPECT_EQ(proxy_->sessions(), 2u);
}

TEST_F(UdpProxyTest, SessionAffinityGoesByAddress) {
  start();
  Program a(scope_, "a:");
  Program b(scope_, "b:");
  const Endpoint on = freePort();
  proxy_->update({{on, {"service", {a.endpoint(), b.endpoint()}, 60s}}});
  ASSERT_TRUE(listens(1));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask(*client(), on, "x"), "a:x");
}

TEST_F(UdpProxyTest, SessionsEndWhenIdleWhenThePodGoesAndWithTheService) {
  start({.idle = 100ms});
  Program a(scope_, "a:");
  Program b(scope_, "b:");
  const Endpoint on = freePort();
  proxy_->update({{on, {"service", {a.endpoint()}, 0s}}});
  ASSERT_TRUE(listens(1));
  const auto socket = client();
  EXPECT_EQ(ask(*socket, on, "x"), "a:x");
  EXPECT_TRUE(loop_.until([&] { return proxy_->sessions() == 0; }));
  EXPECT_EQ(ask(*socket, on, "again"), "a:again");
  proxy_->update({{on, {"service", {b.endpoint()}, 0s}}});
  EXPECT_EQ(ask(*socket, on, "y"), "b:y");
  proxy_->update({});
  EXPECT_TRUE(loop_.until([&] { return proxy_->sessions() == 0; }));
  EXPECT_EQ(proxy_->listening(), 0u);
  udp::socket taken(loop_.executor(), local(on.port));  // the port is free again
}

TEST_F(UdpProxyTest, ClientsBeyondTheBoundAreDropped) {
  start({.maxSessions = 1});
  Program a(scope_, "a:");
  const Endpoint on = freePort();
  proxy_->update({{on, {"service", {a.endpoint()}, 0s}}});
  ASSERT_TRUE(listens(1));
  const auto first = client();
  EXPECT_EQ(ask(*first, on, "x"), "a:x");
  const auto second = client();
  second->send_to(asio::buffer("x", 1), local(on.port));
  EXPECT_EQ(ask(*first, on, "y"), "a:y") << "sent later, so the other one has been looked at";
  EXPECT_EQ(answered(*second, on), "");
  EXPECT_EQ(proxy_->sessions(), 1u);
}

TEST_F(UdpProxyTest, APortIsListenedOnOnlyWhileAProgramIsBehindIt) {
  start();
  const Endpoint on = freePort();
  auto late = std::make_unique<udp::socket>(loop_.executor(), local());
  const Endpoint pod{"127.0.0.1", late->local_endpoint().port()};
  late.reset();
  proxy_->update({{on, {"service", {pod}, 0s}}});
  for (int i = 0; i < 3; ++i) loop_.settle();
  EXPECT_EQ(proxy_->listening(), 0u);
  late = std::make_unique<udp::socket>(loop_.executor(), local(pod.port));
  EXPECT_TRUE(listens(1));
}

}  // namespace
}  // namespace slipway::node
