// Objects to routes: the pure builder by cases, then the feed and a gateway together.
#include "feed/route_feed.h"

#include <gtest/gtest.h>

#include "kube/testing/fake_client.h"
#include "kube/testing/loop.h"
#include "net/server.h"
#include "proxy/forwarder.h"

namespace slipway::feed {
namespace {
using namespace std::chrono_literals;
using net::HttpClient;
using net::HttpServer;
using net::Origin;
using net::Request;
using net::Response;

Json isvc(const std::string& name, Json spec = {{"predictor", {{"model", Json::object()}}}}) {
  return {{"apiVersion", "serving.kserve.io/v1beta1"},
          {"kind", "InferenceService"},
          {"metadata", {{"name", name}, {"namespace", "models"}}},
          {"spec", std::move(spec)}};
}

Json service(const std::string& name,
             Json ports = {{{"name", "http"}, {"port", 80}, {"targetPort", 8080}, {"protocol", "TCP"}}}) {
  return {{"apiVersion", "v1"},
          {"kind", "Service"},
          {"metadata", {{"name", name}, {"namespace", "models"}}},
          {"spec", {{"selector", {{"app", name}}}, {"ports", std::move(ports)}}}};
}

Json slice(const std::string& service, std::vector<std::pair<std::string, bool>> addresses, int port = 8080,
           const std::string& portName = "http") {
  Json endpoints = Json::array();
  for (const auto& [address, ready] : addresses)
    endpoints.push_back({{"addresses", {address}}, {"conditions", {{"ready", ready}}}});
  return {{"apiVersion", "discovery.k8s.io/v1"},
          {"kind", "EndpointSlice"},
          {"addressType", "IPv4"},
          {"metadata",
           {{"name", service + "-1"}, {"namespace", "models"}, {"labels", {{"kubernetes.io/service-name", service}}}}},
          {"endpoints", endpoints},
          {"ports", {{{"name", portName}, {"port", port}, {"protocol", "TCP"}}}}};
}

std::vector<kube::Object> objects(std::vector<Json> list) {
  std::vector<kube::Object> out;
  for (auto& o : list) out.push_back(std::make_shared<const Json>(std::move(o)));
  return out;
}

const proxy::Route* routeFor(const proxy::RouteTable& table, const std::string& host, const std::string& path = "/") {
  const auto match = table.find(host, path);
  return match ? &table.routes()[match->index] : nullptr;
}

TEST(BuildRoutes, AnInferenceServiceIsReachedByEveryNameItHas) {
  const auto table =
      proxy::RouteTable::make(buildRoutes({objects({isvc("iris")}), objects({service("iris-predictor")}),
                                           objects({slice("iris-predictor", {{"127.1.0.2", true}, {"127.1.0.3", false}})})},
                                          {}));
  for (const char* host : {"iris.models.localhost:8080", "iris-models.localhost", "iris.models.example.com",
                           "iris-models.example.com", "iris.models.svc.cluster.local", "iris-predictor.models",
                           "iris-predictor.models.svc", "iris-predictor.models.svc.cluster.local:80"}) {
    const auto* route = routeFor(*table, host);
    ASSERT_TRUE(route) << host;
    ASSERT_EQ(route->backends.size(), 1u) << host;
    EXPECT_EQ(route->backends[0].endpoints, (std::vector<Origin>{{"127.1.0.2", 8080}})) << host;
  }
  ASSERT_TRUE(routeFor(*table, "127.0.0.1:8080", "/serving/models/iris/v1/models/iris:predict"));
  EXPECT_FALSE(routeFor(*table, "iris.other.localhost"));
  EXPECT_FALSE(routeFor(*table, "iris-predictor.models:9999") == routeFor(*table, "iris.models.localhost"));
}

TEST(BuildRoutes, ATransformerComesFirst) {
  const auto routes = buildRoutes(
      {objects({isvc("iris",
                     {{"predictor", {{"timeout", 7}}}, {"transformer", {{"timeout", 9}, {"containerConcurrency", 2}}}})}),
       objects({service("iris-predictor"), service("iris-transformer")}),
       objects({slice("iris-predictor", {{"127.1.0.2", true}}), slice("iris-transformer", {{"127.1.0.9", true}})})},
      {});
  EXPECT_EQ(routes[0].backends[0].endpoints, (std::vector<Origin>{{"127.1.0.9", 8080}}));
  EXPECT_EQ(routes[0].timeout, 9s);
  EXPECT_EQ(routes[0].concurrency, 2u);
}

TEST(BuildRoutes, ClusterLocalServicesHaveNoOutsideName) {
  auto object = isvc("iris");
  object["metadata"]["labels"]["networking.kserve.io/visibility"] = "cluster-local";
  object["status"]["url"] = "http://iris-models.example.com";
  const auto table = proxy::RouteTable::make(buildRoutes({objects({object}), {}, {}}, {}));
  EXPECT_FALSE(routeFor(*table, "iris.models.localhost"));
  EXPECT_FALSE(routeFor(*table, "iris-models.example.com"));
  EXPECT_FALSE(routeFor(*table, "x", "/serving/models/iris/v1"));
  EXPECT_TRUE(routeFor(*table, "iris.models.svc.cluster.local"));
}

TEST(BuildRoutes, ServicePortsAreToldApart) {
  const Json ports = {{{"name", "metrics"}, {"port", 9090}},
                      {{"name", "http1"}, {"port", 8080}},
                      {{"name", "dns"}, {"port", 53}, {"protocol", "UDP"}}};
  auto two = slice("web", {{"10.0.0.1", true}}, 1234, "metrics");
  two["ports"].push_back({{"name", "http1"}, {"port", 4321}});
  const auto table = proxy::RouteTable::make(buildRoutes({{}, objects({service("web", ports)}), objects({two})}, {}));
  EXPECT_EQ(routeFor(*table, "web.models")->backends[0].endpoints[0].port, 4321);
  EXPECT_EQ(routeFor(*table, "web.models.svc:9090")->backends[0].endpoints[0].port, 1234);
  EXPECT_EQ(table->routes().size(), 2u);
}

TEST(BuildRoutes, APortMaySayThatItSpeaksHttp2) {
  const auto http2 = [](Json port) {
    port["port"] = 9000;
    const auto table =
        proxy::RouteTable::make(buildRoutes({{},
                                             objects({service("web", Json::array({port}))}),
                                             objects({slice("web", {{"10.0.0.1", true}}, 9000, port["name"])})},
                                            {}));
    return routeFor(*table, "web.models")->backends[0].endpoints.at(0).http2;
  };
  EXPECT_TRUE(http2({{"name", "h2c"}}));
  EXPECT_TRUE(http2({{"name", "grpc-infer"}}));
  EXPECT_TRUE(http2({{"name", "web"}, {"appProtocol", "kubernetes.io/h2c"}}));
  EXPECT_FALSE(http2({{"name", "http1"}}));
  EXPECT_FALSE(http2({{"name", "grpcish"}}));
  EXPECT_FALSE(http2({{"name", "grpc"}, {"appProtocol", "http"}}));
}

TEST(BuildRoutes, MalformedObjectsMakeNoRouteAndNoCrash) {
  auto odd = slice("web", {{"127.0.0.1", true}});
  odd["endpoints"].push_back({{"addresses", 3}});
  odd["endpoints"].push_back("text");
  odd["ports"].push_back({{"name", "http"}, {"port", 99999}});
  auto strange = isvc("x", "not an object");
  strange["status"] = {{"conditions", {"text", {{"type", "Ready"}}}}};
  const auto routes =
      buildRoutes({objects({strange}), objects({service("web", "text"), service("web")}), objects({odd})}, {});
  EXPECT_EQ(routes.size(), 2u);
}

TEST(BuildRoutes, AHostThatTwoNamespacesClaimLeadsToNeither) {
  auto first = isvc("a"), second = isvc("a-b");
  first["metadata"]["namespace"] = "b-c";
  second["metadata"]["namespace"] = "c";
  const auto routes = buildRoutes({objects({first, second}), {}, {}}, {});
  ASSERT_EQ(routes.size(), 2u);
  for (const auto& route : routes) {
    EXPECT_EQ(std::count(route.hosts.begin(), route.hosts.end(), "a-b-c.localhost"), 0);
    const auto own = route.name == "c/a-b" ? "a-b.c.localhost" : "a.b-c.localhost";
    EXPECT_EQ(std::count(route.hosts.begin(), route.hosts.end(), own), 1);
  }
}

TEST(ReasonNotReady, SaysWhatTheConditionsSay) {
  const auto reason = [](Json status) {
    auto object = isvc("a");
    object["status"] = std::move(status);
    return reasonNotReady(object);
  };
  EXPECT_EQ(reason(Json::object()), "the InferenceService controller has not looked at it yet");
  EXPECT_EQ(reason({{"conditions", {{{"type", "Ready"}, {"status", "False"}, {"reason", "Stopped"}}}}}), "Stopped");
  EXPECT_EQ(reason({{"conditions",
                     {{{"type", "Ready"}, {"status", "Unknown"}},
                      {{"type", "PredictorReady"},
                       {"status", "False"},
                       {"reason", "MinimumReplicasUnavailable"},
                       {"message", "no pod"}}}}}),
            "PredictorReady MinimumReplicasUnavailable: no pod");
  EXPECT_EQ(reason({{"conditions", {{{"type", "Ready"}, {"status", "False"}, {"message", "m"}}}},
                    {"modelStatus",
                     {{"states", {{"targetModelState", "FailedToLoad"}}},
                      {"lastFailureInfo", {{"message", "no such\nbucket\n"}}}}}}),
            "m; the model failed: no such bucket");
  EXPECT_EQ(reason({{"conditions", {{{"type", "Ready"}, {"status", "False"}, {"message", "m"}}}},
                    {"modelStatus",
                     {{"states", {{"targetModelState", "Pending"}}}, {"lastFailureInfo", {{"message", "an old story"}}}}}}),
            "m");
  EXPECT_EQ(reason({{"conditions",
                     {{{"type", "IngressReady"}, {"status", "False"}, {"reason", "Predictor ingress not created"}},
                      {{"type", "PredictorReady"}, {"status", "False"}, {"reason", "R"}, {"message", "pod p: no claim"}},
                      {{"type", "Ready"}, {"status", "False"}, {"reason", "Predictor ingress not created"}}}}}),
            "PredictorReady R: pod p: no claim");
  EXPECT_EQ(reason({{"conditions", {{{"type", "Ready"}, {"status", "True"}}}}}), "");
}

TEST(RouteFeed, TheGatewayFollowsTheObjects) {
  kube::Loop loop;
  SystemClock clock;
  kube::FakeClient api(loop.executor(), clock);
  TaskScope scope(loop.executor(), "test");
  kube::Cache cache(api, clock, scope);
  MetricRegistry registry;
  proxy::RouteBoard board(registry);
  RouteFeed feed(loop.executor(), cache, board, clock, {.gather = 0ms});
  feed.start(scope);

  HttpServer model(loop.executor(), [](Request r) -> Task<Response> { co_return Response::text(200, "model " + r.target); });
  const auto backend = model.listen("127.0.0.1", 0);
  proxy::Forwarder forwarder(loop.executor(), board);
  HttpServer gateway(loop.executor(), [&](Request r) { return forwarder.handle(std::move(r)); });
  const auto front = gateway.listen("127.0.0.1", 0);
  HttpClient client(loop.executor());
  const auto ask = [&](std::string host) {
    Request request{.target = "/v1/models/iris"};
    request.headers.add("Host", host);
    auto response = loop.run(client.send(Origin{"127.0.0.1", front->port}, std::move(request)));
    return std::to_string(response->status) + " " + response->body.bytes();
  };

  ASSERT_TRUE(loop.until([&] { return feed.published() == 1; }));
  EXPECT_EQ(ask("iris.models.localhost").substr(0, 4), "404 ");
  auto object = isvc("iris");
  object["status"] = {{"conditions", {{{"type", "Ready"}, {"status", "False"}, {"message", "pulling the model"}}}}};
  api.put(object);
  ASSERT_TRUE(loop.until([&] { return feed.published() == 2; }));
  EXPECT_EQ(ask("iris.models.localhost"), "503 {\"error\":\"'models/iris' is not ready: pulling the model\"}\n");
  api.put(service("iris-predictor"));
  api.put(slice("iris-predictor", {{"127.0.0.1", true}}, backend->port));
  ASSERT_TRUE(loop.until([&] {
    const auto* route = routeFor(*board.current()->table, "iris.models.localhost");
    return route && !route->backends[0].endpoints.empty();
  }));
  EXPECT_EQ(ask("iris.models.localhost"), "200 model /v1/models/iris");
  const auto before = feed.published();
  object["metadata"]["annotations"]["note"] = "changes nothing that matters here";
  api.put(object);
  api.drop(kinds::kInferenceService, {"models", "iris"});
  ASSERT_TRUE(loop.until([&] { return !routeFor(*board.current()->table, "iris.models.localhost"); }));
  EXPECT_LE(feed.published(), before + 1) << "an unchanged table is not published again";
  scope.cancel();
  loop.run(scope.join());
}

}  // namespace
}  // namespace slipway::feed
