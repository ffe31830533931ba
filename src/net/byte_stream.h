// ByteStream: the seam between sockets and codecs. Implementations: TCP, TLS, Unix socket, an in-memory pipe for tests, and
// decorators that inject faults. Used from one executor; at most one read and one write are in flight.
//
//   auto n = co_await stream->read(buffer);   // Result<std::size_t>, 0 at the end
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
  // All parts in order, as one write would: a stream that gathers overrides it.
  virtual Task<Status> writev(std::span<const std::string_view> parts);
  // Writes what the kernel takes at once and returns that many bytes, perhaps 0: the caller writes the rest. It saves a
  // coroutine for the usual small answer. Not while a write is in flight.
  virtual std::size_t tryWrite(std::string_view bytes) { return 0; }
  virtual void shutdownWrite() = 0;  // half close; reads go on
  virtual void close() = 0;          // pending reads and writes end with an error
  // Whether the peer has closed its side or reset; never blocks, costs one system call. Unread bytes may remain.
  virtual bool peerClosed() { return false; }
};

// Two ends of an in-memory connection, each with a bounded buffer.
std::pair<std::unique_ptr<ByteStream>, std::unique_ptr<ByteStream>> makePipe(std::size_t capacity = 65536);

// A stream that yields `first` before what `rest` has to read.
std::unique_ptr<ByteStream> prefixed(std::string first, std::unique_ptr<ByteStream> rest);

// Copies both ways until both sides have ended (half closes pass through) or one fails; then closes both. For upgraded
// connections, port forwarding and L4 services. Holds two buffers of `bufferBytes`.
Task<void> copyBothWays(std::unique_ptr<ByteStream> a, std::unique_ptr<ByteStream> b, std::size_t bufferBytes = 16384);

}  // namespace slipway::net
