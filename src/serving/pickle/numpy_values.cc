#include "serving/pickle/numpy_values.h"

#include <bit>
#include <cmath>
#include <cstring>

namespace slipway::pickle {

namespace {

template <class T>
T load(const char* bytes, bool bigEndian) {
  char raw[sizeof(T)];
  std::memcpy(raw, bytes, sizeof(T));
  if (bigEndian) std::reverse(raw, raw + sizeof(T));
  T value;
  std::memcpy(&value, raw, sizeof(T));
  return value;
}

double half(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31;
  const int fraction = bits & 1023;
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  if (exponent == 31) return fraction != 0 ? std::nan("") : sign * HUGE_VAL;
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(1024 + fraction, exponent - 25);
}

void addUtf8(std::string& out, std::uint32_t c) {
  if (c > 0x10FFFF || (c >= 0xD800 && c < 0xE000)) c = 0xFFFD;
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += {static_cast<char>(0xC0 | c >> 6), static_cast<char>(0x80 | (c & 0x3F))};
  } else if (c < 0x10000) {
    out +=
        {static_cast<char>(0xE0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 0x3F)), static_cast<char>(0x80 | (c & 0x3F))};
  } else {
    out += {static_cast<char>(0xF0 | c >> 18), static_cast<char>(0x80 | (c >> 12 & 0x3F)),
            static_cast<char>(0x80 | (c >> 6 & 0x3F)), static_cast<char>(0x80 | (c & 0x3F))};
  }
}

bool isNumber(const Dtype& type) {
  const std::size_t n = type.itemSize;
  switch (type.kind) {
    case 'f': return n == 2 || n == 4 || n == 8;
    case 'i':
    case 'u': return n == 1 || n == 2 || n == 4 || n == 8;
    case 'b': return n == 1;
    default: return false;
  }
}

tl::unexpected<Error> wrong(const Dtype& type, const char* wanted) {
  return fail(Code::Invalid, fmt::format("an array of {} where {} are expected", type.name(), wanted));
}

// Calls each(bytes) for every element in row-major order.
template <class F>
void forEach(const Array& array, std::size_t offset, F each) {
  const std::size_t step = array.type.itemSize;
  for (std::size_t i = 0; i < array.size; ++i) each(array.data.data() + array.position(i) * step + offset);
}

Result<std::vector<double>> realObjects(const Array& array) {
  std::vector<double> out;
  out.reserve(array.size);
  for (std::size_t i = 0; i < array.size; ++i) {
    const Value& v = *array.objects[array.position(i)];
    if (v.is(Kind::Float)) {
      out.push_back(v.real);
    } else if (v.is(Kind::Int) || v.is(Kind::Bool)) {
      out.push_back(static_cast<double>(v.integer));
    } else {
      return fail(Code::Invalid, v.describe() + " where a number is expected");
    }
  }
  return out;
}

}  // namespace

double realAt(const char* bytes, const Dtype& type) {
  if (!isNumber(type)) return 0;
  if (type.kind != 'f') {
    const std::int64_t whole = integerAt(bytes, type);
    return type.kind == 'u' ? static_cast<double>(static_cast<std::uint64_t>(whole)) : static_cast<double>(whole);
  }
  switch (type.itemSize) {
    case 8: return load<double>(bytes, type.bigEndian);
    case 4: return load<float>(bytes, type.bigEndian);
    default: return half(load<std::uint16_t>(bytes, type.bigEndian));
  }
}

std::int64_t integerAt(const char* bytes, const Dtype& type) {
  if (!isNumber(type)) return 0;
  if (type.kind == 'f') {
    const double real = realAt(bytes, type);
    return std::abs(real) < 9e18 ? static_cast<std::int64_t>(real) : 0;
  }
  if (type.kind == 'b') return bytes[0] != 0 ? 1 : 0;
  const bool hasSign = type.kind == 'i';
  switch (type.itemSize) {
    case 1: return hasSign ? load<std::int8_t>(bytes, false) : load<std::uint8_t>(bytes, false);
    case 2: return hasSign ? load<std::int16_t>(bytes, type.bigEndian) : load<std::uint16_t>(bytes, type.bigEndian);
    case 4:
      return hasSign ? std::int64_t{load<std::int32_t>(bytes, type.bigEndian)} : load<std::uint32_t>(bytes, type.bigEndian);
    default: return load<std::int64_t>(bytes, type.bigEndian);
  }
}

std::string textAt(const char* bytes, const Dtype& type) {
  std::string out;
  if (type.kind == 'S') {
    out.assign(bytes, type.itemSize);
    out.erase(out.find_last_not_of('\0') + 1);
  } else if (type.kind == 'U') {
    std::size_t characters = type.itemSize / 4;
    while (characters > 0 && load<std::uint32_t>(bytes + 4 * (characters - 1), false) == 0) --characters;
    for (std::size_t i = 0; i < characters; ++i) addUtf8(out, load<std::uint32_t>(bytes + 4 * i, type.bigEndian));
  }
  return out;
}

Result<std::vector<double>> reals(const Array& array) {
  if (array.type.kind == 'O') return realObjects(array);
  if (!isNumber(array.type)) return wrong(array.type, "numbers");
  std::vector<double> out;
  out.reserve(array.size);
  forEach(array, 0, [&](const char* p) { out.push_back(realAt(p, array.type)); });
  return out;
}

Result<std::vector<std::int64_t>> integers(const Array& array) {
  std::vector<std::int64_t> out;
  out.reserve(array.type.kind == 'O' || isNumber(array.type) ? array.size : 0);
  if (array.type.kind == 'O') {
    for (std::size_t i = 0; i < array.size; ++i) {
      const Value& v = *array.objects[array.position(i)];
      if (!v.is(Kind::Int) && !v.is(Kind::Bool)) return fail(Code::Invalid, v.describe() + " where an int is expected");
      out.push_back(v.integer);
    }
    return out;
  }
  if (!isNumber(array.type)) return wrong(array.type, "integers");
  forEach(array, 0, [&](const char* p) { out.push_back(integerAt(p, array.type)); });
  return out;
}

Result<std::vector<std::string>> texts(const Array& array) {
  std::vector<std::string> out;
  if (array.type.kind == 'O') {
    out.reserve(array.size);
    for (std::size_t i = 0; i < array.size; ++i) {
      const Value& v = *array.objects[array.position(i)];
      if (!v.is(Kind::Text)) return fail(Code::Invalid, v.describe() + " where a text is expected");
      out.emplace_back(v.text);
    }
    return out;
  }
  if (array.type.kind != 'U' && array.type.kind != 'S') return wrong(array.type, "texts");
  // An array of a million empty strings has no bytes behind it: its size is bounded by nothing in the file.
  if (array.type.itemSize == 0 && array.size > 1'000'000) return wrong(array.type, "non-empty texts");
  out.reserve(array.size);
  forEach(array, 0, [&](const char* p) { out.push_back(textAt(p, array.type)); });
  return out;
}

Result<std::vector<double>> fieldReals(const Array& array, std::string_view name) {
  const Field* field = array.type.field(name);
  if (field == nullptr || !isNumber(field->type))
    return fail(Code::Invalid, "a record without field '" + std::string(name) + "'");
  std::vector<double> out;
  out.reserve(array.size);
  forEach(array, field->offset, [&](const char* p) { out.push_back(realAt(p, field->type)); });
  return out;
}

Result<std::vector<std::int64_t>> fieldIntegers(const Array& array, std::string_view name) {
  const Field* field = array.type.field(name);
  if (field == nullptr || !isNumber(field->type))
    return fail(Code::Invalid, "a record without field '" + std::string(name) + "'");
  std::vector<std::int64_t> out;
  out.reserve(array.size);
  forEach(array, field->offset, [&](const char* p) { out.push_back(integerAt(p, field->type)); });
  return out;
}

}  // namespace slipway::pickle
