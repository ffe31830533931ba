// gzip of whole buffers in memory: schema documents in the binary, HTTP bodies with Content-Encoding: gzip. Thread-safe.
//
//   Result<std::string> text = gunzip(bytes, 8 << 20);
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace slipway {

// Unpacks one gzip member. Error BadRequest when the bytes are not gzip or are cut short, TooLarge when the result would
// exceed `limit` bytes (a small hostile body can grow a thousandfold).
Result<std::string> gunzip(std::string_view packed, std::size_t limit);
// Packs with zlib's default effort; cannot fail short of memory exhaustion.
std::string gzip(std::string_view raw);

}  // namespace slipway
