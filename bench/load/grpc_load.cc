// grpc_load: a closed-loop load generator for V2 over gRPC: CONNECTIONS connections with CALLS calls at a time on each, for
// SECONDS. Each call is a ModelInfer with one raw FP32 input of shape [ROWS, COLUMNS].
//
//   grpc_load HOST:PORT AUTHORITY MODEL ROWS COLUMNS SECONDS CONNECTIONS CALLS
//
// Prints one JSON line: calls, failed, calls a second, request megabytes a second, p50 and p99 in microseconds.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdio>
#include <cstdlib>

#include "data/protobuf_wire.h"
#include "net/client.h"
#include "net/grpc/message.h"

using namespace slipway;

namespace {

using Clock = std::chrono::steady_clock;

struct Run {
  net::Origin origin;
  std::string authority, body;
  Clock::time_point end;
  std::vector<double> micros;
  std::size_t failed = 0;
  std::string why;
};

std::string inferBody(std::string_view model, std::uint64_t rows, std::uint64_t columns) {
  std::string input, shape, message, body;
  protobuf::appendVarint(shape, rows);
  protobuf::appendVarint(shape, columns);
  protobuf::appendBytes(input, 1, "x");
  protobuf::appendBytes(input, 2, "FP32");
  protobuf::appendBytes(input, 3, shape);
  std::string raw;
  for (std::uint64_t i = 0; i < rows * columns; ++i) {
    const float value = 0.1F * static_cast<float>(i % 80);
    raw.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  protobuf::appendBytes(message, 1, model);
  protobuf::appendBytes(message, 5, input);
  protobuf::appendBytes(message, 7, raw);
  net::grpc::appendFrame(body, message, false);
  return body;
}

// Why a call failed; empty when it did not.
Task<std::string> callOnce(Run* run, net::HttpClient* client) {
  net::Request request{.method = "POST", .target = "/inference.GRPCInferenceService/ModelInfer"};
  request.headers = {{"host", run->authority}, {"content-type", "application/grpc"}, {"te", "trailers"}};
  request.body = net::Body(run->body);
  auto response = co_await client->send(run->origin, std::move(request));
  if (!response) co_return response.error().message;
  auto reply = co_await response->body.readAll(1 << 30);
  if (!reply) co_return reply.error().message;
  const net::Headers& end = response->body.trailers() ? *response->body.trailers() : response->headers;
  if (end.getOr("grpc-status", "?") != "0") co_return std::string(end.getOr("grpc-message", "no status"));
  co_return std::string();
}

Task<void> caller(Run* run, net::HttpClient* client) {
  for (;;) {
    const auto began = Clock::now();
    if (began >= run->end) co_return;
    auto failure = co_await callOnce(run, client);
    if (!failure.empty()) {
      ++run->failed;
      run->why = failure;
      if (run->failed > 1000) co_return;
      continue;
    }
    run->micros.push_back(std::chrono::duration<double, std::micro>(Clock::now() - began).count());
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 9) {
    std::fprintf(stderr, "usage: grpc_load HOST:PORT AUTHORITY MODEL ROWS COLUMNS SECONDS CONNECTIONS CALLS\n");
    return 2;
  }
  const std::string where = argv[1];
  const auto colon = where.rfind(':');
  const double seconds = std::atof(argv[6]);
  Run run;
  run.origin = {.host = where.substr(0, colon),
                .port = static_cast<std::uint16_t>(std::atoi(where.c_str() + colon + 1)),
                .http2 = true};
  run.authority = argv[2];
  run.body = inferBody(argv[3], std::strtoull(argv[4], nullptr, 10), std::strtoull(argv[5], nullptr, 10));
  boost::asio::io_context io(1);
  std::vector<std::unique_ptr<net::HttpClient>> clients;
  const auto began = Clock::now();
  run.end = began + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  std::size_t left = 0;
  for (int c = 0; c < std::atoi(argv[7]); ++c) {
    clients.push_back(std::make_unique<net::HttpClient>(io.get_executor(), net::ClientOptions{.maxHttp2Connections = 1}));
    for (int i = 0; i < std::atoi(argv[8]); ++i) {
      ++left;
      boost::asio::co_spawn(io, caller(&run, clients.back().get()), [&](std::exception_ptr) {
        if (--left == 0) io.stop();
      });
    }
  }
  io.run();
  const double took = std::chrono::duration<double>(Clock::now() - began).count();
  std::sort(run.micros.begin(), run.micros.end());
  const auto at = [&](double q) {
    return run.micros.empty() ? 0.0 : run.micros[static_cast<std::size_t>(q * static_cast<double>(run.micros.size() - 1))];
  };
  const auto n = static_cast<double>(run.micros.size());
  std::printf(
      "{\"calls\": %zu, \"failed\": %zu, \"per_second\": %.0f, \"mb_per_second\": %.0f, \"p50\": %.0f, \"p99\": %.0f}\n",
      run.micros.size(), run.failed, n / took, n * static_cast<double>(run.body.size()) / took / 1e6, at(.5), at(.99));
  if (run.failed > 0) std::fprintf(stderr, "last failure: %s\n", run.why.c_str());
  return run.micros.empty() ? 1 : 0;
}
