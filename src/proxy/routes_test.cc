#include "proxy/routes.h"

#include <gtest/gtest.h>

#include "proxy/headers.h"

namespace slipway::proxy {
namespace {

TEST(RouteTable, MatchesHostsThenThePortThenTheLongestPrefix) {
  const auto table = RouteTable::make({
      {.name = "a", .hosts = {"iris.models.localhost", "iris.models.svc"}, .prefixes = {"/serving/models/iris"}},
      {.name = "metrics", .hosts = {"iris.models.svc:9090"}},
      {.name = "deep", .prefixes = {"/serving/models/iris/deep/"}},
  });
  const auto name = [&](std::string_view host, std::string_view path) -> std::string {
    const auto match = table->find(host, path);
    return match ? table->routes()[match->index].name + "+" + std::to_string(match->prefixSize) : "none";
  };
  EXPECT_EQ(name("iris.models.localhost", "/v1"), "a+0");
  EXPECT_EQ(name("iris.models.localhost:8080", "/v1"), "a+0");
  EXPECT_EQ(name("IRIS.models.localhost.:8080", "/v1"), "a+0");
  EXPECT_EQ(name("iris.models.svc:9090", "/"), "metrics+0");
  EXPECT_EQ(name("iris.models.svc:80", "/"), "a+0");
  EXPECT_EQ(name("127.0.0.1:8080", "/serving/models/iris/v1/models"), "a+20");
  EXPECT_EQ(name("[::1]:8080", "/serving/models/iris"), "a+20");
  EXPECT_EQ(name("x", "/serving/models/iris/deep/y"), "deep+25");
  EXPECT_EQ(name("x", "/serving/models/iris2/v1"), "none");
  EXPECT_EQ(name("x", "/"), "none");
  EXPECT_EQ(name("", ""), "none");
  EXPECT_EQ(table->knownHosts(1), "iris.models.localhost and 1 more");
}

TEST(RouteFile, ErrorsNameTheRouteAndTheField) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{", "line 1"},
      {R"({"routes": 3})", "routes: must be a list"},
      {R"({"routes": [{}]})", "routes[0].name: is required"},
      {R"({"routes": [{"name": "a"}]})", "routes[0]: needs at least one of hosts and prefixes"},
      {R"({"routes": [{"name": "a", "hosts": [1]}]})", "routes[0].hosts: must be a list of strings"},
      {R"({"routes": [{"name": "a", "prefixes": ["x"]}]})", "routes[0].prefixes: 'x' must start with '/'"},
      {R"({"routes": [{"name": "a", "hostz": ["h"]}]})", "routes[0].hostz: unknown field"},
      {R"({"routes": [{"name": "a", "hosts": ["h"], "backends": [{"weight": 0, "endpoints": ["127.0.0.1:1"]}]}]})",
       "routes[0].backends: every weight is 0"},
      {R"({"routes": [{"name": "a", "hosts": ["h"]}, {"name": "a", "hosts": ["i"]}]})", "routes[1].name: 'a' is taken"},
      {R"({"routes": [{"name": "a", "hosts": ["h"], "endpoints": ["nowhere"]}]})",
       "routes[0].endpoints: 'nowhere' is not an endpoint"},
      {R"({"routes": [{"name": "a", "hosts": ["h"], "backends": [{"weight": -1}]}]})",
       "routes[0].backends[0].weight: must be a whole number"},
  };
  for (const auto& [text, expected] : cases) {
    const auto parsed = parseRoutes(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_NE(parsed.error().message.find(expected), std::string::npos) << parsed.error().message;
  }
}

TEST(RouteFile, ReadsEveryField) {
  const auto parsed =
      parseRoutes(R"({"routes": [{"name": "a", "hosts": ["h"], "timeoutSeconds": 5, "concurrency": 2, "queue": 3,
      "backends": [{"name": "r1", "weight": 90, "endpoints": ["127.0.0.1:80", "[::1]:81", "unix:/x"]}, {"weight": 10}]}]})");
  ASSERT_TRUE(parsed) << parsed.error().message;
  const auto& route = (*parsed)->routes().at(0);
  EXPECT_EQ(route.timeout, std::chrono::seconds(5));
  EXPECT_EQ(route.concurrency, 2u);
  EXPECT_EQ(route.queue, 3u);
  EXPECT_EQ(route.backends.at(0).weight, 90u);
  EXPECT_EQ(route.backends.at(0).endpoints.at(1), (net::Origin{"::1", 81}));
  EXPECT_EQ(route.backends.at(0).endpoints.at(2).unixPath, "/x");
}

TEST(Headers, HopByHopFieldsStayOnTheirHop) {
  net::Headers h{
      {"Host", "a"},      {"Connection", "close, X-Private"}, {"X-Private", "1"}, {"Keep-Alive", "5"}, {"TE", "trailers"},
      {"Upgrade", "h2c"}, {"Expect", "100-continue"},         {"X-Kept", "2"}};
  removeHopByHop(h, false);
  std::string names;
  for (const auto& [name, value] : h) names += std::string(name) + " ";
  EXPECT_EQ(names, "Host X-Kept ");

  net::Headers own{{"Host", "a"},
                   {"Connection", "host, x-forwarded-for"},
                   {"X-Forwarded-For", "1.1.1.1"},
                   {"X-Forwarded-For", "2.2.2.2"}};
  removeHopByHop(own, false);
  addForwarded(own, {.address = "127.0.0.1:5000"}, false);
  EXPECT_EQ(own.getOr("host", ""), "a");
  EXPECT_EQ(own.getOr("x-forwarded-for", ""), "1.1.1.1, 2.2.2.2, 127.0.0.1");

  net::Headers twice{{"Connection", "keep-alive"}, {"Connection", "X-A, Upgrade"}, {"X-A", "1"}, {"Upgrade", "websocket"}};
  removeHopByHop(twice, true);
  names.clear();
  for (const auto& [name, value] : twice) names += std::string(name) + "=" + std::string(value) + " ";
  EXPECT_EQ(names, "Upgrade=websocket Connection=Upgrade ");
}

TEST(Headers, ForwardedFieldsGrowAndAreNotForged) {
  net::Headers h{{"Host", "a:8080"}, {"X-Forwarded-For", "10.0.0.1"}};
  addForwarded(h, {.address = "127.0.0.1:5000"}, true);
  EXPECT_EQ(h.getOr("x-forwarded-for", ""), "10.0.0.1, 127.0.0.1");
  EXPECT_EQ(h.getOr("x-forwarded-proto", ""), "https");
  EXPECT_EQ(h.getOr("x-forwarded-host", ""), "a:8080");
  EXPECT_TRUE(validRequestId("abc-123"));
  EXPECT_FALSE(validRequestId("a b"));
  EXPECT_FALSE(validRequestId(std::string(200, 'a')));
}

}  // namespace
}  // namespace slipway::proxy
