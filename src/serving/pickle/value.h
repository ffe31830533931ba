// What a pickle says, as inert data: nothing here can run. Values live in the Document that read them and point to each
// other (a pickle may hold cycles, so walk only along attributes you know). Text, bytes and array data are views into the
// file's bytes, which the Document owns. Immutable after reading; any number of threads may read.
//
//   const Value* coef = model.attribute("coef_");   // nullptr when the object has none
#pragma once
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::pickle {

struct KnownName;
struct Field;

// A numpy dtype. `kind` is numpy's letter: f i u b (numbers), U S (text, bytes), O (objects), V (records, see fields).
struct Dtype {
  char kind = 'V';
  bool bigEndian = false;
  std::size_t itemSize = 0;  // bytes per element
  std::vector<Field> fields;

  const Field* field(std::string_view name) const;
  std::string name() const;  // "float64", "<U5", for messages
};
struct Field {
  std::string name;
  std::size_t offset = 0;
  Dtype type;
};

struct Value;

// A numpy array whose byte count was checked against its shape.
struct Array {
  Dtype type;
  std::vector<std::size_t> shape;
  bool fortran = false;         // column-major data
  std::string_view data;        // empty for object arrays
  std::vector<Value*> objects;  // dtype O: the elements, in the order of `data`
  std::size_t size = 1;         // number of elements

  std::size_t dim(std::size_t axis) const { return axis < shape.size() ? shape[axis] : 1; }
  // Position in `data` (in elements) of the element that is number `i` in row-major order.
  std::size_t position(std::size_t i) const;
};

enum class Kind : std::uint8_t {
  None,
  Bool,
  Int,
  BigInt,
  Float,
  Text,
  Bytes,
  List,
  Tuple,
  Dict,
  Set,
  Name,
  Object,
  Dtype,
  Array
};

struct Value {
  Kind kind = Kind::None;
  union {
    std::int64_t integer = 0;  // Int, Bool (0 or 1)
    double real;               // Float
  };
  std::string_view text;      // Text, Bytes; BigInt: little-endian two's complement
  std::vector<Value*> items;  // List, Tuple, Set; Dict: key, value, key, value; Object: items it was given as a list or dict
  const KnownName* name = nullptr;  // Name, Object: its class
  Value* args = nullptr;            // Object: constructor arguments (a Tuple) or nullptr
  union {
    Value* state = nullptr;  // Object: what __setstate__ would get, or nullptr
    Array* array;            // Array
    pickle::Dtype* dtype;    // Dtype
  };

  bool is(Kind k) const { return kind == k; }
  bool isNone() const { return kind == Kind::None; }
  std::string_view className() const;                  // "LogisticRegression" for an Object or Name, else ""
  const Value* find(std::string_view key) const;       // Dict: value of a text key; the last one wins
  const Value* attribute(std::string_view key) const;  // Object: from its state
  std::string describe() const;                        // "a list", "an object of class SVC", for messages
};

// Owns the values and the bytes they point into.
class Document {
 public:
  explicit Document(std::string bytes) : bytes_(std::move(bytes)) {}
  Document(const Document&) = delete;
  Document& operator=(const Document&) = delete;

  const Value& root() const { return *root_; }
  void setRoot(Value* root) { root_ = root; }
  std::string_view bytes() const { return bytes_; }

  Value* make(Kind kind);
  Array* makeArray();
  Dtype* makeDtype();
  std::string_view keep(std::string text);  // text that is not in the file as it is

 private:
  std::string bytes_;
  std::deque<Value> values_;
  std::deque<Array> arrays_;
  std::deque<Dtype> dtypes_;
  std::deque<std::string> texts_;
  Value none_;
  Value* root_ = &none_;
};

}  // namespace slipway::pickle
