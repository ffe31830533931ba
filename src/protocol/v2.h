// V2, the Open Inference Protocol's REST form, with the binary tensor extension. No I/O.
// A reader keeps its buffers between requests; one per thread.
//
//   V2Reader reader;
//   Result<V2Request> r = reader.readJson(body);     // or readBinary(body, headerLength)
//   V2Written w = writeV2Response({.model = "iris", .id = r->id, .outputs = outputs}, *r);
#pragma once
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "protocol/tensor.h"

namespace slipway::protocol {

using Parameter = std::variant<bool, std::int64_t, double, std::string>;
using Parameters = std::vector<std::pair<std::string, Parameter>>;

struct RequestedOutput {
  std::string name;
  std::optional<bool> binary;  // parameters.binary_data; absent: as the request says
};

struct V2Request {
  std::string id;  // empty when absent
  Parameters parameters;
  bool binaryOutputs = false;  // parameters.binary_data_output
  std::vector<Tensor> inputs;
  std::vector<RequestedOutput> outputs;  // empty: all
};

class V2Reader {
 public:
  V2Reader();
  ~V2Reader();
  // A body that is JSON as a whole. `data` may be nested or flat; null is NaN in floating tensors. Error BadRequest names
  // the tensor, the field and the fix; text that is not JSON: "Unrecognized request format: …".
  Result<V2Request> readJson(std::string_view body);
  // A body of `headerLength` bytes of JSON (header Inference-Header-Content-Length) and then raw tensors in input order.
  Result<V2Request> readBinary(std::string_view body, std::size_t headerLength);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct V2Reply {
  std::string_view model;
  std::string_view version;  // empty: left out
  std::string_view id;
  std::span<const Tensor> outputs;
};

struct V2Written {
  std::string body;
  std::optional<std::size_t> headerLength;  // set when raw tensors follow the JSON: Inference-Header-Content-Length
};

// Writes the outputs that the request selects, in the model's order. Error BadRequest when it asks for an output that is not
// there. NaN and Infinity in JSON become null.
Result<V2Written> writeV2Response(const V2Reply& reply, const V2Request& request);

struct TensorSpec {
  std::string name;
  DataType type = DataType::Fp64;
  Shape shape;  // -1: any
};
// The metadata object of GET /v2/models/{m}.
std::string modelMetadataBody(std::string_view name, std::string_view platform, std::span<const TensorSpec> inputs,
                              std::span<const TensorSpec> outputs);

}  // namespace slipway::protocol
