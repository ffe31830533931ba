#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "base/clock.h"
#include "base/log.h"
#include "cmd/commands.h"
#include "serving/engines/engine.h"
#include "serving/memory.h"
#include "serving/model_server.h"

namespace slipway::cmd {
namespace {
struct Flags {
  serving::ModelServerOptions server;
  std::string proba;
  std::string logLevel;
  unsigned keepAlive = 65, drain = 30;
  std::vector<std::string> accepted = std::vector<std::string>(16);  // values of flags that have no effect here
};

// KServe writes its flags with underscores, others with dashes: both are accepted.
std::string spelled(std::string name) {
  std::string other = name;
  std::replace(other.begin(), other.end(), '_', '-');
  return other == name ? "--" + name : "--" + name + ",--" + other;
}

// Flags of KServe's Python servers that name things this server has no use for. Accepted, so that runtimes and manifests
// written for KServe work as they are; one line says which were given.
constexpr const char* kWithoutEffect[] = {"grpc_port",
                                          "enable_grpc",
                                          "enable_docs_url",
                                          "max_asyncio_workers",
                                          "predictor_host",
                                          "predictor_protocol",
                                          "predictor_use_ssl",
                                          "predictor_request_timeout_seconds",
                                          "predictor_request_retries",
                                          "enable_predictor_health_check",
                                          "log_config_file",
                                          "access_log_format",
                                          "configure_logging",
                                          "grpc_max_send_message_length",
                                          "grpc_max_receive_message_length",
                                          "nthread"};

std::optional<bool> truthOf(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  if (text == "true" || text == "1") return true;
  if (text.empty() || text == "false" || text == "0") return false;
  return std::nullopt;
}

// On stderr, and in a pod also as the message with which its container ended: the status of the InferenceService shows it.
void reportFailure(const std::string& line) {
  std::fprintf(stderr, "%s\n", line.c_str());
  if (std::getenv("SLIPWAY_POD_IP") == nullptr) return;
  if (std::FILE* log = std::fopen("/dev/termination-log", "r+")) {
    std::fputs(line.c_str(), log);
    std::fclose(log);
  }
}

void runServer(Flags& flags, const std::vector<std::string>& ignored, int* exitCode) {
  const SystemClock clock;
  const TimePoint began = clock.now();
  *exitCode = 1;
  LogLevel level = LogLevel::Info;
  if (!flags.logLevel.empty() && !parseLogLevel(flags.logLevel, &level)) {
    std::fprintf(stderr, "model-server: --log_level %s: expected debug, info, warn, error or off\n", flags.logLevel.c_str());
    *exitCode = 2;
    return;
  }
  setLogLevel(level);
  const auto proba = truthOf(flags.proba);
  if (!proba) {
    reportFailure(fmt::format("model-server: --predict_proba (PREDICT_PROBA) '{}': expected true or false", flags.proba));
    *exitCode = 2;
    return;
  }
  if (!ignored.empty()) {
    std::string names;
    for (const auto& name : ignored) names += " " + name;
    logInfo("flags without effect in this server:{}", names);
  }
  if (const char* ip = std::getenv("SLIPWAY_POD_IP"); ip != nullptr && *ip != '\0') flags.server.address = ip;
  flags.server.keepAlive = std::chrono::seconds(flags.keepAlive);
  flags.server.drainGrace = std::chrono::seconds(flags.drain);
  serving::ModelServer server(flags.server, serving::modelLoader({*proba}));
  const auto started = server.start();
  if (!started) {
    reportFailure(fmt::format("model-server: model '{}': {}", flags.server.modelName, started.error().message));
    return;
  }
  const double ms = std::chrono::duration<double, std::milli>(clock.now() - began).count();
  std::printf("model-server ready: %s (%s) on http://%s:%d, started in %.0f ms\n", flags.server.modelName.c_str(),
              server.description().empty() ? "not loaded" : server.description().c_str(), flags.server.address.c_str(),
              server.port(), ms);
  std::fflush(stdout);
  serving::releaseStartupPages();
  server.run();
  *exitCode = 0;
}
}  // namespace

void addModelServerCommand(CLI::App& app, int* exitCode) {
  auto flags = std::make_shared<Flags>();
  CLI::App* command = app.add_subcommand(
      "model-server", "Serve one model over HTTP: KServe's V1 and V2 protocols (scikit-learn, xgboost, LightGBM, CatBoost)");
  serving::ModelServerOptions& s = flags->server;
  const auto add = [&](const char* name, auto& into, const char* help) {
    return command->add_option(spelled(name), into, help)->capture_default_str();
  };
  add("model_name", s.modelName, "Name under which the model is served");
  add("model_dir", s.modelDir,
      "Folder with one model file (model.joblib, .pkl, .bst, .json, .ubj, .txt, .cbm), or the file");
  add("http_port", s.port, "Port to listen on; 0 for any free one");
  add("host", s.address, "Address to listen on; SLIPWAY_POD_IP wins when it is set");
  add("workers", s.workers, "Event loops, one thread each")->check(CLI::Range(1, 256));
  add("max_threads", s.maxThreads, "Threads for large bodies and loading")->check(CLI::Range(1, 256));
  add("max_body_bytes", s.maxBodyBytes, "Largest request body; beyond it: 413");
  add("max_models", s.maxModels, "Most models loaded at a time");
  add("timeout_keep_alive", flags->keepAlive, "Seconds before an idle connection is closed");
  add("timeout_graceful_shutdown", flags->drain, "Seconds that running requests get at SIGTERM");
  add("predict_proba", flags->proba, "Classifiers answer with probabilities: true or false")->envname("PREDICT_PROBA");
  add("log_level", flags->logLevel, "debug, info, warn, error or off");
  command->add_flag(spelled("enable_latency_logging") + "{true}", s.logLatency,
                    "Log the time of each step of each prediction");
  command->add_flag(spelled("allow_empty"), s.allowEmpty, "Start without a model; load models through /v2/repository");
  std::size_t next = 0;
  for (const char* name : kWithoutEffect)
    command->add_option(spelled(name), flags->accepted[next++], "Accepted for KServe's sake; no effect")
        ->group("Accepted without effect")
        ->expected(0, 1);
  command->allow_extras();
  command->callback([command, flags, exitCode] {
    std::vector<std::string> ignored;
    for (const char* name : kWithoutEffect)
      if (command->count(std::string("--") + name) > 0) ignored.push_back(std::string("--") + name);
    for (const std::string& extra : command->remaining())
      if (extra.starts_with('-')) ignored.push_back(extra);
    runServer(*flags, ignored, exitCode);
  });
}

}  // namespace slipway::cmd
