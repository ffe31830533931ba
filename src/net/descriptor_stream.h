// A ByteStream over a pipe or a terminal's master side: for the standard streams of processes.
#pragma once
#include <memory>

#include "base/scope.h"
#include "net/byte_stream.h"

namespace slipway::net {

class DescriptorStream : public ByteStream {
 public:
  // From now on a read that finds nothing waiting is the end: the process whose output this is has ended, and what else
  // holds the other side open (a daemon that it left behind) must not keep the reader.
  virtual void endWhenEmpty() = 0;
  // The open descriptor, or -1; stays ours.
  virtual int descriptor() const = 0;
};

// Takes over `fd`, which becomes non-blocking. A terminal whose other side is closed reads as ended. shutdownWrite() closes
// a pipe; on a terminal it writes the end-of-file character.
std::unique_ptr<DescriptorStream> descriptorStream(Executor executor, int fd);

}  // namespace slipway::net
