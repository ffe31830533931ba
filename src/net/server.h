// HttpServer: accepts HTTP/1.1 and HTTP/2 connections (plain, TLS or Unix) and answers each request with a Handler.
//
//   HttpServer server(executor, handler, {.maxBodyBytes = 64 << 20});
//   auto bound = server.listen("127.0.0.1", 0);      // port 0: any free port, told by *bound
//   ...  co_await server.drain(5s);                   // stop accepting, let requests end, then close
//
// Everything runs on `executor`, which one thread must drive. A handler's coroutine is cancelled within 100 ms of the client
// leaving (a client that half-closes counts as gone), a streamed answer that has sent nothing for a second within a second.
// The fast path: an InlineHandler answers without a coroutine, straight from the connection's buffers; give one where
// answers need no waiting (a model server's predictions, health checks).
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/scope.h"
#include "net/http.h"

namespace slipway::net {

class TlsContext;  // net/tls.h

// Called first for every request whose body is complete (see bufferBodyBytes). Fills `response` and returns true, or returns
// false without touching it, and the Handler gets the request. Both objects are reused for the connection's next request:
// keep no references. It blocks the whole loop while it runs: keep it under a millisecond.
using InlineHandler = std::function<bool(const Request& request, Response& response)>;

struct ServerOptions {
  std::size_t maxHeaderBytes = 64 << 10;  // 431 beyond
  std::uint64_t maxBodyBytes = 64 << 20;  // 413 beyond; handlers may lower it for themselves. Not for gRPC
  // Bodies up to this arrive complete, larger ones as streams. 0: only those that came along with the head arrive complete.
  std::size_t bufferBodyBytes = 1 << 20;
  bool bufferChunked = true;                      // false: chunked bodies are streams unless they came along with the head
  std::chrono::milliseconds headTimeout{10000};   // for a whole request head once its first byte came: 408
  std::chrono::milliseconds idleTimeout{65000};   // keep-alive wait between requests
  std::chrono::milliseconds stallTimeout{60000};  // a body that does not arrive, an answer that is not taken
  std::chrono::milliseconds streamStallTimeout{60000};  // a chunk of a streamed answer that is not taken
  std::chrono::seconds deadPeerTimeout{0};  // TCP peers that are unreachable for so long are dropped; 0: the system's
  std::size_t maxConnections = 10000;       // further ones wait in the listen queue
  bool reusePort = false;                   // SO_REUSEPORT, for one listener per core
  std::string serverHeader;                 // value of `Server:`; empty: none
  std::shared_ptr<TlsContext> tls;          // null: plain
  InlineHandler inlineHandler;              // null: none
  // HTTP/2 on the same port: plain with prior knowledge (h2c), over TLS by ALPN (TlsContext::server's http2).
  bool http2 = false;
  std::uint32_t maxStreams = 250;            // requests at a time on one HTTP/2 connection; the peer is told
  std::uint32_t streamWindow = 1 << 20;      // body bytes of one request that wait for its handler
  std::uint32_t connectionWindow = 4 << 20;  // of all requests of one connection
};

struct Bound {
  std::string address;
  std::uint16_t port = 0;
};

class HttpServer {
 public:
  HttpServer(Executor executor, Handler handler, ServerOptions options = {});
  ~HttpServer();  // closes at once; drain() first where answers matter
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  // Error as listen() when somebody listens on the port, even with SO_REUSEPORT: listeners of several cores share a port on
  // purpose, two programs must not.
  static Status checkFree(const std::string& address, std::uint16_t port);
  // Several calls add listeners. Errors: AlreadyExists when the port is in use ("127.0.0.1:6443 is in use by another
  // process; choose another port"), Invalid for what is not an IP address, Forbidden.
  Result<Bound> listen(const std::string& address, std::uint16_t port);
  // A Unix socket; a stale file at `path` is replaced, a live one is AlreadyExists.
  Status listenUnix(const std::string& path);
  // Serves one already open connection (a pipe in tests, an inherited socket).
  void serve(std::unique_ptr<ByteStream> stream, Peer peer = {});
  // Stops accepting, waits up to `grace` for running requests, then closes every connection.
  Task<void> drain(std::chrono::milliseconds grace);
  std::size_t connections() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace slipway::net
