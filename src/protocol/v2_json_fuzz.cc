// Any bytes as a V2 JSON body: never a crash; what is accepted is consistent and writes back as valid JSON.
#include <cstdlib>

#include "protocol/v2.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway::protocol;
  static V2Reader reader;
  const auto request = reader.readJson({reinterpret_cast<const char*>(data), size});
  if (!request) return 0;
  for (const Tensor& t : request->inputs) {
    const auto elements = elementsOf(t.shape);
    if (!elements || *elements != t.elements()) std::abort();
  }
  const auto written = writeV2Response({"m", "1", request->id, request->inputs}, {});
  if (!written || !nlohmann::json::accept(written->body)) std::abort();
  return 0;
}
