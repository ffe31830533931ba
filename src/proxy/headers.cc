#include "proxy/headers.h"

#include <algorithm>
#include <vector>

namespace slipway::proxy {

namespace {

// Fields that are the proxy's or the message's own: a client's Connection field cannot have them dropped.
bool isEndToEnd(std::string_view name) {
  static constexpr std::string_view kKept[] = {
      "host",    "content-length",  "content-type",     "authorization",    "x-request-id",
      "upgrade", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"};
  return std::any_of(std::begin(kKept), std::end(kKept), [&](std::string_view kept) { return net::iequals(name, kept); });
}

// The other fields that a Connection field lists; only unusual clients list any.
std::vector<std::string> listedByConnection(const net::Headers& headers) {
  std::vector<std::string> listed;
  for (const auto& [field, list] : headers) {
    if (!net::iequals(field, "connection") || net::iequals(list, "keep-alive") || net::iequals(list, "close")) continue;
    for (const auto& [name, value] : headers) {
      if (net::hasToken(list, name) && !isEndToEnd(name)) listed.emplace_back(name);
    }
  }
  return listed;
}

}  // namespace

void removeHopByHop(net::Headers& headers, bool keepUpgrade) {
  if (headers.has("connection")) {
    for (const auto& name : listedByConnection(headers)) headers.remove(name);
    headers.remove("connection");
  }
  static constexpr std::string_view kAlways[] = {"keep-alive", "proxy-connection", "transfer-encoding",
                                                 "te",         "trailer",          "expect"};
  for (const auto name : kAlways) headers.remove(name);
  if (keepUpgrade)
    headers.add("Connection", "Upgrade");
  else
    headers.remove("upgrade");
}

void addForwarded(net::Headers& headers, const net::Peer& peer, bool https) {
  auto address = std::string_view(peer.address).substr(0, peer.address.rfind(':'));
  if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
  if (!address.empty()) {
    std::string all;  // of every field of that name, in order (RFC 9110 section 5.3)
    for (const auto& [name, value] : headers)
      if (net::iequals(name, "x-forwarded-for")) all += std::string(value) + ", ";
    headers.set("X-Forwarded-For", all + std::string(address));
  }
  if (!headers.has("x-forwarded-proto")) headers.add("X-Forwarded-Proto", https ? "https" : "http");
  if (!headers.has("x-forwarded-host")) {
    if (const auto host = headers.get("host")) headers.add("X-Forwarded-Host", *host);
  }
}

bool validRequestId(std::string_view id) {
  return !id.empty() && id.size() <= 128 && std::all_of(id.begin(), id.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

}  // namespace slipway::proxy
