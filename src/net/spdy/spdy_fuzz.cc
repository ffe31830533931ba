// Any bytes as a client's SPDY connection, cut into pieces at places that the input chooses: no crash, bounded memory, and
// the same frames whatever the cuts.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "net/spdy/frames.h"

using namespace slipway::net::spdy;

namespace {

std::string decodeAll(std::string_view bytes, std::size_t cut) {
  Decoder decoder;
  std::string log, buffer;
  std::uint32_t lastData = 0;  // pieces of one stream's data are one
  while (!bytes.empty()) {
    buffer += bytes.substr(0, cut);
    bytes.remove_prefix(std::min(cut, bytes.size()));
    std::string_view view = buffer;
    for (;;) {
      auto frame = decoder.next(&view);
      if (!frame) return log + "error";
      if (!*frame) break;
      const Frame& f = **frame;
      if (f.type != FrameType::Data || f.stream != lastData)
        log += "|" + std::to_string(static_cast<int>(f.type)) + ":" + std::to_string(f.stream);
      lastData = f.type == FrameType::Data && !f.fin ? f.stream : 0;
      log += f.data;
      if (f.fin) log += "fin";
      for (const auto& [name, value] : f.headers) log += name + "=" + value + ";";
      if (f.headers.size() > kMaxHeaders) std::abort();
    }
    buffer.erase(0, buffer.size() - view.size());
    if (buffer.size() > kMaxControl + cut) std::abort();
  }
  return log;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (decodeAll(bytes, 1 + data[0]) != decodeAll(bytes, 65536)) std::abort();
  return 0;
}
