#include "apiserver/http/stream_routes.h"

#include <charconv>

#include "apiserver/api_status.h"
#include "apiserver/streams/port_forward.h"
#include "apiserver/streams/remote_command.h"

namespace slipway::apiserver {
namespace {

constexpr std::size_t kMaxConnections = 500;
constexpr std::size_t kMaxChannelPorts = 100;

const Protocols kCommandProtocols{{"v5.channel.k8s.io", "v4.channel.k8s.io"}, {"v5.channel.k8s.io", "v4.channel.k8s.io"}};
const Protocols kForwardProtocols{{"portforward.k8s.io"},
                                  {"SPDY/3.1+portforward.k8s.io", "v4.channel.k8s.io", "portforward.k8s.io"}};

// Counts a connection for as long as its function lives.
struct Counted {
  explicit Counted(std::shared_ptr<std::size_t> n) : count(std::move(n)) { ++*count; }
  ~Counted() { --*count; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  std::shared_ptr<std::size_t> count;
};

Status checkOptions(const kube::SessionOptions& options, bool exec) {
  if (!options.stdin_ && !options.stdout_ && !options.stderr_)
    return badRequest("you must specify at least 1 of stdin, stdout, stderr");
  if (exec && options.command.empty()) return badRequest("you must specify at least one command for the container");
  return {};
}

Result<std::vector<std::uint16_t>> portsOf(const net::Request& request) {
  std::vector<std::uint16_t> ports;
  for (const auto& [name, value] : request.queryPairs()) {
    if (name != "ports" && name != "port") continue;
    std::size_t from = 0;
    while (from <= value.size()) {
      const std::size_t comma = std::min(value.find(',', from), value.size());
      const std::string text = value.substr(from, comma - from);
      from = comma + 1;
      std::uint16_t port = 0;
      const auto end = std::from_chars(text.data(), text.data() + text.size(), port);
      if (end.ec != std::errc() || end.ptr != text.data() + text.size())
        return badRequest(fmt::format("unable to parse \"{}\" as a port", text));
      if (port == 0) return badRequest("port \"0\" must be > 0");
      ports.push_back(port);
    }
  }
  if (ports.empty()) return badRequest("query parameter \"ports\" is required");
  if (ports.size() > kMaxChannelPorts)
    return badRequest(fmt::format("{} ports in one request; at most {}", ports.size(), kMaxChannelPorts));
  return ports;
}

}  // namespace

bool StreamRoutes::serves(const RequestInfo& info) {
  return info.isResource && info.group.empty() && info.resource == "pods" &&
         (info.subresource == "exec" || info.subresource == "attach" || info.subresource == "portforward");
}

Result<net::Response> StreamRoutes::handle(const Call& call, const Resource& resource) {
  if (call.request.method != "GET" && call.request.method != "POST") return methodNotAllowed(call.request.method);
  SLIP_TRY(const EntryPtr entry, registry_.get(resource, call.info.ns, call.info.name));
  Json pod = entry->json();
  return call.info.subresource == "portforward" ? portForward(call, std::move(pod)) : command(call, std::move(pod));
}

Result<net::Response> StreamRoutes::command(const Call& call, Json pod) {
  const net::Request& r = call.request;
  const bool exec = call.info.subresource == "exec";
  kube::SessionOptions options;
  SLIP_TRY(options.container, chooseContainer(pod, r.queryValue("container").value_or("")));
  if (textAt(at(pod, "spec"), "nodeName").empty())
    return badRequest(fmt::format("pod {} does not have a host assigned", call.info.name));
  options.stdin_ = queryFlag(r, "stdin");
  options.stdout_ = queryFlag(r, "stdout");
  options.tty = queryFlag(r, "tty");
  options.stderr_ = queryFlag(r, "stderr") && !options.tty;
  for (const auto& [name, value] : r.queryPairs()) {
    if (exec && name == "command") options.command.push_back(value);
  }
  SLIP_CHECK(checkOptions(options, exec));
  SLIP_TRY(Upgrade upgrade, negotiateUpgrade(r, kCommandProtocols));
  if (!streams_) return fail(Code::Unavailable, "no node runs pods here: the server was started without a node agent");
  // The node's words as plain text: kubectl shows them as `unable to upgrade connection: …`.
  if (const Status possible = streams_->canOpen(pod, options.container); !possible)
    return net::Response::text(httpStatus(possible.error().code), possible.error().message);
  if (*open_ >= kMaxConnections) return fail(Code::TooMany, "too many exec, attach and port-forward connections at once");
  upgrade.switching.upgrade = [counted = std::make_shared<Counted>(open_), transport = upgrade.transport,
                               protocol = upgrade.protocol, node = streams_, pod = std::move(pod),
                               options](std::unique_ptr<net::ByteStream> connection) {
    return serveCommand(std::move(connection), transport, protocol, node, pod, options);
  };
  return std::move(upgrade.switching);
}

Result<net::Response> StreamRoutes::portForward(const Call& call, Json pod) {
  if (textAt(at(pod, "spec"), "nodeName").empty())
    return badRequest(fmt::format("pod {} does not have a host assigned", call.info.name));
  SLIP_TRY(Upgrade upgrade, negotiateUpgrade(call.request, kForwardProtocols));
  const bool channels = upgrade.transport == Transport::WebSocket && upgrade.protocol != kForwardProtocols.webSocket[0];
  std::vector<std::uint16_t> ports;
  if (channels) {
    SLIP_TRY(ports, portsOf(call.request));
  }
  if (!streams_) return fail(Code::Unavailable, "no node runs pods here: the server was started without a node agent");
  if (*open_ >= kMaxConnections) return fail(Code::TooMany, "too many exec, attach and port-forward connections at once");
  upgrade.switching.upgrade = [counted = std::make_shared<Counted>(open_), transport = upgrade.transport, node = streams_,
                               pod = std::move(pod), channels,
                               ports](std::unique_ptr<net::ByteStream> connection) -> Task<void> {
    return channels ? servePortChannels(std::move(connection), node, pod, ports)
                    : servePortForward(std::move(connection), transport, node, pod);
  };
  return std::move(upgrade.switching);
}

}  // namespace slipway::apiserver
