// Any bytes as an answer to a GET or HEAD request: no crash, and a body never longer than the bytes that came.
#include <cstdint>
#include <cstdlib>

#include "net/h1_parser.h"
#include "net/h1_writer.h"

using namespace slipway::net;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1 || size > 16384) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t cut = 1 + data[0] / 2;
  h1::Parser<Response> parser(8192);
  if (data[0] & 1) parser.expectNoBody();
  Response response;
  std::string buffer, body;
  bool head = false;
  while (!bytes.empty()) {
    const auto n = std::min(cut, bytes.size());
    buffer += bytes.substr(0, n);
    bytes.remove_prefix(n);
    if (!head) {
      const auto progress = parser.parseHead(buffer, response);
      if (!progress) return 0;
      buffer.erase(0, progress->consumed);
      head = progress->complete;
    }
    if (head && parser.framing().chunked) {
      const auto progress = parser.parseChunks(buffer, body);
      if (!progress) return 0;
      buffer.erase(0, progress->consumed);
      if (progress->complete) break;
    }
  }
  if (body.size() > size) std::abort();
  // What a proxy would write from it must be a head that parses again.
  if (!head || response.status < 200) return 0;
  std::string again;
  response.body = Body(body);
  h1::appendResponseHead(again, response, {});
  h1::Parser<Response> second(1 << 20);
  Response copy;
  const auto parsed = second.parseHead(again, copy);
  if (!parsed || !parsed->complete || copy.status != response.status) std::abort();
  return 0;
}
