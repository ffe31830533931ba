// The tree of values inside an xgboost model file, read from JSON or UBJSON (big-endian binary JSON, https://ubjson.org, of
// which xgboost writes typed arrays). Lists of numbers are flat arrays; true and false in them are 1 and 0. JSON's NaN,
// Infinity and -Infinity are taken, as xgboost writes them.
//
//   SLIP_TRY(Value root, parseJsonDocument(bytes));
//   SLIP_TRY(const Value* learner, root.object("learner"))
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace slipway::xgboost {

struct Value {
  enum class Kind : std::uint8_t { Null, Bool, Number, Text, Numbers, List, Object };
  Kind kind = Kind::Null;
  double number = 0;                   // Number; Bool as 1 or 0
  std::string text;                    // Text
  std::vector<double> numbers;         // Numbers; the empty list too
  std::vector<Value> items;            // List of anything else
  std::vector<struct Member> members;  // Object

  const Value* find(std::string_view key) const;  // of an Object; null when absent
};

struct Member {
  std::string key;
  Value value;
};

// Errors Invalid: where (byte offset) and what; TooLarge: nesting past 64, more than kMaxValues values outside flat lists.
inline constexpr std::size_t kMaxValues = 5'000'000;
Result<Value> parseJsonDocument(std::string_view bytes);
Result<Value> parseUbjDocument(std::string_view bytes);

// A place in a document, for errors that name it: "learner.gradient_booster.model.trees[3]".
class Place {
 public:
  Place(const Value& value, std::string path) : value_(&value), path_(std::move(path)) {}

  const Value& value() const { return *value_; }
  bool has(std::string_view key) const { return value_->find(key) != nullptr; }
  Result<Place> at(std::string_view key) const;  // Invalid when missing
  Result<Place> item(std::size_t index) const;   // of a list of objects
  Result<std::string> text(std::string_view key) const;
  Result<std::string> textOr(std::string_view key, std::string fallback) const;
  // xgboost writes parameters as texts: "num_feature": "30". Plain numbers are taken too.
  Result<std::int64_t> integer(std::string_view key) const;
  Result<std::int64_t> integerOr(std::string_view key, std::int64_t fallback) const;
  Result<const std::vector<double>*> numbers(std::string_view key) const;
  tl::unexpected<Error> bad(std::string_view what) const;
  tl::unexpected<Error> bad(std::string_view key, std::string_view what) const;

 private:
  const Value* value_;
  std::string path_;
};

}  // namespace slipway::xgboost
