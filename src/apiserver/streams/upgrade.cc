#include "apiserver/streams/upgrade.h"

#include "apiserver/api_status.h"
#include "net/websocket/frames.h"

namespace slipway::apiserver {
namespace {

// Every value of a header, which may come as several lines or as a list.
std::vector<std::string> listOf(const net::Headers& headers, std::string_view name) {
  std::vector<std::string> all;
  for (const auto& [key, value] : headers) {
    if (!net::iequals(key, name)) continue;
    std::size_t from = 0;
    while (from <= value.size()) {
      const std::size_t comma = std::min(value.find(',', from), value.size());
      std::string item(value.substr(from, comma - from));
      item.erase(0, item.find_first_not_of(" \t"));
      item.erase(item.find_last_not_of(" \t") + 1);
      if (!item.empty()) all.push_back(std::move(item));
      from = comma + 1;
    }
  }
  return all;
}

// The first of the client's that we speak: it lists the best first.
std::string common(const std::vector<std::string>& theirs, const std::vector<std::string>& ours) {
  for (const std::string& name : theirs) {
    if (std::find(ours.begin(), ours.end(), name) != ours.end()) return name;
  }
  return "";
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : " ") + name;
  return "[" + text + "]";
}

Failure noCommon(const std::vector<std::string>& theirs, const std::vector<std::string>& ours) {
  return Failure(Error{Code::Forbidden,
                       fmt::format("unable to upgrade: unable to negotiate protocol: client supports {}, server accepts {}",
                                   joined(theirs), joined(ours)),
                       ""});
}

}  // namespace

Result<Upgrade> negotiateUpgrade(const net::Request& request, const Protocols& ours) {
  const net::Headers& h = request.headers;
  const std::string_view wanted = h.getOr("Upgrade", "");
  if (!net::hasToken(h.getOr("Connection", ""), "upgrade") || wanted.empty()) return badRequest("Upgrade request required");
  Upgrade upgrade;
  upgrade.switching.status = 101;
  upgrade.switching.headers.set("Connection", "Upgrade");
  if (net::iequals(wanted, "SPDY/3.1")) {
    const auto theirs = listOf(h, "X-Stream-Protocol-Version");
    upgrade.protocol = common(theirs, ours.spdy);
    if (upgrade.protocol.empty()) return noCommon(theirs, ours.spdy);
    upgrade.switching.headers.set("Upgrade", "SPDY/3.1");
    upgrade.switching.headers.set("X-Stream-Protocol-Version", upgrade.protocol);
    return upgrade;
  }
  if (!net::iequals(wanted, "websocket"))
    return badRequest(fmt::format("Upgrade: {}: only SPDY/3.1 and websocket are spoken here", wanted));
  const auto key = h.get("Sec-WebSocket-Key");
  if (!key || h.getOr("Sec-WebSocket-Version", "") != "13")
    return badRequest("a WebSocket request needs Sec-WebSocket-Key and Sec-WebSocket-Version: 13");
  const auto theirs = listOf(h, "Sec-WebSocket-Protocol");
  upgrade.protocol = common(theirs, ours.webSocket);
  if (upgrade.protocol.empty()) return noCommon(theirs, ours.webSocket);
  upgrade.transport = Transport::WebSocket;
  upgrade.switching.headers.set("Upgrade", "websocket");
  upgrade.switching.headers.set("Sec-WebSocket-Accept", net::websocket::acceptKey(*key));
  upgrade.switching.headers.set("Sec-WebSocket-Protocol", upgrade.protocol);
  return upgrade;
}

}  // namespace slipway::apiserver
