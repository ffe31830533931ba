#include "cmd/platform.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_future.hpp>
#include <future>
#include <thread>

#include "apiserver/server.h"
#include "base/log.h"
#include "cmd/data_dir.h"
#include "cmd/node_hooks.h"
#include "cmd/serving_hooks.h"
#include "controllers/serving/builtin.h"
#include "controllers/serving/serving.h"
#include "controllers/workloads/workloads.h"
#include "feed/route_feed.h"
#include "net/server.h"
#include "node/node_agent.h"
#include "node/process_runtime.h"
#include "node/shim_binary.h"
#include "proxy/gateway.h"

namespace slipway::cmd {
namespace asio = boost::asio;

struct Platform::State {
  explicit State(PlatformOptions o) : options(std::move(o)), signals(io, SIGINT, SIGTERM) {}

  PlatformOptions options;
  std::optional<DataDir> dir;
  asio::io_context io{1};
  asio::signal_set signals;
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work;
  std::thread loop;
  std::promise<void> signalled;
  SystemClock clock;
  BlockingPool pool{2};
  std::unique_ptr<TaskScope> scope;
  MetricRegistry metrics;
  proxy::RouteBoard board{metrics};
  std::unique_ptr<proxy::Gateway> gateway;
  std::unique_ptr<apiserver::ApiServer> api;
  std::unique_ptr<net::HttpServer> https;
  std::unique_ptr<kube::Cache> cache;
  std::unique_ptr<feed::RouteFeed> feed;
  std::unique_ptr<node::ProcessRuntime> runtime;
  std::shared_ptr<node::NodeAgent> node;
  isvc::BuildOptions build;
  std::string apiAddress;
  std::uint16_t apiPort = 0;

  // Runs a task of the control loop from outside it and waits for its result.
  template <class F>
  auto onLoop(F task) {
    return asio::co_spawn(io, std::move(task), asio::use_future).get();
  }

  void startLoop();
  Result<std::string> startGateway(std::uint16_t* port);
  Result<std::string> startApi();
  Status startControllers(std::uint16_t gatewayPort);
  Task<Status> createBuiltins();
  Task<Status> startNode();
  Task<Result<std::string>> signToken(node::TokenAsk ask);
  Task<void> stopControlHalf();
  void stop();
};

Platform::Platform(PlatformOptions options) : state_(std::make_unique<State>(std::move(options))) {}
Platform::~Platform() { stop(); }

void Platform::State::startLoop() {
  scope = std::make_unique<TaskScope>(io.get_executor(), "platform");
  work.emplace(asio::make_work_guard(io));
  signals.async_wait([this](const boost::system::error_code& ec, int) {
    if (!ec) signalled.set_value();
  });
  loop = std::thread([this] { io.run(); });
}

Result<std::string> Platform::State::startGateway(std::uint16_t* port) {
  proxy::GatewayOptions gatewayOptions;
  gatewayOptions.address = options.listen;
  gatewayOptions.port = options.gatewayPort;
  gatewayOptions.threads = options.gatewayThreads;
  if (!options.accessLog.empty()) {
    SLIP_TRY(gatewayOptions.forwarder.accessLog, proxy::AccessLog::open({options.accessLog}));
  }
  gateway = std::make_unique<proxy::Gateway>(board, gatewayOptions);
  auto bound = gateway->start();
  if (!bound) return fail(bound.error().code, bound.error().message + " (--gateway-port)");
  *port = bound->port;
  return fmt::format("http://{}:{}", bound->address, bound->port);
}

Result<std::string> Platform::State::startApi() {
  SLIP_TRY(auto authority, dir->authority());
  apiserver::ApiServerOptions apiOptions;
  apiOptions.store.path = (dir->path() / "state.db").string();
  apiOptions.registry.admissions = servingHooks(build);
  if (options.node) {
    for (auto& hook : nodeHooks()) apiOptions.registry.admissions.push_back(std::move(hook));
  }
  apiOptions.caPem = authority.certificate;
  SLIP_CHECK(applyApiFlags(options.api, *dir, apiOptions));
  apiOptions.readyAfterStart = false;  // /readyz tells when runtimes, controllers and the node are there too
  SLIP_TRY(api, apiserver::ApiServer::open(io.get_executor(), std::move(apiOptions)));
  SLIP_TRY(auto identity, dir->serverCertificate({options.listen}));
  SLIP_TRY(auto tls, net::TlsContext::server(identity, authority.certificate));
  net::ServerOptions httpOptions;
  httpOptions.tls = std::move(tls);
  // A user who pages through a log may take hours; a client that is gone is noticed by TCP.
  httpOptions.streamStallTimeout = std::chrono::hours(4);
  httpOptions.deadPeerTimeout = std::chrono::seconds(60);
  https = std::make_unique<net::HttpServer>(io.get_executor(), api->handler(), httpOptions);
  auto bound = https->listen(options.listen, options.apiPort);
  if (!bound) return fail(bound.error().code, bound.error().message + " (--api-port)");
  const std::string url = fmt::format("https://{}:{}", bound->address, bound->port);
  apiAddress = bound->address == "0.0.0.0" ? "127.0.0.1" : bound->address;
  apiPort = bound->port;
  api->setUrl(fmt::format("https://{}:{}", apiAddress, apiPort));
  SLIP_CHECK(dir->writeKubeconfig(url));
  return url;
}

// What a user has edited stays as it is.
Task<Status> Platform::State::createBuiltins() {
  for (const Json& object : isvc::builtinServingObjects()) {
    const Resource* resource = api->registry().catalog().findKind(textAt(object, "apiVersion"), textAt(object, "kind"));
    if (resource == nullptr) co_return fail(Code::Internal, "built-in object of an unknown kind: " + textAt(object, "kind"));
    const Kind kind{resource->group, resource->version, resource->kind, resource->plural, resource->namespaced};
    auto created = co_await api->client().create(kind, object);
    if (!created && created.error().code != Code::AlreadyExists) {
      co_return failIn("built-in " + resource->kind + " " + kube::keyOf(object).name, created.error());
    }
  }
  co_return Status{};
}

Task<Result<std::string>> Platform::State::signToken(node::TokenAsk ask) {
  Json spec = {{"expirationSeconds", ask.seconds},
               {"boundObjectRef", {{"apiVersion", "v1"}, {"kind", "Pod"}, {"name", ask.podName}, {"uid", ask.podUid}}}};
  if (!ask.audience.empty()) spec["audiences"] = {ask.audience};
  auto signedToken = api->accountToken(ask.ns, ask.account, {{"spec", spec}});
  if (!signedToken) co_return fail(signedToken.error());
  co_return textAt(at(*signedToken, "status"), "token");
}

Task<Status> Platform::State::startNode() {
  node::NodeOptions nodeOptions;
  nodeOptions.dataDir = dir->path().string();
  nodeOptions.hostIp = options.listen;
  nodeOptions.logMaxBytes = options.containerLogMaxBytes;
  nodeOptions.logMaxFiles = options.containerLogMaxFiles;
  nodeOptions.apiEndpoint = node::Endpoint{apiAddress, apiPort};
  nodeOptions.tokens = [this](node::TokenAsk ask) { return signToken(std::move(ask)); };
  runtime = std::make_unique<node::ProcessRuntime>(io.get_executor(), node::installShim(dir->path().string()));
  node = std::make_shared<node::NodeAgent>(api->client(), *cache, clock, *scope, *runtime, nodeOptions);
  api->setPodStreams(node.get());
  co_return co_await node->start();
}

Status Platform::State::startControllers(std::uint16_t gatewayPort) {
  return onLoop([this, gatewayPort]() -> Task<Status> {
    auto started = co_await api->start();
    SLIP_CO_CHECK(std::move(started));
    auto seeded = co_await createBuiltins();
    SLIP_CO_CHECK(std::move(seeded));
    cache = std::make_unique<kube::Cache>(api->client(), clock, *scope);
    workloads::startWorkloads({api->client(), *cache, clock, *scope, pool, dir->path() / "volumes"});
    isvc::ServingOptions serving;
    serving.gateway.port = gatewayPort;
    serving.build = build;
    isvc::startServing({api->client(), *cache, clock, *scope}, serving);
    feed = std::make_unique<feed::RouteFeed>(io.get_executor(), *cache, board, clock);
    feed->start(*scope);
    if (options.node) {
      auto nodeStarted = co_await startNode();
      SLIP_CO_CHECK(std::move(nodeStarted));
    }
    api->setReady(true);
    co_return Status{};
  });
}

Result<Ready> Platform::start() {
  State& s = *state_;
  SLIP_TRY(auto dir, DataDir::open(s.options.dataDir));
  s.dir.emplace(std::move(dir));
  std::uint16_t gatewayPort = 0;
  SLIP_TRY(auto gatewayUrl, s.startGateway(&gatewayPort));
  s.startLoop();
  SLIP_TRY(auto apiUrl, s.startApi());
  SLIP_CHECK(s.startControllers(gatewayPort));
  return Ready{apiUrl, gatewayUrl, s.dir->kubeconfig()};
}

void Platform::waitForSignal() { state_->signalled.get_future().wait(); }

Task<void> Platform::State::stopControlHalf() {
  // What does not exist yet when a start has failed is skipped.
  if (node) co_await node->stop(options.grace);
  scope->cancel();
  co_await scope->join();
  if (https) co_await https->drain(std::chrono::seconds(1));
  if (api) co_await api->stop();
}

void Platform::State::stop() {
  if (gateway) gateway->stop(options.grace);
  if (!loop.joinable()) return;
  onLoop([this]() -> Task<void> { co_await stopControlHalf(); });
  work.reset();
  io.stop();
  loop.join();
}

void Platform::stop() {
  if (!state_) return;
  state_->stop();
  state_.reset();
}

}  // namespace slipway::cmd
