// V2 over gRPC: the protobuf messages of inference.GRPCInferenceService (api/proto/inference.proto) as values. No I/O, no
// state, thread-safe. Strings must be UTF-8, as protobuf has it.
//
//   Result<GrpcInfer> call = readInferRequest(message);
//   Result<std::string> reply = writeInferResponse({.model = "iris", .outputs = outputs}, *call);
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/v2.h"

namespace slipway::protocol {

struct ModelRef {
  std::string name, version;  // version: empty when any will do
};

struct GrpcInfer {
  ModelRef model;
  bool raw = false;  // tensors came as raw_input_contents, so outputs go as raw_output_contents
  V2Request request;
};

// ModelInferRequest. Raw contents cover every input or none. Error BadRequest names the tensor, the field and the fix.
Result<GrpcInfer> readInferRequest(std::string_view message);
// ModelInferResponse with the outputs that the call selects; FP16 goes raw whatever the request was. Error BadRequest when
// it asks for an output that is not there.
Result<std::string> writeInferResponse(const V2Reply& reply, const GrpcInfer& call);
// ModelStreamInferResponse around one of those, or with the reason why there is none.
std::string writeStreamResponse(std::string_view inferResponse);
std::string writeStreamError(std::string_view message);

Result<ModelRef> readModelRef(std::string_view message);  // ModelReadyRequest, ModelMetadataRequest
std::string writeReady(bool ready);                       // ServerLive-, ServerReady- and ModelReadyResponse
std::string writeServerMetadata(std::string_view name, std::string_view version,
                                std::span<const std::string_view> extensions);
std::string writeModelMetadata(std::string_view name, std::string_view version, std::string_view platform,
                               std::span<const TensorSpec> inputs, std::span<const TensorSpec> outputs);

struct IndexEntry {
  std::string name, version, state, reason;
};
Result<bool> readIndexRequest(std::string_view message);  // whether only ready models are wanted
std::string writeIndex(std::span<const IndexEntry> entries);
// RepositoryModelLoad- and -UnloadRequest: KServe's has the model's name in field 1, Triton's in field 2.
Result<std::string> readRepositoryModel(std::string_view message);
// KServe's response; to a client of Triton's, whose response is empty, its fields are unknown and skipped.
std::string writeRepositoryModel(std::string_view name, bool done);

}  // namespace slipway::protocol
