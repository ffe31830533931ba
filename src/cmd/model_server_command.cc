#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>

#include "base/clock.h"
#include "base/log.h"
#include "cmd/commands.h"
#include "net/server.h"
#include "net/tls.h"
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
  std::optional<std::uint16_t> grpcPort;
  std::string enableGrpc = "true", certFile, keyFile;
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
constexpr const char* kWithoutEffect[] = {"enable_docs_url",
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

Result<std::string> fileText(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(Code::NotFound, fmt::format("cannot read '{}'", path));
  return std::string((std::istreambuf_iterator<char>(in)), {});
}

Status setUpTls(Flags& flags) {
  if (flags.certFile.empty() && flags.keyFile.empty()) return {};
  if (flags.certFile.empty() || flags.keyFile.empty())
    return fail(Code::Invalid, "--ssl_certfile and --ssl_keyfile belong together");
  net::CertificatePem identity;
  SLIP_TRY(identity.certificate, fileText(flags.certFile));
  SLIP_TRY(identity.key, fileText(flags.keyFile));
  SLIP_TRY(flags.server.tls, net::TlsContext::server(identity, "", true));
  return {};
}

// KServe's server opens 8081 by itself. Ours does so in a pod, which has an address of its own; elsewhere the port could be
// somebody else's, and gRPC is on the HTTP port anyway.
Status chooseGrpcPort(Flags& flags) {
  const auto enabled = truthOf(flags.enableGrpc);
  if (!enabled) return fail(Code::Invalid, fmt::format("--enable_grpc '{}': expected true or false", flags.enableGrpc));
  const char* pod = std::getenv("SLIPWAY_POD_IP");
  const bool inPod = pod != nullptr && *pod != '\0';
  if (*enabled) flags.server.grpcPort = flags.grpcPort;
  if (!*enabled || flags.grpcPort || !inPod) return {};
  if (net::HttpServer::checkFree(pod, 8081))
    flags.server.grpcPort = 8081;
  else
    logWarn("port 8081 is in use: gRPC is served on the HTTP port only");
  return {};
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
  auto prepared = chooseGrpcPort(flags);
  if (prepared) prepared = setUpTls(flags);
  if (!prepared) {
    reportFailure("model-server: " + prepared.error().message);
    *exitCode = 2;
    return;
  }
  flags.server.keepAlive = std::chrono::seconds(flags.keepAlive);
  flags.server.drainGrace = std::chrono::seconds(flags.drain);
  serving::ModelServer server(flags.server, serving::modelLoader({*proba}));
  const auto started = server.start();
  if (!started) {
    reportFailure(fmt::format("model-server: model '{}': {}", flags.server.modelName, started.error().message));
    return;
  }
  const double ms = std::chrono::duration<double, std::milli>(clock.now() - began).count();
  const std::string grpc = server.grpcPort() ? fmt::format(", gRPC also on port {}", *server.grpcPort()) : "";
  std::printf("model-server ready: %s (%s) on %s://%s:%d%s, started in %.0f ms\n", flags.server.modelName.c_str(),
              server.description().empty() ? "not loaded" : server.description().c_str(),
              flags.server.tls ? "https" : "http", flags.server.address.c_str(), server.port(), grpc.c_str(), ms);
  std::fflush(stdout);
  serving::releaseStartupPages();
  server.run();
  *exitCode = 0;
}
}  // namespace

void addModelServerCommand(CLI::App& app, int* exitCode) {
  auto flags = std::make_shared<Flags>();
  CLI::App* command = app.add_subcommand("model-server",
                                         "Serve one model over HTTP and gRPC: KServe's V1 and V2 protocols (scikit-learn, "
                                         "xgboost, LightGBM, CatBoost)");
  serving::ModelServerOptions& s = flags->server;
  const auto add = [&](const char* name, auto& into, const char* help) {
    return command->add_option(spelled(name), into, help)->capture_default_str();
  };
  add("model_name", s.modelName, "Name under which the model is served");
  add("model_dir", s.modelDir,
      "Folder with one model file (model.joblib, .pkl, .bst, .json, .ubj, .txt, .cbm), or the file");
  add("http_port", s.port, "Port to listen on; 0 for any free one");
  add("grpc_port", flags->grpcPort,
      "Second port, for gRPC clients; 0 for any free one. gRPC is served on the HTTP port too. Default: 8081 in a pod, else "
      "none");
  add("enable_grpc", flags->enableGrpc, "false: no second port");
  add("grpc_max_receive_message_length", s.grpcMaxReceive, "Largest gRPC request message in bytes");
  add("grpc_max_send_message_length", s.grpcMaxSend, "Largest gRPC answer message in bytes");
  add("http2_max_streams", s.maxStreams, "Requests at a time on one HTTP/2 connection")->check(CLI::Range(1, 100000));
  add("ssl_certfile", flags->certFile, "TLS certificate (PEM, may hold a chain); serves HTTPS and gRPC over TLS");
  add("ssl_keyfile", flags->keyFile, "Its key (PEM)");
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
