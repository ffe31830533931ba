#include "serving/grpc_api.h"

#include "base/log.h"
#include "data/gzip.h"
#include "data/protobuf_wire.h"

namespace slipway::serving {
namespace {
using net::grpc::Messages;
using net::grpc::Replies;
using Message = Result<std::optional<std::string>>;

constexpr std::string_view kVersion = "1";  // the one version that every model has
enum Health { Serving = 1, NotServing = 2, ServiceUnknown = 3 };

net::grpc::ServiceOptions serviceOptions(const GrpcOptions& o) {
  return {o.clock, o.maxReceiveMessage, o.maxSendMessage, gunzip, gzip};
}

std::string healthReply(int status) {
  std::string out;
  protobuf::appendNumber(out, 1, static_cast<std::uint64_t>(status));
  return out;
}

Result<std::string> serviceIn(std::string_view message) {
  std::string service;
  protobuf::Reader reader(message);
  while (!reader.done()) {
    const auto field = reader.next();
    if (!field) return fail(Code::BadRequest, "the message is not a HealthCheckRequest");
    if (field->number == 1) service = std::string(field->bytes);
  }
  return service;
}

// One answer for each request of a stream.
class InferReplies final : public Replies {
 public:
  InferReplies(std::unique_ptr<Messages> requests, const GrpcOptions& options)
      : requests_(std::move(requests)), options_(options) {}
  Task<Message> next() override {
    auto message = co_await requests_->next();
    if (!message || !*message) co_return message;
    auto reply = co_await options_.infer(std::move(**message));
    co_return reply ? protocol::writeStreamResponse(*reply) : protocol::writeStreamError(reply.error().message);
  }

 private:
  std::unique_ptr<Messages> requests_;
  const GrpcOptions& options_;
};

class ReflectionReplies final : public Replies {
 public:
  ReflectionReplies(std::unique_ptr<Messages> requests, const Reflection& reflection)
      : requests_(std::move(requests)), reflection_(reflection) {}
  Task<Message> next() override {
    auto message = co_await requests_->next();
    if (!message || !*message) co_return message;
    auto reply = reflection_.answer(**message);
    if (!reply) co_return fail(std::move(reply).error());
    co_return std::move(*reply);
  }

 private:
  std::unique_ptr<Messages> requests_;
  const Reflection& reflection_;
};

// The status at once, then every change. It looks again and again: models come and go without telling anybody.
class WatchReplies final : public Replies {
 public:
  WatchReplies(std::unique_ptr<Messages> requests, const GrpcApi& api, const Api& server, const GrpcOptions& options)
      : requests_(std::move(requests)), api_(api), server_(server), options_(options) {}
  Task<Message> next() override {
    if (last_ == 0) {
      auto message = co_await requests_->next();
      if (!message) co_return message;
      if (!*message) co_return fail(Code::BadRequest, "the request has no message");
      auto service = serviceIn(**message);
      if (!service) co_return fail(std::move(service).error());
      service_ = std::move(*service);
    }
    for (;;) {
      const int now = api_.health(service_);
      if (now != std::exchange(last_, now)) co_return healthReply(now);
      if (server_.draining()) co_return fail(Code::Unavailable, "the server is stopping");
      co_await options_.clock->sleepFor(options_.watchInterval);
    }
  }

 private:
  std::unique_ptr<Messages> requests_;
  const GrpcApi& api_;
  const Api& server_;
  const GrpcOptions& options_;
  std::string service_;
  int last_ = 0;
};

}  // namespace

GrpcApi::GrpcApi(Api& api, ModelRepository& models, GrpcOptions options)
    : api_(api), models_(models), options_(std::move(options)), service_(serviceOptions(options_)) {
  addInference();
  addHealth();
  addReflection();
}

void GrpcApi::addInference() {
  const std::string base = "/inference.GRPCInferenceService/";
  service_.unary(base + "ServerLive", [](std::string_view) -> Result<std::string> { return protocol::writeReady(true); });
  service_.unary(base + "ServerReady",
                 [this](std::string_view) -> Result<std::string> { return protocol::writeReady(!api_.draining()); });
  service_.unary(base + "ServerMetadata", [](std::string_view) -> Result<std::string> {
    static constexpr std::string_view kExtensions[] = {"model_repository_extension"};
    return protocol::writeServerMetadata("slipway", "0.1.0", kExtensions);
  });
  service_.unary(base + "ModelReady", [this](std::string_view message) -> Result<std::string> {
    SLIP_TRY(const auto ref, protocol::readModelRef(message));
    SLIP_TRY(const auto model, find(ref));
    return protocol::writeReady(!api_.draining());
  });
  service_.unary(base + "ModelMetadata", [this](std::string_view message) -> Result<std::string> {
    SLIP_TRY(const auto ref, protocol::readModelRef(message));
    SLIP_TRY(const auto model, find(ref));
    const ModelMetadata& m = model->metadata();
    return protocol::writeModelMetadata(ref.name, kVersion, m.platform, m.inputs, m.outputs);
  });
  service_.unary(base + "ModelInfer", [this](std::string_view message) { return api_.inferGrpc(message); });
  service_.streaming(base + "ModelStreamInfer", [this](std::unique_ptr<Messages> requests) {
    return std::make_unique<InferReplies>(std::move(requests), options_);
  });
  service_.unary(base + "RepositoryIndex", [this](std::string_view message) { return index(message); });
  service_.unary(base + "RepositoryModelLoad", [this](std::string_view message) { return load(message); });
  service_.unary(base + "RepositoryModelUnload", [this](std::string_view message) { return unload(message); });
}

void GrpcApi::addHealth() {
  service_.unary("/grpc.health.v1.Health/Check", [this](std::string_view message) -> Result<std::string> {
    SLIP_TRY(const auto name, serviceIn(message));
    const int status = health(name);
    if (status == ServiceUnknown)
      return fail(Code::NotFound, fmt::format("'{}' is no service and no model of this server", name));
    return healthReply(status);
  });
  service_.streaming("/grpc.health.v1.Health/Watch", [this](std::unique_ptr<Messages> requests) {
    return std::make_unique<WatchReplies>(std::move(requests), *this, api_, options_);
  });
}

void GrpcApi::addReflection() {
  for (const char* version : {"v1", "v1alpha"}) {
    service_.streaming(fmt::format("/grpc.reflection.{}.ServerReflection/ServerReflectionInfo", version),
                       [this](std::unique_ptr<Messages> requests) {
                         return std::make_unique<ReflectionReplies>(std::move(requests), reflection_);
                       });
  }
}

int GrpcApi::health(std::string_view name) const {
  const auto& services = reflection_.services();
  const bool known =
      name.empty() || std::find(services.begin(), services.end(), name) != services.end() || models_.find(name);
  if (!known) return ServiceUnknown;
  return api_.draining() ? NotServing : Serving;
}

Result<std::shared_ptr<const Model>> GrpcApi::find(const protocol::ModelRef& ref) const {
  if (!ref.version.empty() && ref.version != kVersion)
    return fail(Code::Unimplemented, fmt::format("model_version '{}': Model versioning not supported yet.", ref.version));
  auto model = models_.find(ref.name);
  if (!model) return fail(Code::NotFound, fmt::format("Model with name {} does not exist.", ref.name));
  return model;
}

Result<std::string> GrpcApi::index(std::string_view message) const {
  SLIP_TRY(const bool readyOnly, protocol::readIndexRequest(message));
  std::vector<protocol::IndexEntry> entries;
  for (auto& entry : models_.list()) {
    if (readyOnly && !entry.ready) continue;
    entries.push_back(
        {std::move(entry.name), std::string(kVersion), entry.ready ? "READY" : "UNAVAILABLE", std::move(entry.reason)});
  }
  return protocol::writeIndex(entries);
}

Result<std::string> GrpcApi::load(std::string_view message) {
  SLIP_TRY(const auto name, protocol::readRepositoryModel(message));
  const auto loaded = models_.load(name);
  if (!loaded) {
    logWarn("model {} was not loaded: {}", name, loaded.error().message);
    return fail(Code::Unavailable, fmt::format("Model with name {} is not ready: {}", name, loaded.error().message));
  }
  logInfo("model {} loaded", name);
  return protocol::writeRepositoryModel(name, true);
}

Result<std::string> GrpcApi::unload(std::string_view message) {
  SLIP_TRY(const auto name, protocol::readRepositoryModel(message));
  if (!models_.unload(name)) return fail(Code::NotFound, fmt::format("Model with name {} does not exist.", name));
  logInfo("model {} unloaded", name);
  return protocol::writeRepositoryModel(name, true);
}

}  // namespace slipway::serving
