#include "serving/pickle/unpack.h"

#include <bzlib.h>
#include <lz4frame.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

namespace slipway::pickle {

namespace {

constexpr std::size_t kRatioFloor = std::size_t{64} << 20;  // below this much output the ratio is not looked at
constexpr std::size_t kChunk = 256 << 10;

// Collects output and refuses what passes the bounds.
class Sink {
 public:
  Sink(std::size_t stored, const Limits& limits, const char* format) : stored_(stored), limits_(limits), format_(format) {}

  Status add(const char* data, std::size_t count) {
    const std::size_t total = out_.size() + count;
    if (total > limits_.unpackedBytes) {
      return fail(Code::TooLarge, fmt::format("unpacks to more than {} bytes (limit unpackedBytes)", limits_.unpackedBytes));
    }
    if (total > kRatioFloor && total / limits_.expansion > stored_) {
      return fail(Code::TooLarge,
                  fmt::format("{} bytes of {} unpack to more than {} times as much (limit expansion): a decompression "
                              "bomb?",
                              stored_, format_, limits_.expansion));
    }
    out_.append(data, count);
    return {};
  }
  tl::unexpected<Error> damaged() const {
    return fail(Code::Invalid, fmt::format("damaged {} data after {} unpacked bytes (truncated?)", format_, out_.size()));
  }
  std::string take() { return std::move(out_); }

 private:
  std::size_t stored_;
  const Limits& limits_;
  const char* format_;
  std::string out_;
};

// zlib and gzip (one or more gzip members).
Result<std::string> inflateAll(std::string_view in, Sink sink) {
  z_stream z{};
  if (inflateInit2(&z, 15 + 32) != Z_OK) return fail(Code::Internal, "zlib could not start");
  const std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&z, inflateEnd);
  std::vector<char> buffer(kChunk);
  std::size_t fed = 0;
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
  for (;;) {
    if (z.avail_in == 0 && fed < in.size()) {
      z.avail_in = static_cast<uInt>(std::min(in.size() - fed, std::size_t{1} << 30));
      fed += z.avail_in;
    }
    z.next_out = reinterpret_cast<Bytef*>(buffer.data());
    z.avail_out = static_cast<uInt>(buffer.size());
    const int rc = inflate(&z, Z_NO_FLUSH);
    if (rc != Z_OK && rc != Z_STREAM_END) return sink.damaged();
    SLIP_CHECK(sink.add(buffer.data(), buffer.size() - z.avail_out));
    if (rc == Z_STREAM_END) {
      const bool more = z.avail_in > 0 || fed < in.size();
      if (!more || in[0] != '\x1f') return sink.take();
      if (inflateReset(&z) != Z_OK) return sink.damaged();
    }
  }
}

Result<std::string> bunzipAll(std::string_view in, Sink sink) {
  bz_stream z{};
  if (BZ2_bzDecompressInit(&z, 0, 0) != BZ_OK) return fail(Code::Internal, "bzip2 could not start");
  const std::unique_ptr<bz_stream, int (*)(bz_stream*)> guard(&z, BZ2_bzDecompressEnd);
  std::vector<char> buffer(kChunk);
  std::size_t fed = 0;
  z.next_in = const_cast<char*>(in.data());
  for (;;) {
    if (z.avail_in == 0 && fed < in.size()) {
      z.avail_in = static_cast<unsigned>(std::min(in.size() - fed, std::size_t{1} << 30));
      fed += z.avail_in;
    }
    z.next_out = buffer.data();
    z.avail_out = static_cast<unsigned>(buffer.size());
    const int rc = BZ2_bzDecompress(&z);
    const std::size_t made = buffer.size() - z.avail_out;
    if ((rc != BZ_OK && rc != BZ_STREAM_END) || (rc == BZ_OK && made == 0 && z.avail_in == 0 && fed == in.size()))
      return sink.damaged();
    SLIP_CHECK(sink.add(buffer.data(), made));
    if (rc == BZ_STREAM_END) return sink.take();
  }
}

Result<std::string> unxzAll(std::string_view in, Sink sink) {
  lzma_stream z = LZMA_STREAM_INIT;
  // The decoder's own memory follows the dictionary size in the header: bounded too.
  if (lzma_auto_decoder(&z, std::uint64_t{256} << 20, 0) != LZMA_OK) return fail(Code::Internal, "xz could not start");
  const std::unique_ptr<lzma_stream, void (*)(lzma_stream*)> guard(&z, lzma_end);
  std::vector<char> buffer(kChunk);
  z.next_in = reinterpret_cast<const std::uint8_t*>(in.data());
  z.avail_in = in.size();
  for (;;) {
    z.next_out = reinterpret_cast<std::uint8_t*>(buffer.data());
    z.avail_out = buffer.size();
    const lzma_ret rc = lzma_code(&z, LZMA_RUN);
    if (rc == LZMA_MEMLIMIT_ERROR) return fail(Code::TooLarge, "xz data that needs over 256 MiB of memory to unpack");
    if (rc != LZMA_OK && rc != LZMA_STREAM_END) return sink.damaged();
    SLIP_CHECK(sink.add(buffer.data(), buffer.size() - z.avail_out));
    if (rc == LZMA_STREAM_END) return sink.take();
  }
}

Result<std::string> unlz4All(std::string_view in, Sink sink) {
  LZ4F_dctx* raw = nullptr;
  if (LZ4F_isError(LZ4F_createDecompressionContext(&raw, LZ4F_VERSION))) return fail(Code::Internal, "lz4 could not start");
  const std::unique_ptr<LZ4F_dctx, std::size_t (*)(LZ4F_dctx*)> context(raw, LZ4F_freeDecompressionContext);
  std::vector<char> buffer(kChunk);
  std::size_t at = 0;
  for (;;) {
    std::size_t made = buffer.size();
    std::size_t used = in.size() - at;
    const std::size_t hint = LZ4F_decompress(context.get(), buffer.data(), &made, in.data() + at, &used, nullptr);
    if (LZ4F_isError(hint) || (hint != 0 && made == 0 && used == 0)) return sink.damaged();
    at += used;
    SLIP_CHECK(sink.add(buffer.data(), made));
    if (hint == 0) return sink.take();
  }
}

Result<std::string> unzstdAll(std::string_view in, Sink sink) {
  const std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
  std::vector<char> buffer(kChunk);
  ZSTD_inBuffer source{in.data(), in.size(), 0};
  for (;;) {
    ZSTD_outBuffer target{buffer.data(), buffer.size(), 0};
    const std::size_t before = source.pos;
    const std::size_t hint = ZSTD_decompressStream(context.get(), &target, &source);
    if (ZSTD_isError(hint) || (hint != 0 && target.pos == 0 && source.pos == before)) return sink.damaged();
    SLIP_CHECK(sink.add(buffer.data(), target.pos));
    if (hint == 0 && source.pos == source.size) return sink.take();
  }
}

bool starts(std::string_view bytes, std::string_view magic) { return bytes.substr(0, magic.size()) == magic; }

bool isZlib(std::string_view bytes) {
  if (bytes.size() < 2 || bytes[0] != 'x') return false;
  return (static_cast<unsigned char>(bytes[0]) * 256 + static_cast<unsigned char>(bytes[1])) % 31 == 0;
}

// Files that are often found where a model should be.
Status refuseKnownOthers(std::string_view bytes) {
  if (bytes.empty()) return fail(Code::Invalid, "the file is empty");
  if (starts(bytes, "version https://git-lfs")) {
    return fail(Code::Invalid, "a Git LFS pointer instead of the model: fetch the real file with 'git lfs pull'");
  }
  if (bytes[0] == '<') return fail(Code::Invalid, "an HTML or XML page instead of a model: check the download address");
  if (starts(bytes, "PK\x03\x04")) {
    return fail(Code::Invalid, "a zip archive (skops?) instead of a pickle: save the model with joblib.dump or pickle.dump");
  }
  if (starts(bytes, "ZF"))
    return fail(Code::Invalid, "written by joblib older than 0.10: load and save it again with a newer joblib");
  return {};
}

}  // namespace

Result<std::string> readModelFile(const std::string& path, const Limits& limits) {
  std::error_code ec;
  const auto size = std::filesystem::file_size(path, ec);
  if (ec == std::errc::no_such_file_or_directory) return fail(Code::NotFound, "no such file");
  if (ec == std::errc::is_a_directory || std::filesystem::is_directory(path))
    return fail(Code::Invalid, "a folder, not a file");
  if (ec) return fail(ec == std::errc::permission_denied ? Code::Forbidden : Code::Internal, ec.message());
  if (size > limits.fileBytes) {
    return fail(Code::TooLarge, fmt::format("{} bytes; at most {} are read (limit fileBytes)", size, limits.fileBytes));
  }
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(errno == EACCES ? Code::Forbidden : Code::Internal, std::strerror(errno));
  std::string bytes(size, '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(size));
  if (static_cast<std::size_t>(in.gcount()) != size) return fail(Code::Internal, "reading it failed");
  return bytes;
}

Result<std::string> unpack(std::string bytes, const Limits& limits) {
  if (bytes.size() > limits.fileBytes) {
    return fail(Code::TooLarge,
                fmt::format("{} bytes; at most {} are read (limit fileBytes)", bytes.size(), limits.fileBytes));
  }
  const auto sink = [&](const char* format) { return Sink(bytes.size(), limits, format); };
  if (isZlib(bytes)) return inflateAll(bytes, sink("zlib"));
  if (starts(bytes, "\x1f\x8b")) return inflateAll(bytes, sink("gzip"));
  if (starts(bytes, "BZh")) return bunzipAll(bytes, sink("bzip2"));
  if (starts(bytes, "\xfd\x37zXZ")) return unxzAll(bytes, sink("xz"));
  if (starts(bytes, std::string_view("\x5d\x00", 2))) return unxzAll(bytes, sink("lzma"));
  if (starts(bytes, "\x04\x22\x4d\x18")) return unlz4All(bytes, sink("lz4"));
  if (starts(bytes, "\x28\xb5\x2f\xfd")) return unzstdAll(bytes, sink("zstd"));
  SLIP_CHECK(refuseKnownOthers(bytes));
  return bytes;
}

}  // namespace slipway::pickle
