// Any bytes as a ModelInferRequest: what is read can be written, raw and as contents, and read back with the same elements.
#include <cstdint>
#include <cstdlib>

#include "data/protobuf_wire.h"
#include "protocol/v2_grpc.h"

using namespace slipway::protocol;

namespace {

// A response's outputs as the inputs of a request: the messages have the same fields 1 to 5, raw contents are 6 and 7.
std::string asRequest(std::string_view response) {
  std::string out;
  slipway::protobuf::Reader reader(response);
  while (!reader.done()) {
    const auto field = reader.next();
    if (!field) std::abort();
    slipway::protobuf::appendBytes(out, field->number == 6 ? 7 : field->number, field->bytes);
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 65536) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  (void)readModelRef(bytes);
  (void)readIndexRequest(bytes);
  (void)readRepositoryModel(bytes);
  auto call = readInferRequest(bytes);
  if (!call) return 0;
  for (const auto& tensor : call->request.inputs)
    if (tensor.elements() != *elementsOf(tensor.shape)) std::abort();
  call->request.outputs.clear();
  for (const bool raw : {false, true}) {
    call->raw = raw;
    const auto written = writeInferResponse({call->model.name, "", call->request.id, call->request.inputs}, *call);
    if (!written) std::abort();
    const auto again = readInferRequest(asRequest(*written));
    if (!again || again->request.inputs.size() != call->request.inputs.size()) std::abort();
    for (std::size_t i = 0; i < call->request.inputs.size(); ++i) {
      const Tensor &a = call->request.inputs[i], &b = again->request.inputs[i];
      if (a.data.view() != b.data.view() || a.texts != b.texts || a.shape != b.shape || a.type != b.type) std::abort();
    }
  }
  return 0;
}
