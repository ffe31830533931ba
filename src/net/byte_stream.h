// ByteStream: the seam between sockets and codecs. Implementations: TCP, TLS, Unix socket, an in-memory pipe for tests, and
// decorators that inject faults. Used from one executor; at most one read and one write are in flight.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/task.h"

namespace slipway::net {

class ByteStream {
 public:
  virtual ~ByteStream() = default;
  // Reads at least one byte into `into`; 0 at a clean end of stream. Error Unavailable when the peer resets.
  virtual Task<Result<std::size_t>> read(std::span<char> into) = 0;
  virtual Task<Status> write(std::string_view bytes) = 0;  // all of it
  virtual Task<Status> writev(std::span<const std::string_view> parts) = 0;
  virtual void shutdownWrite() = 0;                        // half close; reads go on
  virtual void close() = 0;                                // pending reads and writes end with an error
};

// Two ends of an in-memory connection, each with a bounded buffer.
std::pair<std::unique_ptr<ByteStream>, std::unique_ptr<ByteStream>> makePipe(std::size_t capacity = 65536);

}  // namespace slipway::net
