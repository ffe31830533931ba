// Universal Binary JSON, draft 12. Everything is checked against the bytes that are left before memory is taken for it.
#include <bit>
#include <cstring>
#include <limits>

#include "serving/engines/xgboost/document.h"

namespace slipway::xgboost {
namespace {

constexpr int kMaxNesting = 64;

class UbjParser {
 public:
  explicit UbjParser(std::string_view bytes) : bytes_(bytes) {}

  Result<Value> document() {
    Value root;
    SLIP_TRY(const char type, marker());
    SLIP_CHECK(value(type, root, 0));
    return root;
  }

 private:
  tl::unexpected<Error> bad(std::string_view what) const {
    return fail(Code::Invalid, fmt::format("UBJSON, byte {}: {}", at_, what));
  }
  std::size_t left() const { return bytes_.size() - at_; }

  Result<char> marker() {
    while (left() > 0 && bytes_[at_] == 'N') ++at_;  // no-op
    if (left() == 0) return bad("the file ends too early");
    return bytes_[at_++];
  }
  static std::size_t sizeOf(char type) {
    switch (type) {
      case 'i':
      case 'U': return 1;
      case 'I': return 2;
      case 'l':
      case 'd': return 4;
      case 'L':
      case 'D': return 8;
      default: return 0;
    }
  }
  // The next number of that type; the caller has checked that its bytes are there.
  double number(char type) {
    std::uint64_t bits = 0;
    const std::size_t size = sizeOf(type);
    for (std::size_t i = 0; i < size; ++i) bits = bits << 8 | static_cast<unsigned char>(bytes_[at_ + i]);
    at_ += size;
    switch (type) {
      case 'i': return static_cast<std::int8_t>(bits);
      case 'U': return static_cast<double>(bits);
      case 'I': return static_cast<std::int16_t>(bits);
      case 'l': return static_cast<std::int32_t>(bits);
      case 'L': return static_cast<double>(static_cast<std::int64_t>(bits));
      case 'd': return std::bit_cast<float>(static_cast<std::uint32_t>(bits));
      default: return std::bit_cast<double>(bits);
    }
  }
  Result<std::size_t> length() {
    SLIP_TRY(const char type, marker());
    const std::size_t size = sizeOf(type);
    if (size == 0 || type == 'd' || type == 'D') return bad("a length is expected");
    if (left() < size) return bad("the file ends too early");
    const double count = number(type);
    if (count < 0 || count > 1e15) return bad("an impossible length");
    return static_cast<std::size_t>(count);
  }
  Result<std::string> string() {
    SLIP_TRY(const std::size_t size, length());
    if (size > left()) return bad(fmt::format("a text of {} bytes, but the file ends after {}", size, left()));
    std::string out(bytes_.substr(at_, size));
    at_ += size;
    return out;
  }

  Status value(char type, Value& out, int depth) {
    if (depth > kMaxNesting) return fail(Code::TooLarge, fmt::format("UBJSON: nested deeper than {}", kMaxNesting));
    if (++values_ > kMaxValues && sizeOf(type) == 0)
      return fail(Code::TooLarge, fmt::format("UBJSON: more than {} values", kMaxValues));
    switch (type) {
      case '{': return object(out, depth);
      case '[': return list(out, depth);
      case 'Z': return {};
      case 'T':
      case 'F':
        out.kind = Value::Kind::Bool;
        out.number = type == 'T' ? 1 : 0;
        return {};
      case 'S': {
        out.kind = Value::Kind::Text;
        SLIP_TRY(out.text, string());
        return {};
      }
      case 'C':
        if (left() == 0) return bad("the file ends too early");
        out.kind = Value::Kind::Text;
        out.text = bytes_[at_++];
        return {};
      default: break;
    }
    if (sizeOf(type) == 0) return bad("unknown type of value");
    if (left() < sizeOf(type)) return bad("the file ends too early");
    out.kind = Value::Kind::Number;
    out.number = number(type);
    return {};
  }

  Status object(Value& out, int depth) {
    out.kind = Value::Kind::Object;
    while (true) {
      SLIP_TRY(const char next, marker());
      if (next == '}') return {};
      if (next == '$' || next == '#') return bad("objects with a count are not read");
      --at_;
      SLIP_TRY(std::string key, string());
      out.members.push_back({std::move(key), {}});
      SLIP_TRY(const char type, marker());
      SLIP_CHECK(value(type, out.members.back().value, depth + 1));
    }
  }

  Status typed(Value& out) {
    SLIP_TRY(const char type, marker());
    const std::size_t size = sizeOf(type);
    if (size == 0) return bad("a list of values of this type is not read");
    SLIP_TRY(const char hash, marker());
    if (hash != '#') return bad("a typed list without its length");
    SLIP_TRY(const std::size_t count, length());
    if (count > left() / size)
      return bad(fmt::format("a list of {} numbers, but the file ends after {} bytes", count, left()));
    out.kind = Value::Kind::Numbers;
    out.numbers.resize(count);
    for (double& n : out.numbers) n = number(type);
    return {};
  }

  Status list(Value& out, int depth) {
    out.kind = Value::Kind::Numbers;
    SLIP_TRY(char next, marker());
    if (next == '$') return typed(out);
    std::size_t count = std::numeric_limits<std::size_t>::max();
    const bool counted = next == '#';
    if (counted) {
      SLIP_TRY(count, length());
    } else {
      --at_;
    }
    for (std::size_t i = 0; i < count; ++i) {
      SLIP_TRY(next, marker());
      if (!counted && next == ']') break;
      Value item;
      SLIP_CHECK(value(next, item, depth + 1));
      const bool plain = item.kind == Value::Kind::Number || item.kind == Value::Kind::Bool;
      if (i == 0) out.kind = plain ? Value::Kind::Numbers : Value::Kind::List;
      if (plain != (out.kind == Value::Kind::Numbers)) return bad("a list that mixes numbers and other values");
      if (plain)
        out.numbers.push_back(item.number);
      else
        out.items.push_back(std::move(item));
    }
    return {};
  }

  std::string_view bytes_;
  std::size_t at_ = 0;
  std::size_t values_ = 0;
};

}  // namespace

Result<Value> parseUbjDocument(std::string_view bytes) { return UbjParser(bytes).document(); }

}  // namespace slipway::xgboost
