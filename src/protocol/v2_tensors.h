// Internal to protocol: what V2 has in common over REST and gRPC: raw tensors, and which outputs a request selects.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "protocol/v2.h"

namespace slipway::protocol::detail {

struct ChosenOutput {
  const Tensor* tensor;
  bool binary;
};
// In the model's order. Error BadRequest when the request asks for an output that is not there.
Result<std::vector<ChosenOutput>> chooseOutputs(std::span<const Tensor> outputs, const V2Request& request);

// Row-major, little endian; the elements of BYTES behind a 4-byte length each.
std::string rawBytes(const Tensor& tensor);
std::size_t rawSize(const Tensor& tensor);
void appendRaw(std::string& out, const Tensor& tensor);

// Takes `raw` as the elements of `tensor`, whose type and shape are set. Error BadRequest when its size does not fit:
// "<what> 12, but shape [1, 4] of FP32 takes 16 bytes".
Status setRaw(Tensor& tensor, std::string_view raw, std::string_view what);

}  // namespace slipway::protocol::detail
