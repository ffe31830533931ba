// Service: a table of gRPC methods behind an HTTP server: requests in, framed answers with status trailers out. Unary
// methods are plain functions and never wait; streaming ones pull messages and give messages.
//
//   grpc::Service service({.clock = &clock});
//   service.unary("/pkg.Greeter/Hello", [](std::string_view m) -> Result<std::string> { … });
//   bool known = service.answer(request, body, deadline, response);      // unary
//   Response r = co_await service.stream(std::move(request));            // streaming; unknown methods: UNIMPLEMENTED
//
// A Service does not change once it serves; its methods may then be called from several threads.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "net/grpc/message.h"

namespace slipway::net::grpc {

struct ServiceOptions {
  Clock* clock = nullptr;                    // not null
  std::size_t maxReceiveMessage = 64 << 20;  // after decompression; RESOURCE_EXHAUSTED beyond
  std::size_t maxSendMessage = 64 << 20;     // likewise
  // Message encoding "gzip"; null: not supported. gunzip: TooLarge beyond its limit.
  std::function<Result<std::string>(std::string_view packed, std::size_t limit)> gunzip;
  std::function<std::string(std::string_view raw)> gzip;
};

// The messages of a streamed request, in order.
class Messages {
 public:
  virtual ~Messages() = default;
  virtual Task<Result<std::optional<std::string>>> next() = 0;  // nullopt at the end
};

// The messages of a streamed answer. An error ends the stream with that status; its deadline and its client's leaving cancel
// next().
class Replies {
 public:
  virtual ~Replies() = default;
  virtual Task<Result<std::optional<std::string>>> next() = 0;  // nullopt at the end
};

using UnaryMethod = std::function<Result<std::string>(std::string_view message)>;
using StreamMethod = std::function<std::unique_ptr<Replies>(std::unique_ptr<Messages> requests)>;

class Service {
 public:
  explicit Service(ServiceOptions options) : options_(std::make_shared<const ServiceOptions>(std::move(options))) {}
  void unary(std::string path, UnaryMethod method) { unary_[std::move(path)] = std::move(method); }
  void streaming(std::string path, StreamMethod method) { streams_[std::move(path)] = std::move(method); }

  bool isUnary(std::string_view path) const { return unary_.contains(path); }
  std::optional<TimePoint> deadlineOf(const Request& request) const;  // from grpc-timeout, counted from now
  // Answers a unary method whose request body is complete. False when `request` is for no unary method.
  bool answer(const Request& request, std::string_view body, std::optional<TimePoint> deadline, Response& response) const;
  Task<Response> stream(Request request) const;

 private:
  Result<std::string> call(const UnaryMethod& method, const Request& request, std::string_view body,
                           std::optional<TimePoint> deadline) const;
  std::shared_ptr<const ServiceOptions> options_;
  std::map<std::string, UnaryMethod, std::less<>> unary_;
  std::map<std::string, StreamMethod, std::less<>> streams_;
};

}  // namespace slipway::net::grpc
