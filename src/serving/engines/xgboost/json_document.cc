// JSON as xgboost writes it. Own reader because model files hold NaN and Infinity, which strict JSON refuses, and because
// their millions of numbers should become flat arrays without a value object each.
#include <charconv>
#include <cmath>
#include <limits>

#include "serving/engines/xgboost/document.h"

namespace slipway::xgboost {
namespace {

constexpr int kMaxNesting = 64;

class JsonParser {
 public:
  explicit JsonParser(std::string_view text) : text_(text) {}

  Result<Value> document() {
    Value root;
    SLIP_CHECK(value(root, 0));
    space();
    if (at_ != text_.size()) return bad("something follows the end of the document");
    return root;
  }

 private:
  tl::unexpected<Error> bad(std::string_view what) const {
    return fail(Code::Invalid,
                fmt::format("JSON, byte {}: {}", at_, at_ >= text_.size() ? "the file ends too early" : what));
  }
  void space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t'))
      ++at_;
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char c) {
    space();
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  bool word(std::string_view w) {
    if (text_.substr(at_, w.size()) != w) return false;
    at_ += w.size();
    return true;
  }

  Status value(Value& out, int depth) {
    if (depth > kMaxNesting) return fail(Code::TooLarge, fmt::format("JSON: nested deeper than {}", kMaxNesting));
    if (++values_ > kMaxValues) return fail(Code::TooLarge, fmt::format("JSON: more than {} values", kMaxValues));
    space();
    const char c = peek();
    if (c == '{') return object(out, depth);
    if (c == '[') return list(out, depth);
    if (c == '"') {
      out.kind = Value::Kind::Text;
      return string(out.text);
    }
    if (word("null")) return {};
    if (c == 't' || c == 'f') {
      out.kind = Value::Kind::Bool;
      return scalar(out.number);
    }
    out.kind = Value::Kind::Number;
    return scalar(out.number);
  }

  // A number, true or false.
  Status scalar(double& out) {
    if (word("true")) return out = 1, Status();
    if (word("false")) return out = 0, Status();
    if (word("NaN")) return out = std::nan(""), Status();
    if (word("Infinity")) return out = std::numeric_limits<double>::infinity(), Status();
    if (word("-Infinity")) return out = -std::numeric_limits<double>::infinity(), Status();
    const char* begin = text_.data() + at_;
    const char* end = text_.data() + text_.size();
    const bool starts = begin != end && (*begin == '-' || (*begin >= '0' && *begin <= '9'));
    const auto [stop, error] = std::from_chars(begin, end, out);
    if (!starts || error == std::errc::invalid_argument) return bad("a value is expected");
    if (error == std::errc::result_out_of_range) return bad("a number that does not fit a double");
    at_ += static_cast<std::size_t>(stop - begin);
    return {};
  }

  Status object(Value& out, int depth) {
    out.kind = Value::Kind::Object;
    ++at_;
    if (take('}')) return {};
    do {
      space();
      if (peek() != '"') return bad("a key in quotes is expected");
      std::string key;
      SLIP_CHECK(string(key));
      if (!take(':')) return bad("':' is expected");
      out.members.push_back({std::move(key), {}});
      SLIP_CHECK(value(out.members.back().value, depth + 1));
    } while (take(','));
    if (!take('}')) return bad("',' or '}' is expected");
    return {};
  }

  Status list(Value& out, int depth) {
    ++at_;
    out.kind = Value::Kind::Numbers;
    if (take(']')) return {};
    space();
    const char first = peek();
    if (first == '{' || first == '[' || first == '"' || text_.substr(at_, 4) == "null") {
      out.kind = Value::Kind::List;
      do {
        out.items.emplace_back();
        SLIP_CHECK(value(out.items.back(), depth + 1));
      } while (take(','));
    } else {
      do {
        space();
        double number = 0;
        SLIP_CHECK(scalar(number));
        out.numbers.push_back(number);
      } while (take(','));
    }
    if (!take(']')) return bad("',' or ']' is expected");
    return {};
  }

  Status string(std::string& out) {
    ++at_;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '"') return {};
      if (c != '\\') {
        out += c;
        continue;
      }
      const char escaped = peek();
      ++at_;
      switch (escaped) {
        case 'n': out += '\n'; break;
        case 't': out += '\t'; break;
        case 'r': out += '\r'; break;
        case 'b': out += '\b'; break;
        case 'f': out += '\f'; break;
        case 'u': SLIP_CHECK(codePoint(out)); break;
        default: out += escaped;
      }
    }
    return bad("a text does not end");
  }

  // \uXXXX as UTF-8; halves of surrogate pairs are put together.
  Status codePoint(std::string& out) {
    const auto hex = [this](std::uint32_t& unit) {
      const char* begin = text_.data() + at_;
      if (text_.size() - std::min(at_, text_.size()) < 4) return false;
      const auto [stop, error] = std::from_chars(begin, begin + 4, unit, 16);
      at_ += 4;
      return error == std::errc() && stop == begin + 4;
    };
    std::uint32_t code = 0, low = 0;
    if (!hex(code)) return bad("four hexadecimal digits are expected after \\u");
    if (code >= 0xD800 && code < 0xDC00 && word("\\u") && hex(low))
      code = 0x10000 + ((code - 0xD800) << 10) + ((low - 0xDC00) & 0x3FF);
    if (code < 0x80) {
      out += static_cast<char>(code);
    } else if (code < 0x800) {
      out += static_cast<char>(0xC0 | (code >> 6));
      out += static_cast<char>(0x80 | (code & 0x3F));
    } else {
      if (code >= 0x10000) {
        out += static_cast<char>(0xF0 | ((code >> 18) & 7));
        out += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
      } else {
        out += static_cast<char>(0xE0 | (code >> 12));
      }
      out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
      out += static_cast<char>(0x80 | (code & 0x3F));
    }
    return {};
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t values_ = 0;
};

}  // namespace

Result<Value> parseJsonDocument(std::string_view bytes) { return JsonParser(bytes).document(); }

}  // namespace slipway::xgboost
