#include "data/protobuf_wire.h"

namespace slipway::protobuf {

std::optional<Field> Reader::next() {
  const auto tag = varint();
  if (!tag || *tag >> 3 == 0 || *tag >> 3 > 0x1fffffff) return std::nullopt;
  Field field;
  field.number = static_cast<std::uint32_t>(*tag >> 3);
  field.type = static_cast<int>(*tag & 7);
  if (field.type == Fixed64) return fixed(8, field);
  if (field.type == Fixed32) return fixed(4, field);
  if (field.type != Varint && field.type != Bytes) return std::nullopt;
  const auto value = varint();
  if (!value) return std::nullopt;
  if (field.type == Varint) {
    field.value = *value;
    return field;
  }
  if (*value > rest_.size()) return std::nullopt;
  field.bytes = rest_.substr(0, *value);
  rest_.remove_prefix(*value);
  return field;
}

std::optional<std::uint64_t> Reader::varint() {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 70 && !rest_.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    if (shift < 64) value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (!(byte & 0x80)) return value;
  }
  return std::nullopt;
}

std::optional<Field> Reader::fixed(std::size_t size, Field field) {
  if (rest_.size() < size) return std::nullopt;
  for (std::size_t i = 0; i < size; ++i)
    field.value |= static_cast<std::uint64_t>(static_cast<unsigned char>(rest_[i])) << (8 * i);
  rest_.remove_prefix(size);
  return field;
}

void appendVarint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

void appendTag(std::string& out, std::uint32_t field, WireType type) {
  appendVarint(out, std::uint64_t{field} << 3 | static_cast<std::uint64_t>(type));
}

void appendNumber(std::string& out, std::uint32_t field, std::uint64_t value) {
  appendTag(out, field, Varint);
  appendVarint(out, value);
}

void appendBytes(std::string& out, std::uint32_t field, std::string_view value) {
  appendTag(out, field, Bytes);
  appendVarint(out, value.size());
  out += value;
}

}  // namespace slipway::protobuf
