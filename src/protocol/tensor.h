// Tensor: a named array of one of the V2 datatypes, as requests bring it and models return it. A plain value; not shared
// between threads while it changes.
//
//   Tensor t = Tensor::of<double>("output-0", {2, 3}, values);
//   std::span<const double> v = t.values<double>();
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace slipway::protocol {

enum class DataType : std::uint8_t {
  Bool,
  Uint8,
  Uint16,
  Uint32,
  Uint64,
  Int8,
  Int16,
  Int32,
  Int64,
  Fp16,
  Fp32,
  Fp64,
  Bytes,
};

std::string_view dataTypeName(DataType type);                  // "FP32"
std::optional<DataType> parseDataType(std::string_view name);  // exact spelling, as the Open Inference Protocol has it
std::size_t elementSize(DataType type);                        // bytes; 0 for Bytes (variable)

// Growing bytes without zero filling, aligned for every element type.
class RawBuffer {
 public:
  RawBuffer() = default;
  RawBuffer(RawBuffer&& o) noexcept : bytes_(std::move(o.bytes_)), size_(o.size_), capacity_(o.capacity_) {
    o.size_ = o.capacity_ = 0;
  }
  RawBuffer& operator=(RawBuffer&& o) noexcept;
  RawBuffer(const RawBuffer& o) { append(o.view()); }
  RawBuffer& operator=(const RawBuffer& o);

  template <class T>
  void push(T value) {
    if (size_ + sizeof(T) > capacity_) grow(size_ + sizeof(T));
    std::memcpy(bytes_.get() + size_, &value, sizeof(T));
    size_ += sizeof(T);
  }
  void append(std::string_view bytes);
  void reserve(std::size_t bytes) {
    if (bytes > capacity_) grow(bytes);
  }
  void clear() { size_ = 0; }
  std::size_t size() const { return size_; }
  char* data() { return bytes_.get(); }
  std::string_view view() const { return {bytes_.get(), size_}; }
  template <class T>
  std::span<const T> as() const {
    return {reinterpret_cast<const T*>(bytes_.get()), size_ / sizeof(T)};
  }

 private:
  struct Free {
    void operator()(char* p) const { std::free(p); }
  };
  void grow(std::size_t atLeast);
  std::unique_ptr<char, Free> bytes_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

using Shape = std::vector<std::int64_t>;

struct Tensor {
  std::string name;
  DataType type = DataType::Fp64;
  Shape shape;
  RawBuffer data;                  // row-major, little endian; empty for Bytes
  std::vector<std::string> texts;  // elements of a Bytes tensor

  // T must have the size of the element type; Bool is std::uint8_t, Fp16 is std::uint16_t.
  template <class T>
  std::span<const T> values() const {
    return data.as<T>();
  }
  std::size_t elements() const { return type == DataType::Bytes ? texts.size() : data.size() / elementSize(type); }

  template <class T>
  static Tensor of(std::string name, Shape shape, std::span<const T> values);
  static Tensor ofTexts(std::string name, Shape shape, std::vector<std::string> texts);
};

// The product of the dimensions. Error BadRequest when one is negative or the product does not fit 2^62.
Result<std::size_t> elementsOf(const Shape& shape);
std::string describeShape(const Shape& shape);  // "[2, 3]"

// Every element as a double, whatever its numeric type. Error BadRequest for Bytes.
Result<std::vector<double>> toDoubles(const Tensor& tensor);
float halfToFloat(std::uint16_t bits);  // IEEE 754 binary16

template <class T>
struct DataTypeOf;
template <>
struct DataTypeOf<double> {
  static constexpr DataType value = DataType::Fp64;
};
template <>
struct DataTypeOf<float> {
  static constexpr DataType value = DataType::Fp32;
};
template <>
struct DataTypeOf<std::int64_t> {
  static constexpr DataType value = DataType::Int64;
};
template <>
struct DataTypeOf<std::int32_t> {
  static constexpr DataType value = DataType::Int32;
};
template <>
struct DataTypeOf<bool> {
  static constexpr DataType value = DataType::Bool;
};

template <class T>
Tensor Tensor::of(std::string name, Shape shape, std::span<const T> values) {
  Tensor t{std::move(name), DataTypeOf<T>::value, std::move(shape), {}, {}};
  t.data.append({reinterpret_cast<const char*>(values.data()), values.size_bytes()});
  return t;
}

}  // namespace slipway::protocol
