// Any bytes as a client's WebSocket connection, cut into pieces at places that the input chooses: no crash, and the same
// messages whatever the cuts.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "net/websocket/frames.h"

using namespace slipway::net::websocket;

namespace {

std::string decodeAll(std::string_view bytes, std::size_t cut) {
  Decoder decoder;
  std::string log, buffer;
  while (!bytes.empty()) {
    buffer += bytes.substr(0, cut);
    bytes.remove_prefix(std::min(cut, bytes.size()));
    std::span<char> view(buffer);
    for (;;) {
      auto piece = decoder.next(&view);
      if (!piece) return log + "error " + piece.error().message;
      if (!*piece) break;
      if ((*piece)->first) log += "|" + std::to_string(static_cast<int>((*piece)->opcode)) + ":";
      log += (*piece)->data;
      if ((*piece)->last) log += ".";
    }
    buffer.erase(0, buffer.size() - view.size());
    if (buffer.size() > 139) std::abort();  // a control frame and its head, at most
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
