#include "protocol/json_writer.h"

#include <charconv>
#include <cmath>

namespace slipway::protocol {
namespace {

template <class T>
void appendChars(std::string& out, T value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  out.append(text, end);
}

template <class T>
void appendReal(std::string& out, T value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  char text[40];
  const T magnitude = std::fabs(value);
  // to_chars alone switches to an exponent where that is shorter (1e5); Python does so outside [1e-4, 1e16).
  const bool fixed = magnitude == 0 || (magnitude >= T(1e-4) && magnitude < T(1e16));
  char* end =
      std::to_chars(text, text + sizeof text, value, fixed ? std::chars_format::fixed : std::chars_format::scientific).ptr;
  out.append(text, end);
  if (fixed && std::find(text, end, '.') == end) out += ".0";
}

// The length of the well-formed UTF-8 sequence at `text`, or 0.
std::size_t utf8Length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto tail = [&](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF && tail(1)) return 2;
  if (first >= 0xE0 && first <= 0xEF && tail(1) && tail(2)) {
    if (first == 0xE0 && byte(1) < 0xA0) return 0;
    return first == 0xED && byte(1) > 0x9F ? 0 : 3;
  }
  if (first >= 0xF0 && first <= 0xF4 && tail(1) && tail(2) && tail(3)) {
    if (first == 0xF0 && byte(1) < 0x90) return 0;
    return first == 0xF4 && byte(1) > 0x8F ? 0 : 4;
  }
  return 0;
}

void appendEscaped(std::string& out, char c) {
  switch (c) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    default: fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned char>(c));
  }
}

template <class T, class Write>
void appendRange(std::string& out, std::span<const T> values, Write write) {
  bool first = true;
  for (const T v : values) {
    if (!first) out += ',';
    first = false;
    write(out, v);
  }
}

// Writes dimension `axis` starting at flat element `from`; returns the element after it.
std::size_t appendAxis(std::string& out, const Tensor& t, std::size_t axis, std::size_t from) {
  if (axis == t.shape.size()) {
    appendElements(out, t, from, 1);
    return from + 1;
  }
  const auto extent = static_cast<std::size_t>(t.shape[axis]);
  out += '[';
  if (axis + 1 == t.shape.size()) {
    appendElements(out, t, from, extent);
    from += extent;
  } else {
    for (std::size_t i = 0; i < extent; ++i) {
      if (i > 0) out += ',';
      from = appendAxis(out, t, axis + 1, from);
    }
  }
  out += ']';
  return from;
}
}  // namespace

void appendInt(std::string& out, std::int64_t value) { appendChars(out, value); }
void appendUint(std::string& out, std::uint64_t value) { appendChars(out, value); }
void appendDouble(std::string& out, double value) { appendReal(out, value); }
void appendFloat(std::string& out, float value) { appendReal(out, value); }

void appendString(std::string& out, std::string_view text) {
  out += '"';
  std::size_t plain = 0;  // start of the run not yet copied
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    const std::size_t length = utf8Length(text.substr(i));
    if (length > 1 || (length == 1 && static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\')) {
      i += length;
      continue;
    }
    out.append(text, plain, i - plain);
    if (length == 0)
      out += "\xEF\xBF\xBD";
    else
      appendEscaped(out, c);
    plain = ++i;
  }
  out.append(text, plain);
  out += '"';
}

void appendElements(std::string& out, const Tensor& t, std::size_t from, std::size_t count) {
  const auto each = [&]<class T>(T, auto write) { appendRange(out, t.values<T>().subspan(from, count), write); };
  const auto ints = [](std::string& o, auto v) { appendInt(o, static_cast<std::int64_t>(v)); };
  switch (t.type) {
    case DataType::Bool: return each(std::uint8_t{}, [](std::string& o, std::uint8_t v) { o += v != 0 ? "true" : "false"; });
    case DataType::Uint8: return each(std::uint8_t{}, ints);
    case DataType::Uint16: return each(std::uint16_t{}, ints);
    case DataType::Uint32: return each(std::uint32_t{}, ints);
    case DataType::Uint64: return each(std::uint64_t{}, [](std::string& o, std::uint64_t v) { appendUint(o, v); });
    case DataType::Int8: return each(std::int8_t{}, ints);
    case DataType::Int16: return each(std::int16_t{}, ints);
    case DataType::Int32: return each(std::int32_t{}, ints);
    case DataType::Int64: return each(std::int64_t{}, ints);
    case DataType::Fp16:
      return each(std::uint16_t{}, [](std::string& o, std::uint16_t v) { appendFloat(o, halfToFloat(v)); });
    case DataType::Fp32: return each(float{}, [](std::string& o, float v) { appendFloat(o, v); });
    case DataType::Fp64: return each(double{}, [](std::string& o, double v) { appendDouble(o, v); });
    case DataType::Bytes:
      for (std::size_t i = 0; i < count; ++i) {
        if (i > 0) out += ',';
        appendString(out, t.texts[from + i]);
      }
  }
}

void appendNested(std::string& out, const Tensor& t) { appendAxis(out, t, 0, 0); }

}  // namespace slipway::protocol
