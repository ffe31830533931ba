// Any bytes as a stream of HTTP requests, cut into pieces at places that the input chooses: no crash, and whatever the cuts,
// the same result.
#include <cstdint>
#include <cstdlib>

#include "net/h1_parser.h"

using namespace slipway::net;

namespace {

// What a server would have understood, as text.
std::string parseAll(std::string_view bytes, std::size_t cut) {
  h1::Parser<Request> parser(8192);
  std::string log, buffer;
  while (!bytes.empty() || !buffer.empty()) {
    Request request;
    std::size_t fed = 0;
    parser.reset();
    for (;;) {
      const auto progress = parser.parseHead(buffer, request);
      if (!progress) return log + "error " + std::to_string(static_cast<int>(progress.error().code));
      buffer.erase(0, progress->consumed);
      if (progress->complete) break;
      if (bytes.empty()) return log + "incomplete";
      const auto n = std::min(cut, bytes.size());
      buffer += bytes.substr(0, n);
      bytes.remove_prefix(n);
      fed += n;
      if (fed > 65536) return log + "long";
    }
    log += request.method + " " + request.target + " " + std::to_string(request.headers.size()) + "\n";
    for (const auto& [name, value] : request.headers) log += std::string(name) + ":" + std::string(value) + "\n";
    std::string body;
    if (parser.framing().chunked) {
      for (;;) {
        const auto progress = parser.parseChunks(buffer, body);
        if (!progress) return log + "chunk error";
        buffer.erase(0, progress->consumed);
        if (progress->complete) break;
        if (bytes.empty()) return log + "incomplete body";
        const auto n = std::min(cut, bytes.size());
        buffer += bytes.substr(0, n);
        bytes.remove_prefix(n);
      }
    } else {
      auto left = parser.framing().length.value_or(0);
      const auto here = std::min<std::uint64_t>(left, buffer.size());
      body = buffer.substr(0, here);
      buffer.erase(0, here);
      left -= here;
      const auto there = std::min<std::uint64_t>(left, bytes.size());
      body += bytes.substr(0, there);
      bytes.remove_prefix(there);
      if (left > there) return log + "incomplete body";
    }
    log += body + "\n";
    (void)request.path();
    (void)request.queryPairs();
  }
  return log;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1 || size > 16384) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t cut = 1 + data[0] % 64;
  (void)parseAll(bytes, cut);
  (void)parseAll(bytes, 1 << 20);
  return 0;
}
