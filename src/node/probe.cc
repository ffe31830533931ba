#include "node/probe.h"

#include <strings.h>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "net/client.h"
#include "net/tls.h"
#include "node/grpc_health.h"

namespace slipway::node {
namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr auto kEagerMax = std::chrono::seconds(1);

TimePoint after(TimePoint t, Duration d) { return t + std::chrono::duration_cast<TimePoint::duration>(d); }

std::uint16_t portOf(const Json& port, const Json& container) {
  if (port.is_number_integer()) return static_cast<std::uint16_t>(port.get<std::int64_t>());
  if (!port.is_string()) return 0;
  const std::string name = port.get<std::string>();
  for (const Json& p : at(container, "ports"))
    if (textAt(p, "name") == name) return static_cast<std::uint16_t>(intAt(p, "containerPort"));
  return static_cast<std::uint16_t>(std::strtoul(name.c_str(), nullptr, 10));
}

Task<ProbeResult> probeTcp(std::string host, std::uint16_t port) {
  boost::system::error_code ec;
  const auto address = asio::ip::make_address(host, ec);
  if (ec) co_return ProbeResult{false, fmt::format("dial tcp {}:{}: not an address", host, port)};
  tcp::socket socket(co_await asio::this_coro::executor);
  co_await socket.async_connect(tcp::endpoint(address, port), asio::redirect_error(asio::use_awaitable, ec));
  if (ec == asio::error::operation_aborted) throw boost::system::system_error(ec);
  if (!ec) co_return ProbeResult{true, ""};
  std::string reason = ec.message();
  for (char& c : reason) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  co_return ProbeResult{false, fmt::format("dial tcp {}:{}: connect: {}", host, port, reason)};
}

// The few lines of HTTP/1.1 that a probe needs, with the port's own connection each time: a pool would hide a dead listener.
Task<ProbeResult> probeHttp(ProbeSpec spec, std::string host) {
  boost::system::error_code ec;
  const std::string url = fmt::format("http://{}:{}{}", host, spec.port, spec.path);
  const auto address = asio::ip::make_address(host, ec);
  if (ec) co_return ProbeResult{false, fmt::format("Get \"{}\": not an address", url)};
  tcp::socket socket(co_await asio::this_coro::executor);
  co_await socket.async_connect(tcp::endpoint(address, spec.port), asio::redirect_error(asio::use_awaitable, ec));
  if (ec == asio::error::operation_aborted) throw boost::system::system_error(ec);
  if (ec)
    co_return ProbeResult{false,
                          fmt::format("Get \"{}\": dial tcp {}:{}: connect: connection refused", url, host, spec.port)};
  std::string request =
      fmt::format("GET {} HTTP/1.1\r\nConnection: close\r\nAccept: */*\r\nUser-Agent: kube-probe/1.34\r\n", spec.path);
  bool hasHost = false;
  for (const auto& [name, value] : spec.headers) {
    hasHost = hasHost || ::strcasecmp(name.c_str(), "Host") == 0;
    request += name + ": " + value + "\r\n";
  }
  if (!hasHost) request += fmt::format("Host: {}:{}\r\n", host, spec.port);
  request += "\r\n";
  co_await asio::async_write(socket, asio::buffer(request), asio::redirect_error(asio::use_awaitable, ec));
  std::string head;
  char buffer[2048];
  while (!ec && head.find("\r\n") == std::string::npos && head.size() < 8192) {
    const std::size_t n =
        co_await socket.async_read_some(asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, ec));
    head.append(buffer, n);
  }
  if (ec == asio::error::operation_aborted) throw boost::system::system_error(ec);
  int status = 0;
  if (std::sscanf(head.c_str(), "HTTP/%*d.%*d %d", &status) != 1)
    co_return ProbeResult{false, fmt::format("Get \"{}\": EOF", url)};
  if (status >= 200 && status < 400) co_return ProbeResult{true, ""};
  co_return ProbeResult{false, fmt::format("HTTP probe failed with statuscode: {}", status)};
}

// As a kubelet does, without checking the certificate.
Task<ProbeResult> probeHttps(ProbeSpec spec, std::string host) {
  auto tls = net::TlsContext::client("", nullptr, false);
  if (!tls) co_return ProbeResult{false, tls.error().message};
  net::HttpClient client(co_await asio::this_coro::executor, {.tls = *tls});
  net::Request request;
  request.target = spec.path;
  request.headers.set("User-Agent", "kube-probe/1.34");
  for (const auto& [name, value] : spec.headers) request.headers.set(name, value);
  auto response = co_await client.send(net::Origin{host, spec.port, true, ""}, std::move(request));
  if (!response)
    co_return ProbeResult{false,
                          fmt::format("Get \"https://{}:{}{}\": {}", host, spec.port, spec.path, response.error().message)};
  if (response->status >= 200 && response->status < 400) co_return ProbeResult{true, ""};
  co_return ProbeResult{false, fmt::format("HTTP probe failed with statuscode: {}", response->status)};
}

// What the kubelet's client says of an answer that is no good.
ProbeResult grpcVerdict(const ProbeSpec& spec, const GrpcHealthReply& reply) {
  const auto status = reply.status();
  if (!status) return {false, fmt::format("error: health rpc probe failed: service \"{}\" is not known", spec.service)};
  if (*status == 1) return {true, ""};
  return {false, fmt::format("service unhealthy (responded with \"{}\")", GrpcHealthReply::statusName(*status))};
}

Task<ProbeResult> probeGrpc(ProbeSpec spec, std::string host) {
  boost::system::error_code ec;
  const std::string where = fmt::format("{}:{}", host, spec.port);
  const auto address = asio::ip::make_address(host, ec);
  if (ec) co_return ProbeResult{false, fmt::format("dial tcp {}: not an address", where)};
  tcp::socket socket(co_await asio::this_coro::executor);
  co_await socket.async_connect(tcp::endpoint(address, spec.port), asio::redirect_error(asio::use_awaitable, ec));
  if (ec == asio::error::operation_aborted) throw boost::system::system_error(ec);
  if (ec)
    co_return ProbeResult{false, fmt::format("timeout: failed to connect service \"{}\" within {}s", where,
                                             std::chrono::duration_cast<std::chrono::seconds>(spec.timeout).count())};
  GrpcHealthReply reply;
  std::string send = grpcHealthRequest(where, spec.service);
  char buffer[4096];
  for (;;) {
    if (!send.empty()) co_await asio::async_write(socket, asio::buffer(send), asio::redirect_error(asio::use_awaitable, ec));
    std::size_t n = 0;
    if (!ec) n = co_await socket.async_read_some(asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, ec));
    if (ec == asio::error::operation_aborted) throw boost::system::system_error(ec);
    if (ec) co_return ProbeResult{false, fmt::format("error: health rpc probe failed: {}", ec.message())};
    const auto done = reply.feed(std::string_view(buffer, n));
    if (!done) co_return ProbeResult{false, fmt::format("error: health rpc probe failed: {}", done.error().message)};
    if (*done) co_return grpcVerdict(spec, reply);
    send = reply.takeReplies();
  }
}

Task<ProbeResult> probeExec(ProbeSpec spec, std::string containerId, Runtime& runtime) {
  auto result = co_await runtime.exec(containerId, spec.command, spec.timeout);
  if (!result) co_return ProbeResult{false, result.error().message};
  if (result->exitCode == 0) co_return ProbeResult{true, ""};
  co_return ProbeResult{false, result->output};
}

}  // namespace

ProbeSpec probeSpecOf(const Json& probe, const Json& container) {
  ProbeSpec spec;
  spec.initialDelay = std::chrono::seconds(intAt(probe, "initialDelaySeconds", 0));
  spec.period = std::chrono::seconds(std::max<std::int64_t>(1, intAt(probe, "periodSeconds", 10)));
  spec.timeout = std::chrono::seconds(std::max<std::int64_t>(1, intAt(probe, "timeoutSeconds", 1)));
  spec.successThreshold = static_cast<int>(std::max<std::int64_t>(1, intAt(probe, "successThreshold", 1)));
  spec.failureThreshold = static_cast<int>(std::max<std::int64_t>(1, intAt(probe, "failureThreshold", 3)));
  const Json& grace = at(probe, "terminationGracePeriodSeconds");
  if (grace.is_number_integer()) spec.grace = std::chrono::seconds(grace.get<std::int64_t>());
  const Json& http = at(probe, "httpGet");
  const Json& tcpSocket = at(probe, "tcpSocket");
  const Json& exec = at(probe, "exec");
  const Json& grpc = at(probe, "grpc");
  if (http.is_object()) {
    spec.action = ProbeSpec::Action::HttpGet;
    spec.host = textAt(http, "host");
    spec.port = portOf(at(http, "port"), container);
    spec.tls = textAt(http, "scheme", "HTTP") == "HTTPS";
    spec.path = textAt(http, "path", "/");
    if (!spec.path.starts_with("/")) spec.path = "/" + spec.path;
    for (const Json& h : at(http, "httpHeaders")) spec.headers.emplace_back(textAt(h, "name"), textAt(h, "value"));
  } else if (tcpSocket.is_object()) {
    spec.action = ProbeSpec::Action::TcpSocket;
    spec.host = textAt(tcpSocket, "host");
    spec.port = portOf(at(tcpSocket, "port"), container);
  } else if (grpc.is_object()) {
    spec.action = ProbeSpec::Action::Grpc;
    spec.port = portOf(at(grpc, "port"), container);
    spec.service = textAt(grpc, "service");
  } else if (exec.is_object()) {
    spec.action = ProbeSpec::Action::Exec;
    for (const Json& word : at(exec, "command"))
      if (word.is_string()) spec.command.push_back(word.get<std::string>());
  }
  return spec;
}

ProbeTracker::ProbeTracker(ProbeSpec spec, ProbeKind kind, TimePoint startedAt) : spec_(std::move(spec)), kind_(kind) {
  nextAt_ = after(startedAt, spec_.initialDelay);
  tickAt_ = nextAt_;
}

ProbeVerdict ProbeTracker::record(bool success, TimePoint now) {
  const bool onTick = now >= tickAt_;
  while (tickAt_ <= now) tickAt_ = after(tickAt_, spec_.period);
  everSucceeded_ = everSucceeded_ || success;
  nextAt_ = tickAt_;
  if (!everSucceeded_ && kind_ != ProbeKind::Liveness) {
    nextAt_ = std::min(tickAt_, after(now, eager_));
    eager_ = std::min<Duration>(eager_ * 3 / 2, kEagerMax);
  }
  if (!success && !onTick) return ProbeVerdict::Unchanged;
  inRow_ = lastResult_ == success ? inRow_ + 1 : 1;
  lastResult_ = success;
  if (inRow_ < (success ? spec_.successThreshold : spec_.failureThreshold)) return ProbeVerdict::Unchanged;
  const bool changed = state_ != success;
  state_ = success;
  if (success) return changed ? ProbeVerdict::Success : ProbeVerdict::Unchanged;
  return ProbeVerdict::Failure;
}

Task<ProbeResult> runProbe(ProbeSpec spec, std::string podIp, std::string containerId, Runtime& runtime) {
  using namespace asio::experimental::awaitable_operators;
  if (spec.action == ProbeSpec::Action::None) co_return ProbeResult{true, ""};
  const std::string host = spec.host.empty() ? podIp : spec.host == "localhost" ? "127.0.0.1" : spec.host;
  if (spec.action == ProbeSpec::Action::Exec) {
    auto result = co_await probeExec(spec, containerId, runtime);
    co_return result;
  }
  asio::steady_timer timer(co_await asio::this_coro::executor,
                           std::chrono::duration_cast<std::chrono::steady_clock::duration>(spec.timeout));
  Task<ProbeResult> look = spec.action == ProbeSpec::Action::TcpSocket ? probeTcp(host, spec.port)
                           : spec.action == ProbeSpec::Action::Grpc    ? probeGrpc(spec, host)
                           : spec.tls                                  ? probeHttps(spec, host)
                                                                       : probeHttp(spec, host);
  boost::system::error_code ec;
  auto got = co_await (std::move(look) || timer.async_wait(asio::redirect_error(asio::use_awaitable, ec)));
  if (got.index() == 0) co_return std::get<0>(got);
  if (spec.action == ProbeSpec::Action::Grpc)
    co_return ProbeResult{false, fmt::format("timeout: health rpc did not complete within {}s",
                                             std::chrono::duration_cast<std::chrono::seconds>(spec.timeout).count())};
  const char* what = spec.action == ProbeSpec::Action::TcpSocket ? "dial tcp" : "Get";
  co_return ProbeResult{
      false, fmt::format("{} {}:{}: context deadline exceeded (Client.Timeout exceeded while awaiting headers)", what, host,
                         spec.port)};
}

}  // namespace slipway::node
