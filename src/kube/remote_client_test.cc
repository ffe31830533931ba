#include "kube/remote_client.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "data/base64.h"
#include "kube/informer.h"
#include "kube/testing/loop.h"
#include "net/server.h"
#include "net/tls.h"

namespace slipway::kube {
namespace {
using namespace std::chrono_literals;

const char* const kConfig = R"(apiVersion: v1
kind: Config
current-context: home
contexts:
- name: home
  context: {cluster: c, user: u, namespace: models}
- name: bare
  context: {cluster: plain}
clusters:
- name: c
  cluster: {server: "https://[::1]:6443/prefix/", insecure-skip-tls-verify: true}
- name: plain
  cluster: {server: "http://example.com"}
users:
- name: u
  user: {token: secret}
)";

TEST(Kubeconfig, ReadsTheCurrentContextOrTheNamedOne) {
  auto home = parseKubeconfig(kConfig, ".");
  ASSERT_TRUE(home) << home.error().message;
  EXPECT_EQ(home->host, "::1");
  EXPECT_EQ(home->port, 6443);
  EXPECT_EQ(home->pathPrefix, "/prefix");
  EXPECT_EQ(home->token, "secret");
  EXPECT_EQ(home->ns, "models");
  EXPECT_TRUE(home->insecureSkipTlsVerify);
  auto bare = parseKubeconfig(kConfig, ".", "bare");
  ASSERT_TRUE(bare);
  EXPECT_FALSE(bare->tls);
  EXPECT_EQ(bare->port, 80);
  EXPECT_EQ(bare->ns, "default");
}

TEST(Kubeconfig, FilesAreRelativeToTheKubeconfigAndDataIsBase64) {
  const auto dir = std::filesystem::temp_directory_path() / ("slipway-kubeconfig-" + std::to_string(getpid()));
  std::filesystem::create_directories(dir);
  std::ofstream(dir / "ca.crt") << "CA";
  std::ofstream(dir / "token") << "from-file\n";
  std::ofstream(dir / "config") << "current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n"
                                   "clusters: [{name: c, cluster: {server: 'https://h', certificate-authority: ca.crt}}]\n"
                                   "users: [{name: u, user: {tokenFile: token, client-certificate-data: "
                                << base64Encode("CERT") << ", client-key-data: " << base64Encode("KEY") << "}}]\n";
  auto config = loadKubeconfig((dir / "config").string());
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->caPem, "CA");
  EXPECT_EQ(config->token, "from-file");
  EXPECT_EQ(config->clientCertPem, "CERT");
  EXPECT_EQ(config->clientKeyPem, "KEY");
  std::filesystem::remove_all(dir);
}

TEST(Kubeconfig, SaysWhatIsWrong) {
  auto message = [](const std::string& text, const std::string& context = "") {
    auto c = parseKubeconfig(text, ".", context);
    return c ? "no error" : c.error().message;
  };
  EXPECT_EQ(message(kConfig, "nope"), "context \"nope\" not found in contexts");
  EXPECT_EQ(message("{}"), "current-context: Required value; set it or name a context");
  EXPECT_EQ(message("current-context: x\ncontexts: [{name: x, context: {cluster: c}}]\nclusters: [{name: c, cluster: "
                    "{server: 'ftp://h'}}]"),
            "server: \"ftp://h\" is not a URL; write https://HOST:PORT");
  EXPECT_EQ(message("current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\nclusters: [{name: c, "
                    "cluster: {server: 'https://h'}}]\n"
                    "users: [{name: u, user: {exec: {command: aws}}}]"),
            "user \"u\": exec: credential plugins are not supported; use token, tokenFile or a client certificate");
  EXPECT_EQ(loadKubeconfig("/nonexistent/config").error().message,
            "kubeconfig: cannot read /nonexistent/config: No such file or directory");
}

TEST(RemoteClient, PathsAndErrorsAreKubernetes) {
  EXPECT_EQ(resourcePath(kinds::kDeployment, {"ns", "web"}, "status"), "/apis/apps/v1/namespaces/ns/deployments/web/status");
  EXPECT_EQ(resourcePath(kinds::kPod, {"", ""}), "/api/v1/pods");
  EXPECT_EQ(resourcePath(kinds::kNode, {"ignored", "n1"}), "/api/v1/nodes/n1");
  auto status = [](const char* reason, int code) {
    return errorOf(code, dumpJson({{"kind", "Status"}, {"reason", reason}, {"message", "m"}, {"code", code}}));
  };
  EXPECT_EQ(status("AlreadyExists", 409).code, Code::AlreadyExists);
  EXPECT_EQ(status("Conflict", 409).code, Code::Conflict);
  EXPECT_EQ(status("Expired", 410).code, Code::Gone);
  EXPECT_EQ(status("Invalid", 422).message, "m");
  EXPECT_EQ(errorOf(502, "<html>").message, "the server answered 502: <html>");
}

// A server with a handler in place of a kube-apiserver.
class RemoteTest : public ::testing::Test {
 protected:
  Loop loop;
  SystemClock clock;
  std::vector<std::string> seen;  // "METHOD target"
  std::function<net::Response(net::Request&)> answer;
  std::unique_ptr<net::HttpServer> server;
  std::unique_ptr<RemoteClient> client;

  void start(net::ServerOptions options = {}, std::function<void(Kubeconfig&)> adjust = [](Kubeconfig&) {}) {
    auto handler = [this](net::Request r) -> Task<net::Response> {
      seen.push_back(r.method + " " + r.target);
      co_return answer(r);
    };
    Kubeconfig config;
    config.tls = options.tls != nullptr;
    server = std::make_unique<net::HttpServer>(loop.executor(), handler, std::move(options));
    auto bound = server->listen("127.0.0.1", 0);
    ASSERT_TRUE(bound);
    config.host = "127.0.0.1";
    config.port = bound->port;
    config.token = "t0";
    adjust(config);
    auto made = RemoteClient::create(loop.executor(), config, {.pageSize = 2});
    ASSERT_TRUE(made) << made.error().message;
    client = std::move(*made);
  }
  void TearDown() override {
    client.reset();
    if (server) loop.run(server->drain(0ms));
  }
};

TEST_F(RemoteTest, ListsInPagesAndFillsKinds) {
  answer = [](net::Request& r) {
    const bool second = r.queryValue("continue").has_value();
    Json page{{"kind", "PodList"}, {"metadata", {{"resourceVersion", second ? "8" : "7"}}}, {"items", Json::array()}};
    if (!second) page["metadata"]["continue"] = "more/1";
    for (int i = 0; i < (second ? 1 : 2); ++i)
      page["items"].push_back({{"metadata", {{"name", "p" + std::to_string(i)}, {"namespace", "ns"}}}});
    return net::Response::json(200, dumpJson(page));
  };
  start();
  auto list = loop.run(client->list(kinds::kPod, {.ns = "ns", .labelSelector = "a in (b,c)"}));
  ASSERT_TRUE(list) << list.error().message;
  EXPECT_EQ(list->items.size(), 3u);
  EXPECT_EQ(list->items[0]["kind"], "Pod");
  EXPECT_EQ(list->items[0]["apiVersion"], "v1");
  EXPECT_EQ(list->resourceVersion, "8");
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0], "GET /api/v1/namespaces/ns/pods?limit=2&labelSelector=a%20in%20%28b%2Cc%29");
  EXPECT_EQ(seen[1], "GET /api/v1/namespaces/ns/pods?limit=2&continue=more%2F1&labelSelector=a%20in%20%28b%2Cc%29");
}

TEST_F(RemoteTest, WritesCarryTypeManagerAndBody) {
  std::vector<std::string> types, bodies;
  answer = [&](net::Request& r) {
    types.emplace_back(r.headers.getOr("Content-Type", ""));
    bodies.push_back(r.body.bytes());
    EXPECT_EQ(r.headers.getOr("Authorization", ""), "Bearer t0");
    return net::Response::json(200, R"({"kind":"Service","metadata":{"name":"s"}})");
  };
  start();
  ASSERT_TRUE(loop.run(client->create(kinds::kService, {{"metadata", {{"name", "s"}, {"namespace", "ns"}}}}, {})));
  ASSERT_TRUE(loop.run(client->patch(kinds::kService, {"ns", "s"}, PatchType::Apply, {{"spec", {{"x", 1}}}},
                                     {.fieldManager = "me", .force = true})));
  ASSERT_TRUE(loop.run(
      client->update(kinds::kService, {{"metadata", {{"name", "s"}, {"namespace", "ns"}}}}, {.subresource = "status"})));
  ASSERT_TRUE(loop.run(client->remove(kinds::kService, {"ns", "s"}, {.gracePeriodSeconds = 0, .uid = "u"})));
  EXPECT_EQ(seen, (std::vector<std::string>{"POST /api/v1/namespaces/ns/services?fieldManager=slipway",
                                            "PATCH /api/v1/namespaces/ns/services/s?fieldManager=me&force=true",
                                            "PUT /api/v1/namespaces/ns/services/s/status?fieldManager=slipway",
                                            "DELETE /api/v1/namespaces/ns/services/s"}));
  EXPECT_EQ(types[1], "application/apply-patch+yaml");
  EXPECT_EQ(bodies[1], R"({"apiVersion":"v1","kind":"Service","spec":{"x":1}})");
  EXPECT_EQ(
      bodies[3],
      R"({"apiVersion":"v1","gracePeriodSeconds":0,"kind":"DeleteOptions","preconditions":{"uid":"u"},"propagationPolicy":"Background"})");
}

// A body that gives its pieces one by one.
struct Pieces final : net::BodyReader {
  explicit Pieces(std::vector<std::string> p) : pieces(std::move(p)) {}
  std::vector<std::string> pieces;
  std::size_t next = 0;
  Task<Result<std::string>> read() override { co_return next < pieces.size() ? pieces[next++] : std::string(); }
};

TEST_F(RemoteTest, WatchReadsEventsHoweverTheyAreCut) {
  answer = [](net::Request&) {
    net::Response r;
    r.headers.set("Content-Type", "application/json");
    r.body = net::Body(std::make_unique<Pieces>(std::vector<std::string>{
        R"({"type":"ADDED","object":{"metadata":{"name":"a","resourceVersion":"5"}}})"
        "\n"
        R"({"type":"MODI)",
        R"(FIED","object":{"metadata":{"name":"b"}}})"
        "\n\n",
        R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}})"
        "\n",
        R"x({"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old resource version: 1 (9)"}})x"
        "\n"}));
    return r;
  };
  start();
  auto opened = loop.run(client->watch(kinds::kPod, {}, "4"));
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_NE(seen[0].find("watch=true&allowWatchBookmarks=true&timeoutSeconds="), std::string::npos);
  EXPECT_NE(seen[0].find("resourceVersion=4"), std::string::npos);
  auto watch = std::move(*opened);
  EXPECT_EQ(loop.run(watch->next())->object["metadata"]["name"], "a");
  EXPECT_EQ(loop.run(watch->next())->type, WatchEvent::Type::Modified);
  EXPECT_EQ(loop.run(watch->next())->type, WatchEvent::Type::Bookmark);
  auto gone = loop.run(watch->next());
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, Code::Gone);
}

TEST_F(RemoteTest, InformerWorksOverHttpAndAsksAgainWhenTheStreamEnds) {
  int watches = 0;
  answer = [&](net::Request& r) {
    if (!r.queryValue("watch")) {
      return net::Response::json(
          200,
          R"({"kind":"PodList","metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":"a","namespace":"ns","resourceVersion":"1"}}]})");
    }
    net::Response out;
    const std::string name = "w" + std::to_string(++watches);
    const Json event{
        {"type", "ADDED"},
        {"object", {{"metadata", {{"name", name}, {"namespace", "ns"}, {"resourceVersion", std::to_string(watches + 1)}}}}}};
    out.body = net::Body(std::make_unique<Pieces>(std::vector<std::string>{dumpJson(event) + "\n"}));
    return out;
  };
  start();
  TaskScope scope(loop.executor(), "test");
  Informer pods(*client, clock, loop.executor(), kinds::kPod, {.backoffBase = 1ms});
  scope.spawn("informer", [&] { return pods.run(); });
  ASSERT_TRUE(loop.until([&] { return pods.size() >= 3; }));
  EXPECT_EQ(pods.relists(), 0u);
  EXPECT_NE(seen[2].find("resourceVersion=2"), std::string::npos) << seen[2];
  scope.cancel();
  loop.run(scope.join());
}

TEST_F(RemoteTest, ErrorsNameTheServer) {
  answer = [](net::Request&) {
    return net::Response::json(404, R"({"kind":"Status","reason":"NotFound","code":404,"message":"pods \"x\" not found"})");
  };
  start();
  auto missing = loop.run(client->get(kinds::kPod, {"ns", "x"}));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::NotFound);
  EXPECT_EQ(missing.error().message, "pods \"x\" not found");
  EXPECT_FALSE(missing.error().detail.empty());
  loop.run(server->drain(0ms));
  server.reset();
  auto away = loop.run(client->get(kinds::kPod, {"ns", "x"}));
  ASSERT_FALSE(away);
  EXPECT_EQ(away.error().code, Code::Unavailable);
  EXPECT_NE(away.error().message.find("API server 127.0.0.1:"), std::string::npos) << away.error().message;
}

TEST_F(RemoteTest, TokenFilesAreReadAgainWhenRefused) {
  const auto file = std::filesystem::temp_directory_path() / ("slipway-token-" + std::to_string(getpid()));
  std::ofstream(file) << "t1\n";
  answer = [](net::Request& r) {
    const bool good = r.headers.getOr("Authorization", "") == "Bearer t1";
    return good ? net::Response::json(200, R"({"kind":"Pod"})")
                : net::Response::json(401,
                                      R"({"kind":"Status","code":401,"reason":"Unauthorized","message":"Unauthorized"})");
  };
  start({}, [&](Kubeconfig& c) { c.tokenFile = file.string(); });
  EXPECT_TRUE(loop.run(client->get(kinds::kPod, {"ns", "x"})));
  EXPECT_EQ(seen.size(), 2u);
  std::filesystem::remove(file);
}

TEST_F(RemoteTest, TlsWithClientCertificateTellsWhoWeAre) {
  auto ca = net::makeCertificateAuthority("test-ca", std::chrono::hours(1)).value();
  auto identity = net::issueCertificate(ca, {.commonName = "api", .ipAddresses = {"127.0.0.1"}, .server = true}).value();
  auto user =
      net::issueCertificate(ca, {.commonName = "admin", .organizations = {"system:masters"}, .server = false}).value();
  answer = [](net::Request& r) {
    return net::Response::json(200, dumpJson({{"kind", "Pod"}, {"who", r.peer.certCommonName}}));
  };
  net::ServerOptions options;
  options.tls = net::TlsContext::server(identity, ca.certificate).value();
  start(options, [&](Kubeconfig& c) {
    c.caPem = ca.certificate;
    c.clientCertPem = user.certificate;
    c.clientKeyPem = user.key;
  });
  auto pod = loop.run(client->get(kinds::kPod, {"ns", "x"}));
  ASSERT_TRUE(pod) << pod.error().message;
  EXPECT_EQ((*pod)["who"], "admin");
}

}  // namespace
}  // namespace slipway::kube
