// Any bytes as a V1 body: never a crash; what is accepted is consistent and writes back as valid JSON.
#include <cstdlib>

#include "protocol/v1.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway::protocol;
  static V1Reader reader;
  const auto tensor = reader.read({reinterpret_cast<const char*>(data), size});
  if (!tensor) return 0;
  const auto elements = elementsOf(tensor->shape);
  if (!elements || *elements != tensor->elements()) std::abort();
  std::string out;
  writeV1Response(out, {&*tensor, 1});
  if (!nlohmann::json::accept(out)) std::abort();
  return 0;
}
