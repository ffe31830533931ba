// CriLog: a container's log file, one line per event: `2026-11-24T10:00:00.123456789Z stdout F text`, P instead of F for a
// piece of a longer line. Rotated by size: n.log is always the newest, then n.log.1, n.log.2 … Owned by the shim.
//
//   CriLog log(path, 10 << 20, 5);
//   log.append(CriLog::Stream::Stdout, bytes);
#pragma once
#include <array>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace slipway::node {

inline constexpr std::size_t kMaxLogLine = 16 << 10;  // bytes; the container runtimes' border

class CriLog {
 public:
  enum class Stream { Stdout = 0, Stderr = 1 };
  CriLog(std::string path, std::uint64_t maxBytes, int maxFiles);
  ~CriLog();
  CriLog(const CriLog&) = delete;
  CriLog& operator=(const CriLog&) = delete;
  Status open();
  // Lines are written when complete or longer than kMaxLogLine. A full disk loses lines, never blocks the container.
  void append(Stream stream, std::string_view bytes, WallTime now);
  void finish(WallTime now);  // writes what has no newline yet

 private:
  void addLine(Stream stream, std::string_view text, bool complete, WallTime now);
  void flush();
  void rotate();
  std::string path_;
  std::uint64_t maxBytes_;
  int maxFiles_;
  int fd_ = -1;
  std::uint64_t size_ = 0;
  std::array<std::string, 2> partial_;
  std::string batch_;
};

// One line of such a file, parsed; false when it is not in this form.
struct CriLine {
  std::string_view time, stream, text;
  bool complete = true;
};
bool parseCriLine(std::string_view line, CriLine* out);

}  // namespace slipway::node
