// HTTP as values: Request, Response, Headers, Body, and Handler, the one shape that servers, clients, proxies and tests
// share. A client is a Handler too, so any hop can be tested with a lambda in place of the next.
//
//   Handler hello = [](Request r) -> Task<Response> { co_return Response::text(200, "hello " + r.path()); };
//
// All of a message is used from the executor of its connection. When the peer leaves, the handler's coroutine is cancelled.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "net/byte_stream.h"

namespace slipway::net {

// Header fields in the order they came; names compare without case (RFC 9110 §5.1). All text lives in one buffer: views that
// get() or an iterator gave stay valid until the next change.
class Headers {
  struct Slot {
    std::uint32_t name, nameSize, value, valueSize;
  };

 public:
  using Field = std::pair<std::string_view, std::string_view>;
  class Iterator {
   public:
    using value_type = Field;
    using difference_type = std::ptrdiff_t;
    Iterator() = default;
    const Field& operator*() const { return field_ = owner_->field(index_); }
    const Field* operator->() const { return &**this; }
    Iterator& operator++() { return ++index_, *this; }
    Iterator operator++(int) {
      auto old = *this;
      ++index_;
      return old;
    }
    bool operator==(const Iterator& other) const { return index_ == other.index_; }

   private:
    friend class Headers;
    Iterator(const Headers* owner, std::size_t index) : owner_(owner), index_(index) {}
    const Headers* owner_ = nullptr;
    std::size_t index_ = 0;
    mutable Field field_;
  };

  Headers() = default;
  Headers(std::initializer_list<Field> fields);
  std::optional<std::string_view> get(std::string_view name) const;  // the first field of that name
  std::string_view getOr(std::string_view name, std::string_view fallback) const;
  bool has(std::string_view name) const { return get(name).has_value(); }
  void set(std::string_view name, std::string_view value);  // replaces every field of that name
  void add(std::string_view name, std::string_view value);
  void remove(std::string_view name);
  Iterator begin() const { return {this, 0}; }
  Iterator end() const { return {this, slots_.size()}; }
  std::size_t size() const { return slots_.size(); }
  void clear() { text_.clear(), slots_.clear(); }  // keeps the memory for the next message

 private:
  Field field(std::size_t i) const {
    const Slot& s = slots_[i];
    return {std::string_view(text_).substr(s.name, s.nameSize), std::string_view(text_).substr(s.value, s.valueSize)};
  }
  std::string text_;
  std::vector<Slot> slots_;
};

// A chunk of a body: bytes of its own, then such as other bodies send too.
struct BodyPieces {
  std::string own;
  std::vector<std::shared_ptr<const std::string>> shared;  // at most kMaxShared, none null
  static constexpr std::size_t kMaxShared = 16;
  std::size_t size() const;
};

// A stream of body bytes pulled by the consumer: back-pressure is not reading.
class BodyReader {
 public:
  virtual ~BodyReader() = default;
  // The next chunk (any size > 0); an empty string at the end. After an error or the end it must not be called again.
  virtual Task<Result<std::string>> read() = 0;
  // The same chunk, for bodies that share their bytes (a watch with a thousand clients): the server sends it without a copy.
  // A consumer calls this or read(), as it likes.
  virtual Task<Result<BodyPieces>> readPieces();
  // Fields that came after the body (HTTP/2), once read() has returned the empty string; null: none.
  virtual const Headers* trailers() const { return nullptr; }
};

// Either complete bytes or a stream with an optional known length. Move-only.
class Body {
 public:
  Body() = default;
  Body(std::string bytes) : bytes_(std::move(bytes)) {}  // NOLINT: implicit on purpose
  explicit Body(std::unique_ptr<BodyReader> reader, std::optional<std::uint64_t> length = {})
      : reader_(std::move(reader)), length_(length) {}

  bool streaming() const { return reader_ != nullptr; }
  const std::string& bytes() const { return bytes_; }  // only when !streaming()
  std::string& mutableBytes() { return bytes_; }       // likewise
  std::string takeBytes() { return std::move(bytes_); }
  std::optional<std::uint64_t> length() const { return streaming() ? length_ : std::optional<std::uint64_t>(bytes_.size()); }
  Task<Result<std::string>> read();                      // next chunk of either form; empty at the end
  Task<Result<BodyPieces>> readPieces();                 // only when streaming(): as BodyReader's
  Task<Result<std::string>> readAll(std::size_t limit);  // TooLarge when more than `limit` bytes come
  // Fields after the body; of a stream only once it has ended. Null: none. HTTP/1.1 neither sends nor reads them.
  const Headers* trailers() const { return reader_ ? reader_->trailers() : trailers_.get(); }
  void setTrailers(Headers trailers) { trailers_ = std::make_unique<Headers>(std::move(trailers)); }  // of complete bytes
  void clearTrailers() { trailers_.reset(); }

 private:
  std::string bytes_;
  std::unique_ptr<BodyReader> reader_;
  std::unique_ptr<Headers> trailers_;
  std::optional<std::uint64_t> length_;
};

// Who is on the other end of a server connection.
struct Peer {
  std::string address;  // "127.0.0.1:5123"; empty for Unix sockets and pipes
  bool tls = false;
  std::string certCommonName;  // verified client certificate's CN; empty if none
  std::vector<std::string> certOrganizations;
};

struct Request {
  std::string method = "GET";
  std::string target = "/";          // as on the request line: path and query, still percent-encoded
  std::string version = "HTTP/1.1";  // "HTTP/2" for those; their :authority is in Host
  Headers headers;
  Body body;
  Peer peer;

  std::string_view rawPath() const;  // target up to '?'
  std::string path() const;          // percent-decoded
  std::string_view query() const;    // after '?', still encoded; empty if none
  // First value of a query parameter, decoded ('+' is a space); nullopt if absent.
  std::optional<std::string> queryValue(std::string_view name) const;
  std::vector<std::pair<std::string, std::string>> queryPairs() const;
};

struct Response {
  int status = 200;
  Headers headers;
  Body body;
  // Server side, set for 101: after the head is sent the connection belongs to this function.
  std::function<Task<void>(std::unique_ptr<ByteStream>)> upgrade;
  // Client side, set on 101: the connection, which first yields what came after the head.
  std::unique_ptr<ByteStream> upgraded;

  static Response text(int status, std::string body);
  static Response json(int status, std::string body);
  static Response error(const Error& error);  // {"error": message} with the status of its code
};

using Handler = std::function<Task<Response>(Request)>;

std::string percentDecode(std::string_view text, bool plusIsSpace = false);
std::string percentEncode(std::string_view text);  // everything but unreserved characters (RFC 3986 §2.3)
bool iequals(std::string_view a, std::string_view b);
// Whether a comma-separated field value lists `token` (case ignored): hasToken("keep-alive, Upgrade", "upgrade").
bool hasToken(std::string_view list, std::string_view token);
std::string_view reasonPhrase(int status);  // "Not Found"; "Unknown" for others
// `text` as a JSON string literal with its quotes; bytes that are not UTF-8 pass through.
std::string jsonQuote(std::string_view text);

}  // namespace slipway::net
