// Platform: everything that `slipway up` runs in one process, wired together: the embedded API, the controllers, the node,
// the gateway and what feeds it. The control half lives on one event loop, the gateway on its own.
//
//   Platform platform(options);
//   auto ready = platform.start();          // listening and serving; Ready says where
//   platform.waitForSignal();               // SIGINT or SIGTERM
//   platform.stop();                        // gateway drains, pods end, the API closes last
#pragma once
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include "base/result.h"
#include "cmd/api_flags.h"

namespace slipway::cmd {

struct PlatformOptions {
  std::filesystem::path dataDir = "slipway-data";
  std::string listen = "127.0.0.1";
  std::uint16_t apiPort = 6443;  // 0: any free port, kept for the next start while it is free
  std::uint16_t gatewayPort = 8080;
  unsigned gatewayThreads = 0;                    // 0: one per core
  std::string accessLog;                          // file of the gateway's access log; empty: none
  std::uint64_t containerLogMaxBytes = 10 << 20;  // per file of a container's log
  int containerLogMaxFiles = 5;                   // per container run
  bool node = true;                               // false: API and controllers only, nothing runs pods
  std::chrono::seconds grace{20};                 // for requests and pods when it stops
  ApiFlags api;
};

struct Ready {
  std::string apiUrl, gatewayUrl;
  std::filesystem::path kubeconfig;
};

class Platform {
 public:
  explicit Platform(PlatformOptions options);
  ~Platform();
  Result<Ready> start();
  void waitForSignal();
  void stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace slipway::cmd
