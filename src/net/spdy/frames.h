// SPDY/3.1 framing as Kubernetes' clients use it: bytes in, frames out; frames in, bytes out. No I/O.
//
//   Decoder decoder;
//   auto frame = decoder.next(&bytes);   // Result<optional<Frame>>; takes what it used off the front of `bytes`
//
// Data frames come in pieces, as they arrive: a frame of 16 MiB is never held. Control frames are at most kMaxControl bytes
// and must be whole in `bytes`. Header blocks of one direction are one zlib stream with a preset dictionary, so one Decoder
// and one Encoder belong to one connection, and after an error the connection is lost.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace slipway::net::spdy {

enum class FrameType : std::uint16_t {
  Data = 0,
  SynStream = 1,
  SynReply = 2,
  RstStream = 3,
  Settings = 4,
  Ping = 6,
  GoAway = 7,
  Headers = 8,
  WindowUpdate = 9,
};

enum class StreamError : std::uint32_t { Protocol = 1, InvalidStream = 2, Refused = 3, Cancel = 5, Internal = 6 };

using HeaderList = std::vector<std::pair<std::string, std::string>>;  // names in lower case, values of one name joined by \0

struct Frame {
  FrameType type = FrameType::Data;
  std::uint32_t stream = 0;  // 0 for Settings and Ping; the last good stream of GoAway
  std::uint32_t value = 0;   // status of RstStream and GoAway, id of Ping, delta of WindowUpdate
  bool fin = false;          // the sender writes no more on this stream
  HeaderList headers;        // SynStream, SynReply, Headers
  std::string_view data;     // Data: points into the decoder's input
};

inline constexpr std::size_t kMaxControl = 32 << 10;      // bytes of one control frame, header included
inline constexpr std::size_t kMaxHeaderBlock = 64 << 10;  // inflated
inline constexpr std::size_t kMaxHeaders = 100;
inline constexpr std::size_t kMaxData = 32 << 10;  // bytes per data frame that we send

class Decoder {
 public:
  Decoder();
  ~Decoder();
  // nullopt: more bytes are needed. Frames of unknown type are skipped. Error: the peer does not speak SPDY/3.
  Result<std::optional<Frame>> next(std::string_view* bytes);

 private:
  struct Inflater;
  Result<std::optional<Frame>> control(std::string_view frame);
  Result<HeaderList> headers(std::string_view block);
  std::unique_ptr<Inflater> inflater_;
  std::uint32_t dataStream_ = 0, dataLeft_ = 0;  // of the data frame whose pieces come now
  bool dataFin_ = false, inData_ = false;
};

class Encoder {
 public:
  Encoder();
  ~Encoder();
  void synStream(std::string& out, std::uint32_t stream, const HeaderList& headers, bool fin);
  void synReply(std::string& out, std::uint32_t stream, const HeaderList& headers);
  // At most kMaxData bytes in one frame; more become several.
  static void data(std::string& out, std::uint32_t stream, std::string_view bytes, bool fin);
  static void reset(std::string& out, std::uint32_t stream, StreamError status);
  static void ping(std::string& out, std::uint32_t id);
  static void goAway(std::string& out, std::uint32_t lastStream, std::uint32_t status);

 private:
  struct Deflater;
  std::string block(const HeaderList& headers);
  std::unique_ptr<Deflater> deflater_;
};

}  // namespace slipway::net::spdy
