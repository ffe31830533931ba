#include <CLI/CLI.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdio>

#include "apiserver/server.h"
#include "base/log.h"
#include "cmd/api_flags.h"
#include "cmd/commands.h"
#include "cmd/data_dir.h"
#include "net/server.h"

namespace slipway::cmd {
namespace {

namespace asio = boost::asio;

struct ApiOptions {
  std::string dataDir = "slipway-data";
  std::string listen = "127.0.0.1";
  std::uint16_t port = 6443;
  bool noSync = false;
  ApiFlags api;
};

// Opens, serves until SIGINT or SIGTERM, and closes in order.
Task<Status> serve(ApiOptions options, DataDir* dir) {
  auto executor = co_await asio::this_coro::executor;
  SLIP_CO_TRY(const auto authority, dir->authority());
  SLIP_CO_TRY(const auto identity, dir->serverCertificate({options.listen, "127.0.0.1", "localhost"}));
  SLIP_CO_TRY(const auto tls, net::TlsContext::server(identity, authority.certificate));
  apiserver::ApiServerOptions o;
  o.store.path = (dir->path() / "state.db").string();
  o.store.fullSync = !options.noSync;
  o.caPem = authority.certificate;
  SLIP_CO_CHECK(applyApiFlags(options.api, *dir, o));
  SLIP_CO_TRY(auto api, apiserver::ApiServer::open(executor, std::move(o)));
  Status started = co_await api->start();
  if (!started) co_return started;
  net::ServerOptions http;
  http.tls = tls;
  net::HttpServer server(executor, api->handler(), http);
  SLIP_CO_TRY(const auto bound, server.listen(options.listen, options.port));
  const std::string url = fmt::format("https://{}:{}", options.listen, bound.port);
  api->setUrl(url);
  SLIP_CO_CHECK(dir->writeKubeconfig(url));
  std::printf("slipway apiserver is ready: API %s, KUBECONFIG=%s\n", url.c_str(), dir->kubeconfig().c_str());
  std::fflush(stdout);
  asio::signal_set signals(executor, SIGINT, SIGTERM);
  co_await signals.async_wait(asio::use_awaitable);
  co_await api->stop();
  co_await server.drain(std::chrono::seconds(5));
  co_return Status{};
}

void run(const ApiOptions& options, int* exitCode) {
  *exitCode = 1;
  auto dir = DataDir::open(options.dataDir);
  Status status = dir ? Status() : Status(fail(dir.error()));
  if (dir) {
    asio::io_context io(1);
    asio::co_spawn(io, serve(options, &*dir), [&](std::exception_ptr error, Status result) {
      status = std::move(result);
      if (error) status = fail(Code::Internal, "unexpected end");
      io.stop();
    });
    io.run();
  }
  if (status)
    *exitCode = 0;
  else
    std::fprintf(stderr, "slipway apiserver: %s\n", status.error().message.c_str());
}

}  // namespace

void addApiServerCommand(CLI::App& app, int* exitCode) {
  auto options = std::make_shared<ApiOptions>();
  auto* sub = app.add_subcommand("apiserver", "Run only the embedded Kubernetes API");
  sub->add_option("--data-dir", options->dataDir, "Where state, certificates and the kubeconfig live")
      ->capture_default_str();
  sub->add_option("--listen", options->listen, "Address to listen on")->capture_default_str();
  sub->add_option("--api-port", options->port, "Port (TLS); 0: any free port")->capture_default_str();
  sub->add_flag("--no-fsync", options->noSync, "Do not wait for the disk: a power cut may lose the newest writes");
  addApiFlags(*sub, options->api);
  sub->callback([options, exitCode] {
    setLogLevel(LogLevel::Warn);
    run(*options, exitCode);
  });
}

}  // namespace slipway::cmd
