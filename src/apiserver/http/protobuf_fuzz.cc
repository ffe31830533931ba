// Any bytes as a protobuf request body: an object or an error, never a crash.
#include "apiserver/http/protobuf.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto object = slipway::apiserver::decodeProtobuf({reinterpret_cast<const char*>(data), size});
  if (object) (void)slipway::dumpJson(*object);
  return 0;
}
