// HttpServer: accepts HTTP/1.1 connections (plain or TLS) and answers each request with a Handler.
//
//   HttpServer server(executor, handler, {.maxBodyBytes = 64 << 20});
//   auto bound = server.listen("127.0.0.1", 0);      // port 0: any free port, told by *bound
//   ...  co_await server.drain(5s);                   // stop accepting, let requests end, then close
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/scope.h"
#include "net/http.h"

namespace slipway::net {

class TlsContext;  // net/tls.h

struct ServerOptions {
  std::size_t maxHeaderBytes = 64 << 10;             // 431 beyond
  std::uint64_t maxBodyBytes = 64 << 20;             // 413 beyond; handlers may lower it for themselves
  std::size_t bufferBodyBytes = 1 << 20;             // bodies up to this arrive complete, larger ones as streams
  std::chrono::milliseconds headTimeout{10000};      // for a whole request head once its first byte came
  std::chrono::milliseconds idleTimeout{65000};      // keep-alive wait between requests
  std::size_t maxConnections = 10000;                // further ones wait in the listen queue
  bool reusePort = false;                            // SO_REUSEPORT, for one listener per core
  std::string serverHeader;                          // value of `Server:`; empty: none
  std::shared_ptr<TlsContext> tls;                   // null: plain
};

struct Bound {
  std::string address;
  std::uint16_t port = 0;
};

class HttpServer {
 public:
  HttpServer(Executor executor, Handler handler, ServerOptions options = {});
  ~HttpServer();
  // Error AlreadyExists when the port is in use: "127.0.0.1:6443 is in use by another process; choose another port …".
  Result<Bound> listen(const std::string& address, std::uint16_t port);
  // Stops accepting, waits up to `grace` for running requests, then closes every connection.
  Task<void> drain(std::chrono::milliseconds grace);
  std::size_t connections() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace slipway::net
