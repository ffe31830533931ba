#include "proxy/routes.h"

namespace slipway::proxy {
namespace {

constexpr std::size_t kMaxSegments = 16;

std::string lowered(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c |= 0x20;
  }
  return out;
}

// Where the port begins (at ':'), or the size when there is none. Brackets of an IPv6 address are no port.
std::size_t portMark(std::string_view host) {
  const auto colon = host.rfind(':');
  if (colon == std::string_view::npos || host.find(']', colon) != std::string_view::npos) return host.size();
  return colon;
}

std::string normalHost(std::string_view host) {
  const auto mark = portMark(host);
  auto name = host.substr(0, mark);
  if (name.ends_with('.')) name.remove_suffix(1);
  return lowered(name) + std::string(host.substr(mark));
}

}  // namespace

std::shared_ptr<const RouteTable> RouteTable::make(std::vector<Route> routes) {
  auto table = std::make_shared<RouteTable>();
  table->routes_ = std::move(routes);
  for (std::size_t i = 0; i < table->routes_.size(); ++i) {
    for (const auto& host : table->routes_[i].hosts) table->hosts_.try_emplace(normalHost(host), i);
    for (std::string_view prefix : table->routes_[i].prefixes) {
      while (prefix.ends_with('/')) prefix.remove_suffix(1);
      table->prefixes_.try_emplace(std::string(prefix), i);
    }
  }
  return table;
}

std::optional<RouteTable::Match> RouteTable::find(std::string_view host, std::string_view path) const {
  const auto look = [this](std::string_view name) -> std::optional<Match> {
    const auto full = hosts_.find(name);
    if (full != hosts_.end()) return Match{full->second, 0};
    const auto mark = portMark(name);
    const auto bare = mark == name.size() ? full : hosts_.find(name.substr(0, mark));
    if (bare != hosts_.end()) return Match{bare->second, 0};
    return std::nullopt;
  };
  if (auto match = look(host)) return match;
  const std::string normal = normalHost(host);  // only an unusual spelling pays for a copy
  if (normal != host) {
    if (auto match = look(normal)) return match;
  }
  if (prefixes_.empty()) return std::nullopt;
  // Walk up to kMaxSegments whole segments, remembering the longest that is a prefix.
  std::optional<Match> best;
  std::size_t end = 0;
  for (std::size_t n = 0; n < kMaxSegments && end < path.size(); ++n) {
    end = std::min(path.find('/', end + 1), path.size());
    const auto found = prefixes_.find(path.substr(0, end));
    if (found != prefixes_.end()) best = Match{found->second, end};
  }
  if (!best) {
    if (const auto root = prefixes_.find(""); root != prefixes_.end()) best = Match{root->second, 0};
  }
  return best;
}

std::string RouteTable::knownHosts(std::size_t limit) const {
  std::string out;
  std::size_t shown = 0;
  for (const auto& route : routes_) {
    if (route.hosts.empty()) continue;
    if (shown++ >= limit) continue;
    out += (out.empty() ? "" : ", ") + route.hosts.front();
  }
  if (shown > limit) out += " and " + std::to_string(shown - limit) + " more";
  return out;
}

}  // namespace slipway::proxy
