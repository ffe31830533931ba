// HttpClient: sends requests over pooled keep-alive connections, one pool per origin. Bodies stream both ways.
//
//   HttpClient client(executor, {});
//   auto r = co_await client.send(Origin{"127.0.0.1", 8080}, Request{.method = "GET", .target = "/healthz"});
#pragma once
#include <chrono>
#include <compare>
#include <memory>
#include <string>

#include "base/scope.h"
#include "net/http.h"

namespace slipway::net {

class TlsContext;

struct Origin {
  std::string host;              // name or address; ignored when unixPath is set
  std::uint16_t port = 80;
  bool tls = false;
  std::string unixPath;
  auto operator<=>(const Origin&) const = default;
};

struct ClientOptions {
  std::chrono::milliseconds connectTimeout{5000};
  std::chrono::milliseconds headTimeout{0};          // request sent to response head; 0: none
  std::size_t maxIdlePerOrigin = 64;
  std::size_t maxConnectionsPerOrigin = 0;           // 0: no bound; else further requests wait
  std::chrono::milliseconds idleTimeout{55000};
  std::shared_ptr<TlsContext> tls;                   // for origins with tls = true
};

class HttpClient {
 public:
  HttpClient(Executor executor, ClientOptions options = {});
  ~HttpClient();
  // Errors: Unavailable (cannot connect, closed before a response began), Timeout, BadGateway (not HTTP), Cancelled.
  // A reused connection that turns out closed before any response byte is retried once on a new one, if the body allows it.
  // Request.headers gets Host and framing headers if they are absent.
  Task<Result<Response>> send(Origin origin, Request request);
  void closeIdle();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace slipway::net
