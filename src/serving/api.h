// Api: the HTTP face of the model server as a function from request to response: V1, V2, repository, health and metrics
// (KServe's paths). It does not wait and owns no connection; ModelServer feeds it. Used from several threads, each with its
// own Readers.
//
//   Api api(repository, metrics, clock);
//   api.answer(request, body, readers, response);
#pragma once
#include <atomic>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "net/http.h"
#include "protocol/v1.h"
#include "protocol/v2.h"
#include "serving/metrics.h"
#include "serving/repository.h"

namespace slipway::serving {

struct Readers {
  protocol::V1Reader v1;
  protocol::V2Reader v2;
};

class Api {
 public:
  Api(ModelRepository& models, Metrics& metrics, const Clock& clock, bool logLatency = false);

  // Fills `response` (whose old content is overwritten). `body` is the complete request body.
  void answer(const net::Request& request, std::string_view body, Readers& readers, net::Response& response);
  // Whether answering reads files, so that it belongs on a pool thread.
  static bool blocks(const net::Request& request);
  // A ModelInferRequest to its ModelInferResponse (protocol/v2_grpc.h). Errors: NotFound, Unimplemented (versions),
  // BadRequest, and those of the model.
  Result<std::string> inferGrpc(std::string_view message);
  bool draining() const { return draining_.load(std::memory_order_relaxed); }
  // From now on readiness is 503; predictions go on.
  void beginDrain() { draining_.store(true, std::memory_order_relaxed); }

 private:
  struct Call;
  void route(Call& call);
  void routeV1(Call& call, std::string_view rest);
  void routeV2(Call& call, std::string_view rest);
  void routeV2Model(Call& call, std::string_view rest);
  void routeRepository(Call& call, std::string_view rest);
  void predictV1(Call& call, std::string_view name);
  void predictV2(Call& call, std::string_view name);
  void modelReady(Call& call, std::string_view name);
  std::string modelList() const;
  bool ready() const;

  ModelRepository& models_;
  Metrics& metrics_;
  const Clock& clock_;
  bool logLatency_;
  std::atomic<bool> draining_{false};
};

}  // namespace slipway::serving
