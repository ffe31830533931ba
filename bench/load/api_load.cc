// api_load: load on a Kubernetes API server for the benchmarks, over TLS with keep-alive connections.
//
//   api_load create URL CA TOKEN NAMESPACE COUNT CLIENTS      COUNT ConfigMaps of about 300 bytes, CLIENTS at a time
//   api_load get    URL CA TOKEN PATH COUNT [ACCEPT]          COUNT times the same read, one after the other
//   api_load watch  URL CA TOKEN NAMESPACE WATCHERS RATE SECONDS   every watcher must see every one of RATE creates a second
//   api_load hold   URL CA TOKEN NAMESPACE WATCHERS      opens WATCHERS watches, says so, makes one object at a line on
//   stdin, says
//                                                        when all have seen it, and ends them at the next line
//
// In `watch` the first watcher reads every event, which must be the ADDED of each object once; the others count lines, since
// a million parsed events a second would measure this program.
//
// Prints one JSON line; times in microseconds. Exit status 1 with the reason on stderr when an answer is not what it must
// be.
#include <algorithm>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "net/client.h"
#include "net/tls.h"

namespace {
namespace asio = boost::asio;
using namespace slipway;
using net::HttpClient;
using net::Origin;
using net::Request;
using Clock = std::chrono::steady_clock;

struct Target {
  Origin origin;
  std::string token;
  std::shared_ptr<net::TlsContext> tls;
};

[[noreturn]] void stop(const std::string& why) {
  std::fprintf(stderr, "api_load: %s\n", why.c_str());
  std::_Exit(1);
}

Target targetOf(const std::string& url, const std::string& caFile, const std::string& token) {
  const auto hostStart = url.find("://") + 3, colon = url.rfind(':');
  std::ifstream file(caFile);
  const std::string ca((std::istreambuf_iterator<char>(file)), {});
  auto tls = net::TlsContext::client(ca, nullptr);
  if (!tls) stop(tls.error().message);
  return {
      Origin{url.substr(hostStart, colon - hostStart), static_cast<std::uint16_t>(std::stoi(url.substr(colon + 1))), true},
      token, *tls};
}

Request requestTo(const Target& target, std::string method, std::string path, std::string body = "") {
  Request request{.method = std::move(method), .target = std::move(path), .body = net::Body(std::move(body))};
  request.headers.add("Authorization", "Bearer " + target.token);
  request.headers.add("Content-Type", "application/json");
  return request;
}

std::string configMap(const std::string& name) {
  return R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":")" + name +
         R"(","labels":{"app":"bench"}},"data":{"key":")" + std::string(200, 'x') + R"("}})";
}

double percentile(std::vector<double>& sorted, double q) {
  return sorted.empty()
             ? 0
             : sorted[std::min(sorted.size() - 1, static_cast<std::size_t>(q * static_cast<double>(sorted.size())))];
}

void print(std::vector<double> micros, double seconds, const std::string& more = "") {
  std::sort(micros.begin(), micros.end());
  std::printf("{\"count\": %zu, \"seconds\": %.3f, \"rate\": %.1f, \"p50\": %.1f, \"p99\": %.1f, \"max\": %.1f%s}\n",
              micros.size(), seconds, static_cast<double>(micros.size()) / seconds, percentile(micros, 0.5),
              percentile(micros, 0.99), micros.empty() ? 0 : micros.back(), more.c_str());
}

double since(Clock::time_point began) { return std::chrono::duration<double, std::micro>(Clock::now() - began).count(); }

Task<void> createOne(HttpClient& client, const Target& target, const std::string& ns, const std::string& name) {
  auto r = co_await client.send(target.origin,
                                requestTo(target, "POST", "/api/v1/namespaces/" + ns + "/configmaps", configMap(name)));
  if (!r) stop(r.error().message);
  if (r->status != 201) {
    auto body = co_await r->body.readAll(1 << 20);
    stop("create: " + std::to_string(r->status) + " " + body.value_or(""));
  }
}

int create(const Target& target, const std::string& ns, int count, int clients) {
  asio::io_context io;
  std::vector<double> micros;
  int next = 0;
  const auto began = Clock::now();
  std::vector<std::unique_ptr<HttpClient>> pools;
  for (int c = 0; c < clients; ++c) {
    pools.push_back(std::make_unique<HttpClient>(io.get_executor(), net::ClientOptions{.tls = target.tls}));
    asio::co_spawn(
        io,
        [&, client = pools.back().get()]() -> Task<void> {
          while (next < count) {
            const std::string name = "bench-" + std::to_string(next++);
            const auto start = Clock::now();
            co_await createOne(*client, target, ns, name);
            micros.push_back(since(start));
          }
          if (static_cast<int>(micros.size()) == count) io.stop();
        },
        asio::detached);
  }
  io.run();
  print(std::move(micros), since(began) / 1e6);
  return 0;
}

int get(const Target& target, const std::string& path, int count, const std::string& accept) {
  asio::io_context io;
  std::vector<double> micros;
  std::size_t bytes = 0;
  HttpClient client(io.get_executor(), {.tls = target.tls});
  const auto began = Clock::now();
  asio::co_spawn(
      io,
      [&]() -> Task<void> {
        for (int i = 0; i < count; ++i) {
          auto request = requestTo(target, "GET", path);
          if (!accept.empty()) request.headers.add("Accept", accept);
          const auto start = Clock::now();
          auto r = co_await client.send(target.origin, std::move(request));
          if (!r) stop(r.error().message);
          auto body = co_await r->body.readAll(std::size_t{1} << 30);
          if (!body || r->status != 200) stop("GET " + path + ": " + std::to_string(r->status));
          micros.push_back(since(start));
          bytes = body->size();
        }
        io.stop();
      },
      asio::detached);
  io.run();
  print(std::move(micros), since(began) / 1e6, ", \"bytes\": " + std::to_string(bytes));
  return 0;
}

struct Watcher {
  std::unique_ptr<HttpClient> client;
  int seen = 0;
  bool reads = false;  // looks at what it sees
  std::set<std::string> names;
};

void look(Watcher& watcher, const std::string& line) {
  static constexpr std::string_view kAdded = "{\"type\":\"ADDED\"", kName = "\"name\":\"";
  const auto name = line.find(kName);
  if (!line.starts_with(kAdded) || name == std::string::npos) stop("a watch was sent " + line.substr(0, 200));
  const auto begin = name + kName.size();
  const std::string text = line.substr(begin, line.find('"', begin) - begin);
  if (!watcher.names.insert(text).second) stop("a watch was sent " + text + " twice");
}

// Events are lines: JSON has no raw line feeds.
Task<void> follow(Watcher& watcher, const Target& target, const std::string& ns, int& open) {
  auto r = co_await watcher.client->send(
      target.origin, requestTo(target, "GET", "/api/v1/namespaces/" + ns + "/configmaps?watch=1&labelSelector=app%3Dbench"));
  if (!r || r->status != 200) stop("watch: " + (r ? std::to_string(r->status) : r.error().message));
  ++open;
  std::string text;
  for (;;) {
    auto chunk = co_await r->body.read();
    if (!chunk || chunk->empty()) stop("a watch ended early");
    watcher.seen += static_cast<int>(std::count(chunk->begin(), chunk->end(), '\n'));
    if (!watcher.reads) continue;
    text += *chunk;
    std::size_t begin = 0;
    for (std::size_t end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1)
      look(watcher, text.substr(begin, end - begin));
    text.erase(0, begin);
  }
}

std::vector<Watcher> openWatches(asio::io_context& io, const Target& target, const std::string& ns, int watchers,
                                 int& open) {
  std::vector<Watcher> all(static_cast<std::size_t>(watchers));
  all.front().reads = true;
  for (auto& watcher : all) {
    watcher.client = std::make_unique<HttpClient>(
        io.get_executor(), net::ClientOptions{.connectTimeout = std::chrono::seconds(60), .tls = target.tls});
    asio::co_spawn(io, follow(watcher, target, ns, open), asio::detached);
  }
  return all;
}

std::ptrdiff_t complete(const std::vector<Watcher>& all, int events) {
  return std::count_if(all.begin(), all.end(), [&](const Watcher& w) { return w.seen == events; });
}

template <class Done>
Task<void> until(Done done) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  while (!done()) {
    timer.expires_after(std::chrono::milliseconds(1));
    co_await timer.async_wait(asio::use_awaitable);
  }
}

int hold(const Target& target, const std::string& ns, int watchers) {
  asio::io_context io;
  int open = 0;
  const auto began = Clock::now();
  const std::vector<Watcher> all = openWatches(io, target, ns, watchers, open);
  HttpClient writer(io.get_executor(), {.tls = target.tls});
  asio::co_spawn(
      io,
      [&]() -> Task<void> {
        co_await until([&] { return open == watchers; });
        std::printf("{\"open\": %d, \"seconds\": %.3f}\n", open, since(began) / 1e6);
        std::fflush(stdout);
        if (std::getchar() == EOF) io.stop();
        const auto start = Clock::now();
        co_await createOne(writer, target, ns, "seen-by-all");
        co_await until([&] { return complete(all, 1) == watchers; });
        std::printf("{\"seen\": %d, \"us\": %.0f}\n", watchers, since(start));
        std::fflush(stdout);
        std::getchar();
        io.stop();
      },
      asio::detached);
  io.run();
  return 0;
}

int watch(const Target& target, const std::string& ns, int watchers, int rate, int seconds) {
  asio::io_context io;
  int open = 0;
  double behind = 0, slowest = 0;
  const int total = rate * seconds;
  const std::vector<Watcher> all = openWatches(io, target, ns, watchers, open);
  std::vector<std::unique_ptr<HttpClient>> writers;
  for (int i = 0; i < 8; ++i)
    writers.push_back(std::make_unique<HttpClient>(
        io.get_executor(),
        net::ClientOptions{.connectTimeout = std::chrono::seconds(120), .maxConnectionsPerOrigin = 1, .tls = target.tls}));
  asio::co_spawn(
      io,
      [&]() -> Task<void> {
        asio::steady_timer timer(co_await asio::this_coro::executor);
        co_await until([&] { return open == watchers; });
        const auto began = Clock::now();
        int running = 0;
        for (int i = 0; i < total; ++i) {
          timer.expires_at(began + std::chrono::microseconds(static_cast<std::int64_t>(1e6 * i / rate)));
          co_await timer.async_wait(asio::use_awaitable);
          ++running;
          asio::co_spawn(
              io,
              [&, i]() -> Task<void> {
                co_await createOne(*writers[static_cast<std::size_t>(i) % writers.size()], target, ns,
                                   "watch-" + std::to_string(i));
                --running;
              },
              asio::detached);
        }
        behind = since(began) - 1e6 * seconds;
        const auto written = Clock::now();
        for (;;) {
          const auto done = complete(all, total);
          if (running == 0 && done == watchers) break;
          if (since(written) > 60e6)
            stop("only " + std::to_string(done) + " watchers have seen all " + std::to_string(total));
          timer.expires_after(std::chrono::milliseconds(1));
          co_await timer.async_wait(asio::use_awaitable);
        }
        slowest = since(written);
        io.stop();
      },
      asio::detached);
  io.run();
  for (const auto& w : all)
    if (w.seen != total) stop("a watcher has seen " + std::to_string(w.seen) + " of " + std::to_string(total));
  if (all.front().names.size() != static_cast<std::size_t>(total)) stop("the first watcher has not seen every object");
  std::printf("{\"watchers\": %d, \"events\": %d, \"late_us\": %.0f, \"drained_us\": %.0f}\n", watchers, total, behind,
              slowest);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> a(argv + 1, argv + argc);
  if (a.size() < 6) {
    std::fprintf(stderr, "usage: api_load create|get|watch|hold URL CA TOKEN … (see the head of api_load.cc)\n");
    return 2;
  }
  const Target target = targetOf(a[1], a[2], a[3]);
  if (a[0] == "create" && a.size() == 7) return create(target, a[4], std::stoi(a[5]), std::stoi(a[6]));
  if (a[0] == "get") return get(target, a[4], std::stoi(a[5]), a.size() > 6 ? a[6] : "");
  if (a[0] == "hold" && a.size() == 6) return hold(target, a[4], std::stoi(a[5]));
  if (a[0] == "watch" && a.size() == 8) return watch(target, a[4], std::stoi(a[5]), std::stoi(a[6]), std::stoi(a[7]));
  return 2;
}
