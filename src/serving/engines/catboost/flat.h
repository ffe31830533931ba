// Reads a flatbuffer (https://flatbuffers.dev, "FlatBuffer internals") without its schema: fields by number, everything
// checked against the bytes. The first read past the end sets `bad` and gives zeros from then on, so a reader asks once at
// its end. Own reader: the schema's 180 lines belong to catboost, and a generated header would need a download at build
// time.
#pragma once
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace slipway::catboost {

class FlatBytes {
 public:
  explicit FlatBytes(std::string_view bytes) : bytes_(bytes) {}
  template <class T>
  T at(std::uint64_t position) {
    T out{};
    if (position > bytes_.size() || bytes_.size() - position < sizeof(T)) {
      bad_ = true;
      return out;
    }
    std::memcpy(&out, bytes_.data() + position, sizeof(T));
    return out;
  }
  std::string_view range(std::uint64_t position, std::uint64_t size) {
    if (position <= bytes_.size() && size <= bytes_.size() - position) return bytes_.substr(position, size);
    bad_ = true;
    return {};
  }
  bool bad() const { return bad_; }
  void fail() { bad_ = true; }

 private:
  std::string_view bytes_;
  bool bad_ = false;
};

// A vector: `count` elements from `start` on, checked to lie inside.
struct FlatVector {
  std::uint64_t start = 0;
  std::uint32_t count = 0;
};

class FlatTable {
 public:
  FlatTable(FlatBytes& bytes, std::uint64_t position) : bytes_(&bytes), position_(position) {
    const auto back = bytes.at<std::int32_t>(position);
    vtable_ = position - static_cast<std::uint64_t>(static_cast<std::int64_t>(back));
    size_ = bytes.at<std::uint16_t>(vtable_);
  }
  static FlatTable root(FlatBytes& bytes) { return {bytes, bytes.at<std::uint32_t>(0)}; }

  bool has(unsigned field) const { return offset(field) != 0; }
  template <class T>
  T scalar(unsigned field, T fallback) const {
    const auto at = offset(field);
    return at == 0 ? fallback : bytes_->at<T>(position_ + at);
  }
  // A vector of elements of `size` bytes; empty when absent.
  FlatVector vector(unsigned field, std::size_t size) const {
    const auto at = target(field);
    if (at == 0) return {};
    FlatVector out{at + 4, bytes_->at<std::uint32_t>(at)};
    bytes_->range(out.start, std::uint64_t{out.count} * size);
    return bytes_->bad() ? FlatVector() : out;
  }
  template <class T>
  T element(const FlatVector& v, std::uint32_t index) const {
    return bytes_->at<T>(v.start + std::uint64_t{index} * sizeof(T));
  }
  FlatTable element(const FlatVector& v, std::uint32_t index) const {  // of a vector of tables
    const std::uint64_t at = v.start + std::uint64_t{index} * 4;
    return {*bytes_, at + bytes_->at<std::uint32_t>(at)};
  }
  std::string_view text(unsigned field) const { return textAt(target(field)); }
  std::string_view textElement(const FlatVector& v, std::uint32_t index) const {
    const std::uint64_t at = v.start + std::uint64_t{index} * 4;
    return textAt(at + bytes_->at<std::uint32_t>(at));
  }
  std::string_view bytesOf(const FlatVector& v) const { return bytes_->range(v.start, v.count); }
  // The table a field points to; ask has() first.
  FlatTable table(unsigned field) const { return {*bytes_, target(field)}; }

 private:
  std::uint16_t offset(unsigned field) const {
    const unsigned at = 4 + 2 * field;
    return at + 2 > size_ ? std::uint16_t{0} : bytes_->at<std::uint16_t>(vtable_ + at);
  }
  std::uint64_t target(unsigned field) const {
    const auto at = offset(field);
    return at == 0 ? 0 : position_ + at + bytes_->at<std::uint32_t>(position_ + at);
  }
  std::string_view textAt(std::uint64_t at) const {
    return at == 0 ? std::string_view() : bytes_->range(at + 4, bytes_->at<std::uint32_t>(at));
  }

  FlatBytes* bytes_;
  std::uint64_t position_;
  std::uint64_t vtable_ = 0;
  std::uint16_t size_ = 0;
};

}  // namespace slipway::catboost
