// Inside of protocol's parsers: simdjson's on-demand cursor over one body, and the walk that turns (nested) JSON lists
// straight into a Tensor. Only .cc files of this module include it: simdjson is a large header.
#pragma once
#include <simdjson.h>

#include <string>
#include <string_view>

#include "protocol/tensor.h"

namespace slipway::protocol::detail {

namespace ondemand = simdjson::ondemand;

// A parser with the padded copy of its text. Buffers are kept between small bodies and given back after large ones.
class JsonText {
 public:
  // The document is valid until the next open() or release().
  Result<ondemand::document*> open(std::string_view body);
  // `part` lies inside the text of another JsonText, so padding follows it.
  Result<ondemand::document*> openPart(std::string_view part);
  void release();
  // "Unrecognized request format: …: line 1 column 5 (char 4)"
  Error syntax(simdjson::error_code code);
  bool atEnd();  // nothing follows the root value

 private:
  Result<ondemand::document*> start(std::string_view padded, std::size_t capacity);
  ondemand::parser parser_;
  ondemand::document document_;
  std::string scratch_;
  std::string_view text_;
  bool open_ = false;  // document_ stands on text_
};

// Reads lists into `tensor`. The element type is tensor.type, or with `infer` that of the first element: numbers are Fp64,
// strings Bytes. Ragged lists and elements of another type are refused.
class ListReader {
 public:
  ListReader(JsonText& text, Tensor& tensor, bool infer) : text_(text), tensor_(tensor), infer_(infer) {}
  Status read(ondemand::array list);
  const Shape& shape() const { return shape_; }  // as nested in the JSON

 private:
  template <class Leaf>
  bool walk(ondemand::array list, std::size_t depth, Leaf leaf);
  template <class T>
  bool realLeaf(ondemand::value v);
  template <class T>
  bool integerLeaf(ondemand::value v);
  bool boolLeaf(ondemand::value v);
  bool textLeaf(ondemand::value v);
  bool inferLeaf(ondemand::value v);
  bool closeList(std::size_t depth, std::int64_t count);
  bool wrongElement(ondemand::value v, std::string_view expected);
  bool refuse(std::string message);
  bool syntax(simdjson::error_code code);
  std::string where() const;

  JsonText& text_;
  Tensor& tensor_;
  bool infer_;
  bool typeKnown_ = false;
  std::size_t rank_ = 0;  // 0 until the first element
  Shape shape_;
  Error error_;
};

}  // namespace slipway::protocol::detail
