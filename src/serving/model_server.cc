#include "serving/model_server.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>

#include "base/log.h"
#include "base/offload.h"
#include "base/scope.h"
#include "net/server.h"
#include "serving/api.h"
#include "serving/content_coding.h"
#include "serving/grpc_api.h"
#include "serving/memory.h"

namespace slipway::serving {
namespace {
// A prediction on a body up to this size runs on the event loop; larger ones would hold up other connections.
constexpr std::size_t kInlineBytes = 256 << 10;

// Threads for large bodies and loading, started at the first use: an idle server does not pay for them.
class LazyPool {
 public:
  explicit LazyPool(std::size_t threads) : threads_(std::max<std::size_t>(threads, 1)) {}
  BlockingPool& get() {
    const std::lock_guard lock(mutex_);
    if (!pool_) pool_ = std::make_unique<BlockingPool>(threads_);
    return *pool_;
  }
  void join() {
    if (pool_) pool_->join();
  }

 private:
  std::size_t threads_;
  std::mutex mutex_;
  std::unique_ptr<BlockingPool> pool_;
};

// What all workers share.
struct Serving {
  Api& api;
  GrpcApi& grpc;
  LazyPool& pool;
  const ModelServerOptions& options;
};

// One event loop with its listeners.
class Worker {
 public:
  explicit Worker(const Serving& serving)
      : serving_(serving),
        loop_(1),
        scope_(loop_.get_executor(), "worker"),
        server_(loop_.get_executor(), [this](net::Request r) { return handle(std::move(r)); }, serverOptions()) {}

  Result<net::Bound> listen(std::uint16_t port) { return server_.listen(serving_.options.address, port); }
  void run() { loop_.run(); }
  boost::asio::io_context& loop() { return loop_; }

  // On the worker's own thread: stops accepting, lets requests end; run() then returns.
  void drain() {
    scope_.spawn("drain", [this]() -> Task<void> {
      co_await server_.drain(serving_.options.drainGrace);
      loop_.stop();
    });
  }

 private:
  net::ServerOptions serverOptions() {
    net::ServerOptions o;
    o.maxBodyBytes = serving_.options.maxBodyBytes;
    o.bufferBodyBytes = kInlineBytes;
    o.idleTimeout = serving_.options.keepAlive;
    o.reusePort = serving_.options.workers > 1;
    o.http2 = true;
    o.maxStreams = serving_.options.maxStreams;
    o.tls = serving_.options.tls;
    o.inlineHandler = [this](const net::Request& request, net::Response& response) {
      if (request.body.bytes().size() > kInlineBytes || blocks(request)) return false;
      if (GrpcApi::isCall(request)) return answerCall(request, request.body.bytes(), {}, response);
      answerRest(request, request.body.bytes(), readers_, response);
      return true;
    };
    return o;
  }

  static bool blocks(const net::Request& request) {
    return GrpcApi::isCall(request) ? GrpcApi::blocks(request) : Api::blocks(request);
  }

  void answerRest(const net::Request& request, std::string_view body, Readers& readers, net::Response& response) {
    const auto decoded = decodeContent(request.headers, body, serving_.options.maxBodyBytes);
    if (!decoded) {
      response = net::Response::json(httpStatus(decoded.error().code), protocol::errorBody(decoded.error().message));
      return;
    }
    serving_.api.answer(request, decoded->view(), readers, response);
    encodeContent(request.headers, response);
  }

  bool answerCall(const net::Request& request, std::string_view body, std::optional<TimePoint> deadline,
                  net::Response& response) {
    return serving_.grpc.service().answer(request, body, deadline, response);
  }

  Task<net::Response> handle(net::Request request) {
    struct Job {
      net::Request request;
      std::string body;
    };
    const bool call = GrpcApi::isCall(request);
    const auto& grpc = serving_.grpc.service();
    if (call && !grpc.isUnary(request.rawPath())) {
      auto streamed = co_await grpc.stream(std::move(request));
      co_return streamed;
    }
    const auto deadline = call ? grpc.deadlineOf(request) : std::nullopt;
    constexpr std::size_t kFrameHead = 5;
    auto body =
        co_await request.body.readAll(call ? serving_.options.grpcMaxReceive + kFrameHead : serving_.options.maxBodyBytes);
    if (!body && call) co_return net::grpc::failure(body.error());
    if (!body) co_return net::Response::json(httpStatus(body.error().code), protocol::errorBody(body.error().message));
    auto job = std::make_shared<Job>(Job{std::move(request), std::move(*body)});
    const auto answer = [this, job, call, deadline](Readers& readers, net::Response& response) {
      if (call)
        answerCall(job->request, job->body, deadline, response);
      else
        answerRest(job->request, job->body, readers, response);
    };
    net::Response response;
    if (job->body.size() <= kInlineBytes && !blocks(job->request)) {
      answer(readers_, response);
      co_return response;
    }
    auto answered = co_await offload(serving_.pool.get(), [job, answer] {
      Readers readers;
      auto out = std::make_shared<net::Response>();
      answer(readers, *out);
      job->body = std::string();
      releaseFreeHeap();
      return out;
    });
    co_return std::move(*answered);
  }

  Serving serving_;
  Readers readers_;
  boost::asio::io_context loop_;
  TaskScope scope_;
  net::HttpServer server_;
};
}  // namespace

struct ModelServer::State {
  State(ModelServerOptions o, ModelLoader loader)
      : options(std::move(o)),
        metrics(options.maxModels),
        models(std::move(loader), options.modelDir, options.modelName, options.maxModels),
        api(models, metrics, clock, options.logLatency),
        pool(options.maxThreads),
        grpc(api, models, grpcOptions()) {}

  GrpcOptions grpcOptions() {
    GrpcOptions o;
    o.clock = &clock;
    o.maxReceiveMessage = options.grpcMaxReceive;
    o.maxSendMessage = options.grpcMaxSend;
    o.infer = [this](std::string message) { return inferApart(std::move(message)); };
    return o;
  }

  // A streamed request's prediction; a large one leaves the event loop to others.
  Task<Result<std::string>> inferApart(std::string message) {
    if (message.size() <= kInlineBytes) co_return api.inferGrpc(message);
    auto shared = std::make_shared<std::string>(std::move(message));
    auto reply = co_await offload(pool.get(),
                                  [this, shared] { return std::make_shared<Result<std::string>>(api.inferGrpc(*shared)); });
    co_return std::move(*reply);
  }

  void beginDrain() {
    if (draining.exchange(true)) return;
    api.beginDrain();
    for (auto& worker : workers) boost::asio::post(worker->loop(), [w = worker.get()] { w->drain(); });
  }

  ModelServerOptions options;
  SystemClock clock;
  Metrics metrics;
  ModelRepository models;
  Api api;
  LazyPool pool;
  GrpcApi grpc;
  std::vector<std::unique_ptr<Worker>> workers;
  std::uint16_t port = 0;
  std::optional<std::uint16_t> grpcPort;
  std::atomic<bool> draining{false};
};

ModelServer::ModelServer(ModelServerOptions options, ModelLoader loader)
    : state_(std::make_unique<State>(std::move(options), std::move(loader))) {}
ModelServer::~ModelServer() = default;

Status ModelServer::start() {
  State& s = *state_;
  auto loaded = s.models.load(s.options.modelName);
  if (!loaded && !(s.options.allowEmpty && loaded.error().code == Code::NotFound)) return loaded;
  s.port = s.options.port;
  s.grpcPort = s.options.grpcPort;
  if (s.grpcPort) SLIP_CHECK(net::HttpServer::checkFree(s.options.address, *s.grpcPort));
  for (std::size_t i = 0; i < std::max<std::size_t>(s.options.workers, 1); ++i) {
    s.workers.push_back(std::make_unique<Worker>(Serving{s.api, s.grpc, s.pool, s.options}));
    auto bound = s.workers.back()->listen(s.port);
    if (!bound) return fail(std::move(bound).error());
    s.port = bound->port;
    if (!s.grpcPort || *s.grpcPort == s.port) continue;  // gRPC is served there too
    auto second = s.workers.back()->listen(*s.grpcPort);
    if (!second) return fail(std::move(second).error());
    s.grpcPort = second->port;
  }
  return {};
}

std::optional<std::uint16_t> ModelServer::grpcPort() const { return state_->grpcPort; }
std::uint16_t ModelServer::port() const { return state_->port; }

std::string ModelServer::description() const {
  const auto model = state_->models.find(state_->options.modelName);
  return model ? model->metadata().description : "";
}

void ModelServer::run() {
  State& s = *state_;
  boost::asio::signal_set signals(s.workers.front()->loop(), SIGTERM, SIGINT);
  signals.async_wait([&s](const boost::system::error_code& error, int signal) {
    if (error) return;
    logInfo("{}: draining, up to {} s", signal == SIGTERM ? "SIGTERM" : "SIGINT", s.options.drainGrace.count());
    s.beginDrain();
  });
  std::vector<std::thread> threads;
  for (std::size_t i = 1; i < s.workers.size(); ++i) threads.emplace_back([&s, i] { s.workers[i]->run(); });
  s.workers.front()->run();
  for (auto& thread : threads) thread.join();
  s.pool.join();
}

void ModelServer::stop() { state_->beginDrain(); }

}  // namespace slipway::serving
