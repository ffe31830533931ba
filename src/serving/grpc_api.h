// GrpcApi: the gRPC face of the model server: inference.GRPCInferenceService (V2), grpc.health.v1.Health and server
// reflection, as one grpc::Service over the Api's models. Immutable once made; used from several threads.
//
//   GrpcApi grpc(api, models, {.clock = &clock, .offload = …});
//   if (GrpcApi::isCall(request)) …  grpc.service().answer(…)
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "net/grpc/service.h"
#include "protocol/v2_grpc.h"
#include "serving/api.h"
#include "serving/grpc_reflection.h"
#include "serving/repository.h"

namespace slipway::serving {

struct GrpcOptions {
  Clock* clock = nullptr;  // not null
  std::size_t maxReceiveMessage = 64 << 20, maxSendMessage = 64 << 20;
  // Runs a prediction of a streamed request where it does not hold up the event loop.
  std::function<Task<Result<std::string>>(std::string message)> infer;
  std::chrono::milliseconds watchInterval{200};  // how often Health/Watch looks
};

class GrpcApi {
 public:
  GrpcApi(Api& api, ModelRepository& models, GrpcOptions options);
  // gRPC over HTTP/2; over HTTP/1.1 there is none.
  static bool isCall(const net::Request& request) {
    return request.version == "HTTP/2" && net::grpc::isGrpc(request.headers);
  }
  // Whether answering reads files, so that it belongs on a pool thread.
  static bool blocks(const net::Request& request) { return request.rawPath().ends_with("/RepositoryModelLoad"); }
  const net::grpc::Service& service() const { return service_; }
  // grpc.health.v1's status of the server (""), of a service, or of a model: 1 SERVING, 2 NOT_SERVING, 3 SERVICE_UNKNOWN.
  int health(std::string_view name) const;

 private:
  void addInference();
  void addHealth();
  void addReflection();
  Result<std::shared_ptr<const Model>> find(const protocol::ModelRef& ref) const;
  Result<std::string> index(std::string_view message) const;
  Result<std::string> load(std::string_view message);
  Result<std::string> unload(std::string_view message);

  Api& api_;
  ModelRepository& models_;
  GrpcOptions options_;
  Reflection reflection_;
  net::grpc::Service service_;
};

}  // namespace slipway::serving
