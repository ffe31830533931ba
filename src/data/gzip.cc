#include "data/gzip.h"

#include <zlib.h>

namespace slipway {
namespace {

constexpr int kGzipWindow = 15 + 16;  // zlib: largest window, gzip wrapper

}  // namespace

Result<std::string> gunzip(std::string_view packed, std::size_t limit) {
  z_stream z{};
  if (inflateInit2(&z, kGzipWindow) != Z_OK) return fail(Code::Internal, "zlib cannot start");
  std::unique_ptr<z_stream, decltype(&inflateEnd)> guard(&z, inflateEnd);
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  z.avail_in = static_cast<uInt>(packed.size());
  std::string out;
  std::array<char, 1 << 16> chunk;
  while (true) {
    z.next_out = reinterpret_cast<Bytef*>(chunk.data());
    z.avail_out = chunk.size();
    const int rc = inflate(&z, Z_NO_FLUSH);
    if (rc != Z_OK && rc != Z_STREAM_END) return fail(Code::BadRequest, "the gzip data is damaged or cut short");
    const std::size_t got = chunk.size() - z.avail_out;
    if (out.size() + got > limit) return fail(Code::TooLarge, fmt::format("the gzip data holds more than {} bytes", limit));
    out.append(chunk.data(), got);
    if (rc == Z_STREAM_END) return out;
  }
}

std::string gzip(std::string_view raw) {
  z_stream z{};
  deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&z, raw.size()), '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(raw.data()));
  z.avail_in = static_cast<uInt>(raw.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  deflate(&z, Z_FINISH);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

}  // namespace slipway
