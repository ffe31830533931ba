// Routes: what the gateway forwards and where to, as an immutable table. Made by src/feed from objects, or read from a file;
// swapped in whole through a RouteBoard. A table is shared between threads and never changes.
//
//   auto table = RouteTable::make({{.name = "models/iris", .hosts = {"iris.models.localhost"},
//                                   .backends = {{.endpoints = {{"127.1.0.2", 8080}}}}}});
//   auto match = table->find("iris.models.localhost:8080", "/v1/models/iris:predict");
#pragma once
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "net/client.h"

namespace slipway::proxy {

// One set of equal endpoints, for example a revision. Only ready endpoints are listed.
struct Backend {
  std::string name;
  std::vector<net::Origin> endpoints;
  unsigned weight = 100;  // relative to the route's other backends; 0: no requests
  bool operator==(const Backend&) const = default;
};

struct Route {
  std::string name;                   // "models/iris": in logs and metrics, and the identity across tables
  std::vector<std::string> hosts;     // exact names without port, or "name:port" to match that port only
  std::vector<std::string> prefixes;  // path prefixes ("/serving/models/iris"), removed before forwarding
  std::vector<Backend> backends;
  std::string reason;                         // why nothing is ready; shown with 503
  std::chrono::milliseconds timeout{300000};  // to the response head; 504 beyond
  unsigned concurrency = 0;                   // requests an endpoint gets at a time; 0: no limit
  std::size_t queue = 1000;                   // requests that may wait for a slot; 503 beyond
  bool operator==(const Route&) const = default;
};

class RouteTable {
 public:
  // Host names and prefixes are matched in lower case and without a trailing dot or slash. Of two routes with the same host
  // the first wins.
  static std::shared_ptr<const RouteTable> make(std::vector<Route> routes);

  struct Match {
    std::size_t index = 0;       // into routes()
    std::size_t prefixSize = 0;  // bytes of the path to remove
  };
  // By host (with its port first, then without), then by the longest prefix of whole path segments.
  std::optional<Match> find(std::string_view host, std::string_view path) const;
  const std::vector<Route>& routes() const { return routes_; }
  // "a.localhost, b.localhost and 3 more": for the 404 line; at most `limit` names.
  std::string knownHosts(std::size_t limit) const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const { return std::hash<std::string_view>{}(s); }
  };
  using Index = std::unordered_map<std::string, std::size_t, Hash, std::equal_to<>>;
  std::vector<Route> routes_;
  Index hosts_, prefixes_;
};

// The table of a JSON file: {"routes": [{"name", "hosts", "prefixes", "backends": [{"name", "weight", "endpoints":
// ["127.0.0.1:8080", "unix:/path"]}], "endpoints" (short for one backend), "reason", "timeoutSeconds", "concurrency",
// "queue"}]}. Error Invalid names the route, the field and the fix.
Result<std::shared_ptr<const RouteTable>> parseRoutes(std::string_view text);
// "host:port", "[::1]:80", "unix:/path"; "h2c://" before it: HTTP/2 for every request, not for gRPC alone.
Result<net::Origin> parseEndpoint(std::string_view text);

}  // namespace slipway::proxy
