#include "serving/engines/xgboost/document.h"

#include <charconv>
#include <cmath>

namespace slipway::xgboost {

const Value* Value::find(std::string_view key) const {
  for (const auto& [name, value] : members)
    if (name == key) return &value;
  return nullptr;
}

tl::unexpected<Error> Place::bad(std::string_view what) const {
  return fail(Code::Invalid, fmt::format("{}: {}", path_.empty() ? "the document" : path_, what));
}

tl::unexpected<Error> Place::bad(std::string_view key, std::string_view what) const {
  return fail(Code::Invalid, fmt::format("{}{}{}: {}", path_, path_.empty() ? "" : ".", key, what));
}

Result<Place> Place::at(std::string_view key) const {
  const Value* found = value_->find(key);
  if (found == nullptr) return bad(key, "missing");
  return Place(*found, fmt::format("{}{}{}", path_, path_.empty() ? "" : ".", key));
}

Result<Place> Place::item(std::size_t index) const {
  if (value_->kind != Value::Kind::List || index >= value_->items.size()) return bad("a longer list is expected");
  return Place(value_->items[index], fmt::format("{}[{}]", path_, index));
}

Result<std::string> Place::text(std::string_view key) const {
  const Value* found = value_->find(key);
  if (found == nullptr || found->kind != Value::Kind::Text) return bad(key, "a text is expected");
  return found->text;
}

Result<std::string> Place::textOr(std::string_view key, std::string fallback) const {
  if (!has(key)) return fallback;
  return text(key);
}

Result<std::int64_t> Place::integer(std::string_view key) const {
  const Value* found = value_->find(key);
  if (found == nullptr) return bad(key, "missing");
  if (found->kind == Value::Kind::Number && std::abs(found->number) < 9e15) return static_cast<std::int64_t>(found->number);
  std::int64_t out = 0;
  const std::string& text = found->text;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (found->kind != Value::Kind::Text || error != std::errc() || end != text.data() + text.size())
    return bad(key, "a whole number is expected");
  return out;
}

Result<std::int64_t> Place::integerOr(std::string_view key, std::int64_t fallback) const {
  if (!has(key)) return fallback;
  return integer(key);
}

Result<const std::vector<double>*> Place::numbers(std::string_view key) const {
  const Value* found = value_->find(key);
  if (found == nullptr || found->kind != Value::Kind::Numbers) return bad(key, "a list of numbers is expected");
  return &found->numbers;
}

}  // namespace slipway::xgboost
