// How much work a model file may cause before it is refused. Every bound is the caller's to set; the defaults suit a server
// that shares its machine. A file that passes a bound fails with Code::TooLarge and a line that names the bound.
#pragma once
#include <cstddef>

namespace slipway::pickle {

struct Limits {
  std::size_t fileBytes = std::size_t{4} << 30;      // size of the file as stored
  std::size_t unpackedBytes = std::size_t{4} << 30;  // size after decompression
  // Unpacked size over stored size, looked at once more than 64 MiB came out. Deflate cannot pass 1032; bzip2 and xz can.
  std::size_t expansion = 1100;
  std::size_t valueBytes = std::size_t{1} << 30;  // memory for the values made while reading (array data is not copied)
  std::size_t modelBytes = std::size_t{4} << 30;  // memory of the model compiled from them
  std::size_t opcodes = 500'000'000;
  std::size_t nesting = 2000;  // open brackets at one time; Python's own pickler stops near 1000
};

}  // namespace slipway::pickle
