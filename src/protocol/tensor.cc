#include "protocol/tensor.h"

#include <cmath>

namespace slipway::protocol {
namespace {
struct TypeRow {
  DataType type;
  std::string_view name;
  std::size_t size;
};
constexpr TypeRow kTypes[] = {
    {DataType::Bool, "BOOL", 1},     {DataType::Uint8, "UINT8", 1},   {DataType::Uint16, "UINT16", 2},
    {DataType::Uint32, "UINT32", 4}, {DataType::Uint64, "UINT64", 8}, {DataType::Int8, "INT8", 1},
    {DataType::Int16, "INT16", 2},   {DataType::Int32, "INT32", 4},   {DataType::Int64, "INT64", 8},
    {DataType::Fp16, "FP16", 2},     {DataType::Fp32, "FP32", 4},     {DataType::Fp64, "FP64", 8},
    {DataType::Bytes, "BYTES", 0},
};

template <class T>
std::vector<double> widen(const Tensor& t) {
  const auto values = t.values<T>();
  return std::vector<double>(values.begin(), values.end());
}
}  // namespace

std::string_view dataTypeName(DataType type) { return kTypes[static_cast<std::size_t>(type)].name; }
std::size_t elementSize(DataType type) { return kTypes[static_cast<std::size_t>(type)].size; }

std::optional<DataType> parseDataType(std::string_view name) {
  for (const auto& row : kTypes)
    if (row.name == name) return row.type;
  return std::nullopt;
}

RawBuffer& RawBuffer::operator=(RawBuffer&& o) noexcept {
  bytes_ = std::move(o.bytes_);
  size_ = std::exchange(o.size_, 0);
  capacity_ = std::exchange(o.capacity_, 0);
  return *this;
}

RawBuffer& RawBuffer::operator=(const RawBuffer& o) {
  if (this == &o) return *this;
  clear();
  append(o.view());
  return *this;
}

void RawBuffer::append(std::string_view bytes) {
  if (bytes.empty()) return;
  reserve(size_ + bytes.size());
  std::memcpy(bytes_.get() + size_, bytes.data(), bytes.size());
  size_ += bytes.size();
}

void RawBuffer::grow(std::size_t atLeast) {
  const std::size_t next = std::max({atLeast, capacity_ * 2, std::size_t{64}});
  char* moved = static_cast<char*>(std::realloc(bytes_.get(), next));
  if (moved == nullptr) throw std::bad_alloc();
  (void)bytes_.release();
  bytes_.reset(moved);
  capacity_ = next;
}

Tensor Tensor::ofTexts(std::string name, Shape shape, std::vector<std::string> texts) {
  return Tensor{std::move(name), DataType::Bytes, std::move(shape), {}, std::move(texts)};
}

Result<std::size_t> elementsOf(const Shape& shape) {
  std::uint64_t product = 1;
  for (const std::int64_t d : shape) {
    if (d < 0) return fail(Code::BadRequest, fmt::format("shape {} has a negative dimension", describeShape(shape)));
    if (__builtin_mul_overflow(product, static_cast<std::uint64_t>(d), &product) || product >= (1ULL << 62))
      return fail(Code::BadRequest, fmt::format("shape {} is too large", describeShape(shape)));
  }
  return static_cast<std::size_t>(product);
}

std::string describeShape(const Shape& shape) {
  std::string out = "[";
  for (const std::int64_t d : shape) fmt::format_to(std::back_inserter(out), "{}{}", out.size() > 1 ? ", " : "", d);
  return out + "]";
}

float halfToFloat(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 31;
  const int mantissa = bits & 1023;
  const float sign = (bits & 0x8000) != 0 ? -1.0F : 1.0F;
  if (exponent == 31) return mantissa == 0 ? sign * INFINITY : NAN;
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(mantissa), -24);
  return sign * std::ldexp(static_cast<float>(mantissa + 1024), exponent - 25);
}

Result<std::vector<double>> toDoubles(const Tensor& t) {
  switch (t.type) {
    case DataType::Bool:
    case DataType::Uint8: return widen<std::uint8_t>(t);
    case DataType::Uint16: return widen<std::uint16_t>(t);
    case DataType::Uint32: return widen<std::uint32_t>(t);
    case DataType::Uint64: return widen<std::uint64_t>(t);
    case DataType::Int8: return widen<std::int8_t>(t);
    case DataType::Int16: return widen<std::int16_t>(t);
    case DataType::Int32: return widen<std::int32_t>(t);
    case DataType::Int64: return widen<std::int64_t>(t);
    case DataType::Fp32: return widen<float>(t);
    case DataType::Fp64: return widen<double>(t);
    case DataType::Fp16: {
      std::vector<double> out;
      for (const std::uint16_t bits : t.values<std::uint16_t>()) out.push_back(halfToFloat(bits));
      return out;
    }
    case DataType::Bytes: break;
  }
  return fail(Code::BadRequest,
              fmt::format("input '{}' has datatype BYTES, but this model takes numbers: send FP32 or FP64", t.name));
}

}  // namespace slipway::protocol
