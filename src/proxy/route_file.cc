#include <algorithm>
#include <charconv>

#include "data/json.h"
#include "proxy/routes.h"

namespace slipway::proxy {
namespace {

tl::unexpected<Error> bad(const std::string& where, const std::string& what) {
  return fail(Code::Invalid, where + ": " + what);
}

Result<std::vector<std::string>> texts(const Json& list, const std::string& where) {
  std::vector<std::string> out;
  if (list.is_null()) return out;
  if (!list.is_array()) return bad(where, "must be a list of strings");
  for (const auto& item : list) {
    if (!item.is_string()) return bad(where, "must be a list of strings");
    out.push_back(item.get<std::string>());
  }
  return out;
}

Result<std::uint64_t> number(const Json& object, const char* field, std::uint64_t fallback, const std::string& where) {
  const Json& value = at(object, field);
  if (value.is_null()) return fallback;
  if (!value.is_number_unsigned()) return bad(where + "." + field, "must be a whole number of 0 or more");
  return value.get<std::uint64_t>();
}

// A misspelt key would otherwise do nothing, silently.
Status knownFields(const Json& object, std::initializer_list<std::string_view> known, const std::string& where) {
  for (const auto& [key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end())
      return bad(where + "." + key, fmt::format("unknown field; known are {}", fmt::join(known, ", ")));
  }
  return {};
}

Result<Backend> parseBackend(const Json& object, const std::string& where) {
  if (!object.is_object()) return bad(where, "must be an object with endpoints");
  Backend backend;
  backend.name = textAt(object, "name");
  SLIP_TRY(const auto weight, number(object, "weight", 100, where));
  backend.weight = static_cast<unsigned>(std::min<std::uint64_t>(weight, 1'000'000));
  SLIP_TRY(const auto endpoints, texts(at(object, "endpoints"), where + ".endpoints"));
  for (const auto& endpoint : endpoints) {
    auto origin = parseEndpoint(endpoint);
    if (!origin) return failIn(where + ".endpoints", origin.error());
    backend.endpoints.push_back(std::move(*origin));
  }
  return backend;
}

Result<Route> parseRoute(const Json& object, const std::string& where) {
  if (!object.is_object()) return bad(where, "must be an object");
  SLIP_CHECK(knownFields(
      object, {"name", "hosts", "prefixes", "backends", "endpoints", "reason", "timeoutSeconds", "concurrency", "queue"},
      where));
  Route route;
  route.name = textAt(object, "name");
  if (route.name.empty()) return bad(where + ".name", "is required");
  SLIP_TRY(route.hosts, texts(at(object, "hosts"), where + ".hosts"));
  SLIP_TRY(route.prefixes, texts(at(object, "prefixes"), where + ".prefixes"));
  if (route.hosts.empty() && route.prefixes.empty()) return bad(where, "needs at least one of hosts and prefixes");
  for (const auto& prefix : route.prefixes) {
    if (!prefix.starts_with('/')) return bad(where + ".prefixes", "'" + prefix + "' must start with '/'");
  }
  if (const Json& list = at(object, "backends"); list.is_array()) {
    for (std::size_t i = 0; i < list.size(); ++i) {
      SLIP_TRY(auto backend, parseBackend(list[i], where + ".backends[" + std::to_string(i) + "]"));
      route.backends.push_back(std::move(backend));
    }
  } else if (!list.is_null()) {
    return bad(where + ".backends", "must be a list");
  }
  if (object.contains("endpoints")) {
    SLIP_TRY(auto backend, parseBackend(object, where));
    backend.name.clear();
    backend.weight = 100;
    route.backends.push_back(std::move(backend));
  }
  const auto& backends = route.backends;
  if (!backends.empty() && std::all_of(backends.begin(), backends.end(), [](const Backend& b) { return b.weight == 0; }))
    return bad(where + ".backends", "every weight is 0: nothing would be served");
  route.reason = textAt(object, "reason");
  SLIP_TRY(const auto seconds, number(object, "timeoutSeconds", 300, where));
  route.timeout = std::chrono::seconds(std::min<std::uint64_t>(seconds, 86400));
  SLIP_TRY(const auto concurrency, number(object, "concurrency", 0, where));
  route.concurrency = static_cast<unsigned>(std::min<std::uint64_t>(concurrency, 1'000'000));
  SLIP_TRY(route.queue, number(object, "queue", 1000, where));
  return route;
}

}  // namespace

Result<net::Origin> parseEndpoint(std::string_view text) {
  net::Origin origin;
  if (text.starts_with("h2c://")) {
    origin.http2 = true;
    text.remove_prefix(6);
  }
  if (text.starts_with("unix:")) {
    origin.unixPath = std::string(text.substr(5));
    return origin;
  }
  const auto colon = text.rfind(':');
  const auto port = colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  unsigned value = 0;
  const auto end = std::from_chars(port.data(), port.data() + port.size(), value);
  if (colon == 0 || port.empty() || end.ec != std::errc() || end.ptr != port.data() + port.size() || value == 0 ||
      value > 65535) {
    return fail(Code::Invalid, "'" + std::string(text) +
                                   "' is not an endpoint; use host:port or unix:/path, with h2c:// before it for HTTP/2");
  }
  auto host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  origin.host = std::string(host);
  origin.port = static_cast<std::uint16_t>(value);
  return origin;
}

Result<std::shared_ptr<const RouteTable>> parseRoutes(std::string_view text) {
  SLIP_TRY(const Json document, parseJson(text));
  const Json& list = at(document, "routes");
  if (!list.is_array()) return bad("routes", "must be a list; for example {\"routes\": [{\"name\": …}]}");
  std::vector<Route> routes;
  for (std::size_t i = 0; i < list.size(); ++i) {
    SLIP_TRY(auto route, parseRoute(list[i], "routes[" + std::to_string(i) + "]"));
    if (std::any_of(routes.begin(), routes.end(), [&](const Route& r) { return r.name == route.name; }))
      return bad("routes[" + std::to_string(i) + "].name", "'" + route.name + "' is taken by a route before it");
    routes.push_back(std::move(route));
  }
  return RouteTable::make(std::move(routes));
}

}  // namespace slipway::proxy
