// slipway gateway: the gateway alone, driven by a routes file that is read again when it changes.
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>

#include "base/log.h"
#include "cmd/commands.h"
#include "net/tls.h"
#include "proxy/gateway.h"

namespace slipway::cmd {
namespace {

struct GatewayFlags {
  std::string routes, address = "127.0.0.1", accessLog, logFormat = "json", tlsCert, tlsKey;
  std::uint16_t port = 8080;
  int adminPort = -1;
  unsigned threads = 0;
  std::uint64_t maxBodyBytes = 1ull << 30;
  std::uint64_t accessLogBytes = 64 << 20;
};

// Changes whenever the file does (also when it is replaced within the same second); empty when it is missing.
std::string fileStamp(const std::string& path) {
  struct stat s{};
  if (::stat(path.c_str(), &s) != 0) return "";
  return fmt::format("{}.{}/{}/{}", s.st_mtim.tv_sec, s.st_mtim.tv_nsec, s.st_size, s.st_ino);
}

Status loadRoutes(const std::string& path, proxy::RouteBoard& board) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(Code::NotFound, "cannot read routes file '" + path + "'");
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  auto table = proxy::parseRoutes(text);
  if (!table) return failIn("routes file '" + path + "'", table.error());
  board.publish(*table);
  logInfo("{} routes from {}", (*table)->routes().size(), path);
  return {};
}

void watchRoutes(boost::asio::steady_timer& timer, proxy::RouteBoard& board, std::string path, std::string seen) {
  timer.expires_after(std::chrono::milliseconds(500));
  timer.async_wait([&timer, &board, path, seen](const boost::system::error_code& ec) {
    if (ec) return;
    const auto now = fileStamp(path);
    if (now != seen) {
      auto loaded = loadRoutes(path, board);
      if (!loaded) logError("{}; the routes before stay in force", loaded.error().message);
    }
    watchRoutes(timer, board, path, now);
  });
}

Result<std::string> fileText(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(Code::NotFound, "cannot read '" + path + "'");
  return std::string((std::istreambuf_iterator<char>(in)), {});
}

Result<std::shared_ptr<net::TlsContext>> tlsOf(const GatewayFlags& flags) {
  if (flags.tlsCert.empty() && flags.tlsKey.empty()) return std::shared_ptr<net::TlsContext>();
  if (flags.tlsCert.empty() || flags.tlsKey.empty()) return fail(Code::Invalid, "--tls-cert and --tls-key belong together");
  net::CertificatePem identity;
  SLIP_TRY(identity.certificate, fileText(flags.tlsCert));
  SLIP_TRY(identity.key, fileText(flags.tlsKey));
  return net::TlsContext::server(identity, "", true);
}

Status runGateway(const GatewayFlags& flags) {
  MetricRegistry registry;
  proxy::RouteBoard board(registry);
  proxy::GatewayOptions options;
  options.address = flags.address;
  options.port = flags.port;
  options.threads = flags.threads;
  options.maxBodyBytes = flags.maxBodyBytes;
  if (flags.adminPort >= 0) options.adminPort = static_cast<std::uint16_t>(flags.adminPort);
  SLIP_TRY(options.tls, tlsOf(flags));
  if (!flags.accessLog.empty()) {
    const auto format = flags.logFormat == "text" ? LogFormat::Text : LogFormat::Json;
    SLIP_TRY(options.forwarder.accessLog, proxy::AccessLog::open({flags.accessLog, format, flags.accessLogBytes}));
  }
  const auto stamp = fileStamp(flags.routes);
  SLIP_CHECK(loadRoutes(flags.routes, board));

  boost::asio::io_context io(1);
  boost::asio::signal_set signals(io, SIGINT, SIGTERM);
  proxy::Gateway gateway(board, options);
  SLIP_TRY(const auto bound, gateway.start());
  std::printf("gateway ready on %s://%s:%u\n", options.tls ? "https" : "http", bound.address.c_str(), bound.port);
  if (gateway.admin()) std::printf("admin on http://%s:%u\n", gateway.admin()->address.c_str(), gateway.admin()->port);
  std::fflush(stdout);
  boost::asio::steady_timer poll(io);
  watchRoutes(poll, board, flags.routes, stamp);
  signals.async_wait([&](const boost::system::error_code&, int) {
    poll.cancel();
    io.stop();
  });
  io.run();
  gateway.stop(std::chrono::seconds(10));
  return {};
}

}  // namespace

void addGatewayCommand(CLI::App& app, int* exitCode) {
  auto flags = std::make_shared<GatewayFlags>();
  auto* command = app.add_subcommand("gateway", "Run the gateway alone, with routes from a file");
  command->add_option("--routes", flags->routes, "JSON file with the routes; read again when it changes")->required();
  command->add_option("--listen", flags->address, "Address to listen on")->capture_default_str();
  command->add_option("--port", flags->port, "Port to listen on; 0 for any free one")->capture_default_str();
  command
      ->add_option("--admin-port", flags->adminPort,
                   "Port of /metrics, /routes and /healthz; 0 for any free one, -1 for none")
      ->check(CLI::Range(-1, 65535))
      ->capture_default_str();
  command->add_option("--threads", flags->threads, "Threads; 0 for one per core")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  command->add_option("--max-body-bytes", flags->maxBodyBytes, "Largest request body")->capture_default_str();
  command->add_option("--tls-cert", flags->tlsCert, "Certificate (PEM, may hold a chain): the gateway then speaks TLS");
  command->add_option("--tls-key", flags->tlsKey, "Its key (PEM)");
  command->add_option("--access-log", flags->accessLog, "File for one line per request, - for stderr; none if not given");
  command->add_option("--access-log-format", flags->logFormat, "json or text")
      ->check(CLI::IsMember({"json", "text"}))
      ->capture_default_str();
  command->add_option("--access-log-bytes", flags->accessLogBytes, "Size at which the access log is rotated")
      ->capture_default_str();
  command->callback([flags, exitCode] {
    auto done = runGateway(*flags);
    if (!done) std::fprintf(stderr, "slipway gateway: %s\n", done.error().message.c_str());
    *exitCode = done ? 0 : 1;
  });
}

}  // namespace slipway::cmd
