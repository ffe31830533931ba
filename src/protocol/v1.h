// V1 (TensorFlow Serving's REST form): {"instances": [...]} in, {"predictions": [...]} out. No I/O.
// A reader keeps its buffers between requests; one per thread.
//
//   V1Reader reader;
//   Result<Tensor> x = reader.read(body);            // named "instances", Fp64 or Bytes, shape as nested
//   std::string reply;  writeV1Response(reply, outputs);
#pragma once
#include <memory>
#include <span>
#include <string>

#include "protocol/tensor.h"

namespace slipway::protocol {

class V1Reader {
 public:
  V1Reader();
  ~V1Reader();
  // Takes `instances` or `inputs`: lists of numbers (true/false count as 1/0, null as NaN) or strings, of equal lengths at
  // each depth; other keys are ignored. Error BadRequest names what is wrong; text that is not JSON: "Unrecognized request
  // format: …".
  Result<Tensor> read(std::string_view body);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Appends {"predictions": …}: the nested lists of the one output, or with several an object of them by name.
// NaN and Infinity become null.
void writeV1Response(std::string& out, std::span<const Tensor> outputs);

// {"error": "<message>"}, the body of every refusal in V1 and V2.
std::string errorBody(std::string_view message);

}  // namespace slipway::protocol
