// A V2 body with raw tensors; the first two bytes choose the length of its JSON part.
#include <cstdlib>

#include "protocol/v2.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway::protocol;
  if (size < 2) return 0;
  static V2Reader reader;
  const std::size_t headerLength = data[0] | (data[1] << 8);
  const auto request = reader.readBinary({reinterpret_cast<const char*>(data) + 2, size - 2}, headerLength);
  if (!request) return 0;
  V2Request all;
  all.binaryOutputs = true;
  const auto written = writeV2Response({"m", "1", request->id, request->inputs}, all);
  if (!written || !written->headerLength || *written->headerLength > written->body.size()) std::abort();
  const auto again = reader.readJson(written->body.substr(0, *written->headerLength));
  (void)again;
  return 0;
}
