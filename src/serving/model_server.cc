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

// One event loop with its listener.
class Worker {
 public:
  Worker(Api& api, LazyPool& pool, const ModelServerOptions& options)
      : api_(api),
        pool_(pool),
        options_(options),
        loop_(1),
        scope_(loop_.get_executor(), "worker"),
        server_(loop_.get_executor(), [this](net::Request r) { return handle(std::move(r)); }, serverOptions()) {}

  Result<net::Bound> listen(std::uint16_t port) { return server_.listen(options_.address, port); }
  void run() { loop_.run(); }
  boost::asio::io_context& loop() { return loop_; }

  // On the worker's own thread: stops accepting, lets requests end; run() then returns.
  void drain() {
    scope_.spawn("drain", [this]() -> Task<void> {
      co_await server_.drain(options_.drainGrace);
      loop_.stop();
    });
  }

 private:
  net::ServerOptions serverOptions() {
    net::ServerOptions o;
    o.maxBodyBytes = options_.maxBodyBytes;
    o.bufferBodyBytes = kInlineBytes;
    o.idleTimeout = options_.keepAlive;
    o.reusePort = options_.workers > 1;
    o.inlineHandler = [this](const net::Request& request, net::Response& response) {
      if (request.body.bytes().size() > kInlineBytes || Api::blocks(request)) return false;
      api_.answer(request, request.body.bytes(), readers_, response);
      return true;
    };
    return o;
  }

  Task<net::Response> handle(net::Request request) {
    struct Job {
      net::Request request;
      std::string body;
    };
    auto body = co_await request.body.readAll(options_.maxBodyBytes);
    if (!body) co_return net::Response::json(httpStatus(body.error().code), protocol::errorBody(body.error().message));
    auto job = std::make_shared<Job>(Job{std::move(request), std::move(*body)});
    net::Response response;
    if (job->body.size() <= kInlineBytes && !Api::blocks(job->request)) {
      api_.answer(job->request, job->body, readers_, response);
      co_return response;
    }
    auto answered = co_await offload(pool_.get(), [this, job] {
      Readers readers;
      auto out = std::make_shared<net::Response>();
      api_.answer(job->request, job->body, readers, *out);
      job->body = std::string();
      releaseFreeHeap();
      return out;
    });
    co_return std::move(*answered);
  }

  Api& api_;
  LazyPool& pool_;
  const ModelServerOptions& options_;
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
        pool(options.maxThreads) {}

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
  std::vector<std::unique_ptr<Worker>> workers;
  std::uint16_t port = 0;
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
  for (std::size_t i = 0; i < std::max<std::size_t>(s.options.workers, 1); ++i) {
    s.workers.push_back(std::make_unique<Worker>(s.api, s.pool, s.options));
    auto bound = s.workers.back()->listen(s.port);
    if (!bound) return fail(std::move(bound).error());
    s.port = bound->port;
  }
  return {};
}

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
