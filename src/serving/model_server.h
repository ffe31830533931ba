// ModelServer: a process that serves models over HTTP (KServe's V1 and V2 REST) and gRPC (V2), both on the same port. Owns
// its threads: one event loop per worker, each with its own listener, and a small pool for large bodies and for loading.
//
//   ModelServer server(options, loader);
//   Status started = server.start();       // loads the model, then listens
//   server.run();                          // until SIGTERM, SIGINT or stop(); drains before it returns
#pragma once
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "serving/model.h"

namespace slipway::net {
class TlsContext;
}

namespace slipway::serving {

struct ModelServerOptions {
  std::string modelName = "model";
  std::filesystem::path modelDir = "/mnt/models";
  std::string address = "0.0.0.0";
  std::uint16_t port = 8080;                                      // 0: any free port
  std::optional<std::uint16_t> grpcPort;                          // a second port, which speaks the same; 0: any free one
  std::size_t workers = 1;                                        // event loops
  std::size_t maxThreads = 4;                                     // pool threads, started when first needed
  std::uint64_t maxBodyBytes = 64 << 20;                          // 413 beyond; also of what a gzip body unpacks to
  std::size_t grpcMaxReceive = 64 << 20, grpcMaxSend = 64 << 20;  // bytes of a message: RESOURCE_EXHAUSTED beyond
  std::uint32_t maxStreams = 250;                                 // requests at a time on one HTTP/2 connection
  std::shared_ptr<net::TlsContext> tls;                           // null: plain
  std::chrono::seconds keepAlive{65};                             // idle connections are closed after this
  std::chrono::seconds drainGrace{30};                            // wait for running requests at SIGTERM
  std::size_t maxModels = 1000;
  bool logLatency = false;
  bool allowEmpty = false;  // start without a model; models come by the repository's load calls
};

class ModelServer {
 public:
  ModelServer(ModelServerOptions options, ModelLoader loader);
  ~ModelServer();

  // Errors: those of loading (NotFound, Invalid) and listening (AlreadyExists: the port is in use).
  Status start();
  std::uint16_t port() const;                     // after start()
  std::optional<std::uint16_t> grpcPort() const;  // likewise
  std::string description() const;                // of the main model, after start(); empty without one
  void run();                                     // once, on the calling thread
  void stop();                                    // from any thread: run() drains and returns

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace slipway::serving
