#include <CLI/CLI.hpp>
#include <cstdio>

#include "base/log.h"
#include "cmd/commands.h"
#include "cmd/platform.h"
#include "node/quantity.h"

namespace slipway::cmd {
namespace {

constexpr std::int64_t kMinLogBytes = 4096;

// `10Mi` as bytes; a message where it is none.
std::string readLogSize(const std::string& text, std::uint64_t* bytes) {
  const auto value = node::wholeOf(text);
  if (!value || *value < kMinLogBytes) return fmt::format("{} is no size of at least 4Ki; write one like 10Mi", text);
  *bytes = static_cast<std::uint64_t>(*value);
  return "";
}

void runUp(const PlatformOptions& options, int* exitCode) {
  *exitCode = 1;
  Platform platform(options);
  const auto ready = platform.start();
  if (!ready) {
    std::fprintf(stderr, "slipway up: %s\n", ready.error().message.c_str());
    return;
  }
  std::printf("slipway is ready: API %s, gateway %s, KUBECONFIG=%s\n", ready->apiUrl.c_str(),
              ready->gatewayUrl.empty() ? "off" : ready->gatewayUrl.c_str(), ready->kubeconfig.c_str());
  std::fflush(stdout);
  platform.waitForSignal();
  logInfo("stopping: requests and pods get up to {} s", options.grace.count());
  platform.stop();
  *exitCode = 0;
}

}  // namespace

void addUpCommand(CLI::App& app, int* exitCode) {
  auto options = std::make_shared<PlatformOptions>();
  auto logLevel = std::make_shared<std::string>("info");
  auto noNode = std::make_shared<bool>(false);
  auto grace = std::make_shared<unsigned>(20);
  auto* sub = app.add_subcommand("up", "Run the whole platform on this machine: API, controllers, node and gateway");
  sub->add_option("--data-dir", options->dataDir, "Where all state lives; one platform per folder")->capture_default_str();
  sub->add_option("--listen", options->listen, "Address of the API and the gateway")->capture_default_str();
  sub->add_option("--api-port", options->apiPort, "Port of the Kubernetes API (TLS); 0: any free port")
      ->capture_default_str();
  sub->add_option("--gateway-port", options->gatewayPort, "Port for requests to models; 0: any free port")
      ->capture_default_str();
  sub->add_option("--gateway-threads", options->gatewayThreads, "Threads of the gateway; 0: one per core")
      ->capture_default_str();
  sub->add_option("--access-log", options->accessLog, "File for one line per request to a model; default: none");
  sub->add_option_function<std::string>(
         "--container-log-max-size",
         [options](const std::string& text) {
           const std::string wrong = readLogSize(text, &options->containerLogMaxBytes);
           if (!wrong.empty()) throw CLI::ValidationError("--container-log-max-size", wrong);
         },
         "Size at which a container's log file is rotated, like 10Mi")
      ->default_str("10Mi");
  sub->add_option("--container-log-max-files", options->containerLogMaxFiles, "Files kept of a container's log")
      ->capture_default_str()
      ->check(CLI::Range(2, 1000));
  sub->add_option("--grace", *grace, "Seconds that requests and pods get when the platform stops")->capture_default_str();
  addApiFlags(*sub, options->api);
  sub->add_flag("--no-node", *noNode, "Serve the API and run controllers, but no pods");
  sub->add_option("--log-level", *logLevel, "debug, info, warn, error or off")
      ->capture_default_str()
      ->check(CLI::IsMember({"debug", "info", "warn", "error", "off"}));
  sub->footer(
      "Examples:\n  slipway up\n  slipway up --data-dir /var/lib/slipway --gateway-port 80\n"
      "  export KUBECONFIG=$PWD/slipway-data/kubeconfig; kubectl get nodes");
  sub->callback([options, logLevel, noNode, grace, exitCode] {
    LogLevel level = LogLevel::Info;
    parseLogLevel(*logLevel, &level);
    setLogLevel(level);
    options->node = !*noNode;
    options->grace = std::chrono::seconds(*grace);
    runUp(*options, exitCode);
  });
}

}  // namespace slipway::cmd
