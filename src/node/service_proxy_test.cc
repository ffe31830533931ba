#include "node/service_proxy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "kube/testing/loop.h"
#include "net/dial.h"

namespace slipway::node {
namespace {
using namespace std::chrono_literals;
namespace asio = boost::asio;
using asio::ip::tcp;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

kube::Object object(Json j) { return std::make_shared<const Json>(std::move(j)); }
kube::Object service(const char* name, Json spec) {
  return object({{"metadata", {{"name", name}, {"namespace", "ns"}}}, {"spec", std::move(spec)}});
}
kube::Object slice(const char* of, Json ports, Json endpoints) {
  return object({{"metadata", {{"name", of}, {"namespace", "ns"}, {"labels", {{"kubernetes.io/service-name", of}}}}},
                 {"ports", std::move(ports)},
                 {"endpoints", std::move(endpoints)}});
}
ServiceRoutes routes(std::vector<kube::Object> services, std::vector<kube::Object> slices,
                     std::vector<kube::Object> pods = {}, std::optional<Endpoint> api = {}) {
  return serviceRoutes({services, slices, pods, "127.0.0.1", std::move(api)});
}

TEST(ServiceRoutes, EveryTcpPortOfAServiceLeadsToItsReadyPods) {
  const auto web = service("web", {{"clusterIP", "127.96.0.9"},
                                   {"type", "NodePort"},
                                   {"sessionAffinity", "ClientIP"},
                                   {"ports",
                                    {{{"name", "a"}, {"port", 80}, {"nodePort", 30080}},
                                     {{"name", "b"}, {"port", 90}},
                                     {{"name", "s"}, {"port", 54}, {"protocol", "SCTP"}},
                                     {{"name", "dns"}, {"port", 53}, {"protocol", "UDP"}}}}});
  const auto pods = slice("web", {{{"name", "a"}, {"port", 8080}}, {{"name", "dns"}, {"port", 53}, {"protocol", "UDP"}}},
                          {{{"addresses", {"127.128.0.3"}}},
                           {{"addresses", {"127.128.0.2"}}, {"conditions", {{"ready", true}}}},
                           {{"addresses", {"127.128.0.4"}}, {"conditions", {{"ready", false}}}}});
  const ServiceRoute a{"service ns/web port 80", {{"127.128.0.2", 8080}, {"127.128.0.3", 8080}}, 10800s};
  EXPECT_THAT(routes({web}, {pods}),
              UnorderedElementsAre(Pair(Endpoint{"127.96.0.9", 80}, a), Pair(Endpoint{"127.0.0.1", 30080}, a)));
  EXPECT_THAT(unforwardedPorts(*web), ElementsAre("port s (SCTP 54) is not forwarded: only TCP and UDP are"));
  const ServiceRoute dns{"service ns/web port 53", {{"127.128.0.2", 53}, {"127.128.0.3", 53}}, 10800s};
  EXPECT_THAT(serviceRoutes({{web}, {pods}, {}, "127.0.0.1", {}, "UDP"}),
              UnorderedElementsAre(Pair(Endpoint{"127.96.0.9", 53}, dns)));
}

TEST(ServiceRoutes, HeadlessAndExternalServicesHaveNoAddressOfTheirOwn) {
  const auto pods = slice("s", {{{"port", 80}}}, {{{"addresses", {"127.128.0.3"}}}});
  EXPECT_THAT(routes({service("s", {{"clusterIP", "None"}, {"ports", {{{"port", 80}}}}})}, {pods}), IsEmpty());
  EXPECT_THAT(routes({service("s", {{"type", "ExternalName"}, {"externalName", "x"}})}, {pods}), IsEmpty());
}

TEST(ServiceRoutes, HostPortsAndTheApi) {
  const Json ready = Json::array({{{"type", "Ready"}, {"status", "True"}}});
  const Json containers = Json::array({{{"ports", {{{"containerPort", 8080}, {"hostPort", 18080}}}}}});
  const auto pod = object({{"metadata", {{"name", "p"}, {"namespace", "ns"}}},
                           {"spec", {{"containers", containers}}},
                           {"status", {{"podIP", "127.128.0.2"}, {"conditions", ready}}}});
  const auto api = object({{"metadata", {{"name", "kubernetes"}, {"namespace", "default"}}},
                           {"spec", {{"clusterIP", "127.96.0.1"}, {"ports", {{{"name", "https"}, {"port", 443}}}}}}});
  EXPECT_THAT(routes({api}, {}, {pod}, Endpoint{"127.0.0.1", 6443}),
              UnorderedElementsAre(
                  Pair(Endpoint{"127.0.0.1", 18080}, ServiceRoute{"pod ns/p host port 18080", {{"127.128.0.2", 8080}}, 0s}),
                  Pair(Endpoint{"127.96.0.1", 443},
                       ServiceRoute{"service default/kubernetes port 443", {{"127.0.0.1", 6443}}, 0s})));
}

// A server that tells its own number and then sends back what it gets, until the client closes its side.
class Echo {
 public:
  Echo(TaskScope& scope, const std::string& address, int number) : acceptor_(scope.executor()) {
    const tcp::endpoint where(asio::ip::make_address(address), 0);
    acceptor_.open(where.protocol());
    acceptor_.bind(where);
    acceptor_.listen();
    scope.spawn("echo", [this, &scope, number] { return run(this, &scope, number); });
  }
  Endpoint endpoint() const { return {acceptor_.local_endpoint().address().to_string(), acceptor_.local_endpoint().port()}; }
  void close() { acceptor_.close(); }

 private:
  static Task<void> run(Echo* self, TaskScope* scope, int number) {
    for (;;) {
      tcp::socket s = co_await self->acceptor_.async_accept(asio::use_awaitable);
      auto shared = std::make_shared<tcp::socket>(std::move(s));
      scope->spawn("echo connection", [shared, number] { return answer(shared, number); });
    }
  }
  static Task<void> answer(std::shared_ptr<tcp::socket> s, int number) {
    std::string all = std::to_string(number);
    boost::system::error_code ec;
    char buffer[4096];
    for (;;) {
      const std::size_t n = co_await s->async_read_some(asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, ec));
      if (ec) break;
      all.append(buffer, n);
    }
    co_await asio::async_write(*s, asio::buffer(all), asio::redirect_error(asio::use_awaitable, ec));
  }
  tcp::acceptor acceptor_;
};

class ServiceProxyTest : public ::testing::Test {
 protected:
  ~ServiceProxyTest() override {
    proxy_.reset();
    scope_.cancel();
    loop_.run(scope_.join());
  }
  // Sends, closes its own side, and reads to the end: "" when refused.
  static Task<std::string> talk(Endpoint to, std::string text) {
    auto stream = co_await net::dial(net::Origin{to.host, to.port, false, ""}, nullptr, 2s);
    if (!stream) co_return "refused";
    const Status sent = co_await (*stream)->write(text);
    (*stream)->shutdownWrite();
    std::string all;
    char buffer[65536];
    for (;;) {
      const auto n = co_await (*stream)->read(buffer);
      if (!n || *n == 0) co_return all;
      all.append(buffer, *n);
    }
  }
  std::string ask(const std::string& text) { return loop_.run(talk(service_, text)); }
  void serve(std::vector<Endpoint> endpoints, std::chrono::seconds affinity = 0s) {
    ServiceRoutes r;
    if (!endpoints.empty()) r[service_] = {"service ns/web port 1", std::move(endpoints), affinity};
    proxy_->update(std::move(r));
  }
  static std::uint16_t freePort() {
    asio::io_context io;
    tcp::acceptor a(io, tcp::endpoint(asio::ip::make_address("127.96.200.1"), 0));
    return a.local_endpoint().port();
  }

  kube::Loop loop_;
  SystemClock clock_;
  TaskScope scope_{loop_.executor(), "test"};
  std::shared_ptr<ServiceProxy> proxy_ = std::make_shared<ServiceProxy>(clock_, scope_);
  Endpoint service_{"127.96.200.1", freePort()};
};

TEST_F(ServiceProxyTest, ConnectionsGoToThePodsInTurnAndHalfClosesPass) {
  Echo one(scope_, "127.128.200.1", 1);
  Echo two(scope_, "127.128.200.2", 2);
  serve({one.endpoint(), two.endpoint()});
  ASSERT_TRUE(loop_.until([&] { return proxy_->listening() == 1; }));
  std::set<std::string> got;
  for (int i = 0; i < 4; ++i) got.insert(ask("x"));
  EXPECT_THAT(got, UnorderedElementsAre("1x", "2x"));
  const std::string large(3'000'000, 'y');
  EXPECT_EQ(ask(large).size(), large.size() + 1);
  EXPECT_TRUE(loop_.until([&] { return proxy_->connections() == 0; }));
}

TEST_F(ServiceProxyTest, AffinityKeepsAClientOnItsPodUntilThatIsGone) {
  Echo one(scope_, "127.128.200.1", 1);
  Echo two(scope_, "127.128.200.2", 2);
  serve({one.endpoint(), two.endpoint()}, 60s);
  ASSERT_TRUE(loop_.until([&] { return proxy_->listening() == 1; }));
  const std::string first = ask("");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask(""), first);
  serve({first == "1" ? two.endpoint() : one.endpoint()}, 60s);
  EXPECT_EQ(ask(""), first == "1" ? "2" : "1");
}

TEST_F(ServiceProxyTest, APodThatRefusesIsPassedOver) {
  Echo one(scope_, "127.128.200.1", 1);
  Echo two(scope_, "127.128.200.2", 2);
  serve({one.endpoint(), two.endpoint()});
  ASSERT_TRUE(loop_.until([&] { return proxy_->listening() == 1; }));
  two.close();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask(""), "1");
}

TEST_F(ServiceProxyTest, NobodyIsListenedForBeforeAPodAnswersNorAfterTheLastIsGone) {
  serve({{"127.128.200.9", 1}});
  EXPECT_EQ(ask(""), "refused");
  Echo one(scope_, "127.128.200.1", 1);
  serve({one.endpoint()});
  ASSERT_TRUE(loop_.until([&] { return proxy_->listening() == 1; }));
  serve({});
  EXPECT_EQ(ask(""), "refused");
}

TEST_F(ServiceProxyTest, AProgramThatListensEverywhereKeepsItsPort) {
  tcp::acceptor everywhere(loop_.executor(), tcp::endpoint(tcp::v4(), service_.port));
  serve({{"127.0.0.1", service_.port}});
  // The proxy finds the port taken and leaves it: the program itself answers there.
  auto accepted = loop_.run([](tcp::acceptor& a) -> Task<bool> {
    tcp::socket s = co_await a.async_accept(asio::use_awaitable);
    co_return s.is_open();
  }(everywhere));
  EXPECT_TRUE(accepted);
  loop_.settle();
  EXPECT_EQ(proxy_->listening(), 0U);
}

}  // namespace
}  // namespace slipway::node
