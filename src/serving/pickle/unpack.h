// The bytes of a model file, decompressed. joblib compresses with zlib, gzip, bz2, xz, lzma or lz4 (zstd with an add-on);
// which one is told by the first bytes, never by the file's name.
//
//   SLIP_TRY(auto bytes, pickle::readModelFile("model.joblib", limits));
#pragma once
#include <string>

#include "base/result.h"
#include "serving/pickle/limits.h"

namespace slipway::pickle {

// The whole file, as stored. Errors: NotFound, Forbidden (permissions), TooLarge, Internal (reading failed).
Result<std::string> readModelFile(const std::string& path, const Limits& limits);

// `bytes` decompressed, or as they are when no known compression starts them. Errors: Invalid (damaged, or recognisably
// something else than a pickle: HTML, a Git LFS pointer, a zip), TooLarge (a bound of `limits` was passed).
Result<std::string> unpack(std::string bytes, const Limits& limits);

}  // namespace slipway::pickle
