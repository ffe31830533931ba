// HttpClient: sends requests over pooled keep-alive connections, one pool per origin, HTTP/1.1 or HTTP/2 as the origin says.
// Bodies stream both ways.
//
//   HttpClient client(executor, {});
//   auto r = co_await client.send(Origin{"127.0.0.1", 8080}, Request{.method = "GET", .target = "/healthz"});
//
// Used from its executor, which one thread must drive. Timeouts are kept to within 200 ms.
#pragma once
#include <chrono>
#include <compare>
#include <memory>
#include <optional>
#include <string>

#include "base/scope.h"
#include "net/http.h"

namespace slipway::net {

class TlsContext;

struct Origin {
  std::string host;  // name or address; ignored when unixPath is set
  std::uint16_t port = 80;
  bool tls = false;
  std::string unixPath;
  bool http2 = false;  // HTTP/2 with prior knowledge (h2c), or by ALPN over TLS; no fallback to HTTP/1.1
  auto operator<=>(const Origin&) const = default;
};

struct ClientOptions {
  std::chrono::milliseconds connectTimeout{5000};  // also the wait for a connection under maxConnectionsPerOrigin
  std::chrono::milliseconds headTimeout{0};        // request sent to response head; 0: none
  std::size_t maxHeaderBytes = 64 << 10;           // of a response; BadGateway beyond
  std::size_t maxIdlePerOrigin = 64;
  std::size_t maxConnectionsPerOrigin = 0;  // 0: no bound; else further requests wait
  std::chrono::milliseconds idleTimeout{55000};
  // HTTP/2: many requests share a connection; another is opened when all are at the origin's limit of streams.
  std::size_t maxHttp2Connections = 8;       // per origin; further requests wait
  std::uint32_t streamWindow = 1 << 20;      // body bytes of one response that wait to be read
  std::uint32_t connectionWindow = 4 << 20;  // of all responses of one connection
  std::shared_ptr<TlsContext> tls;           // for origins with tls = true
  // Whether POST and PATCH too are sent again when a reused connection closes before any response byte. Right for
  // predictions; a client whose writes must happen once turns it off.
  bool retryUnsafe = true;
};

class HttpClient {
 public:
  // For callers that may choose another origin after a failure: `request` stays usable until `sent`.
  struct Attempt {
    Request request;
    std::optional<std::chrono::milliseconds> headTimeout;  // instead of ClientOptions::headTimeout
    bool sent = false;                                     // a byte of the request may have reached an origin
  };

  HttpClient(Executor executor, ClientOptions options = {});
  ~HttpClient();  // closes idle connections; running requests end by themselves
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;
  // Errors: Unavailable (cannot connect, closed before a response began), Timeout, BadGateway (not HTTP), Cancelled.
  // A reused connection that turns out closed before any response byte is retried once on a new one, if the body allows it.
  // Request.headers gets Host and framing headers if they are absent. On 101 the connection is in Response::upgraded.
  // A streaming request body is sent while the response is awaited and read; it ends with the response's body.
  Task<Result<Response>> send(Origin origin, Request request);
  Task<Result<Response>> send(Origin origin, Attempt* attempt);  // *attempt must outlive the call
  void closeIdle();
  std::size_t idleConnections() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace slipway::net
