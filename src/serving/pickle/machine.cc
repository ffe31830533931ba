#include "serving/pickle/machine.h"

#include <bit>

namespace slipway::pickle {

Value* Machine::fault(Code code, const std::string& message) {
  if (!error_) error_ = Error{code, fmt::format("byte {}: {}", at_, message)};
  return &none_;
}

Value* Machine::run() {
  while (!stopped_ && !error_) {
    if (at_ >= bytes_.size()) return fault("the file ends in the middle of the pickle (truncated?)");
    if (++budget_.opcodes > limits_.opcodes) {
      return fault(Code::TooLarge, fmt::format("more than {} pickle instructions (limit opcodes)", limits_.opcodes));
    }
    ++steps_;
    step(static_cast<unsigned char>(bytes_[at_++]));
  }
  return error_ ? &none_ : pop();
}

std::string_view Machine::take(std::size_t count) {
  const std::size_t left = bytes_.size() - at_;
  if (count > left) {
    fault(fmt::format("{} bytes announced, {} left in the file (truncated?)", count, left));
    return {};
  }
  const std::string_view piece = bytes_.substr(at_, count);
  at_ += count;
  return piece;
}

std::uint64_t Machine::number(int count) {
  std::uint64_t value = 0;
  const std::string_view piece = take(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < piece.size(); ++i) value |= std::uint64_t{static_cast<unsigned char>(piece[i])} << (8 * i);
  return value;
}

std::string_view Machine::line() {
  const std::size_t end = bytes_.find('\n', at_);
  if (end == std::string_view::npos) {
    fault("a line without an end (truncated?)");
    return {};
  }
  const std::string_view text = bytes_.substr(at_, end - at_);
  at_ = end + 1;
  return text;
}

double Machine::bigEndianDouble() {
  const std::uint64_t little = number(8);
  return std::bit_cast<double>(__builtin_bswap64(little));
}

Value* Machine::longNumber(std::string_view digits) {
  if (digits.size() > 8) {
    Value* big = make(Kind::BigInt);
    big->text = digits;
    return big;
  }
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < digits.size(); ++i) value |= std::uint64_t{static_cast<unsigned char>(digits[i])} << (8 * i);
  const bool negative = !digits.empty() && (digits.back() & 0x80) != 0;
  if (negative && digits.size() < 8) value |= ~std::uint64_t{0} << (8 * digits.size());
  Value* v = make(Kind::Int);
  v->integer = static_cast<std::int64_t>(value);
  return v;
}

// Decimal text of protocol 0: `12`, `12L`, and the booleans `00` and `01`.
Value* Machine::decimal(std::string_view text) {
  if (text == "00" || text == "01") {
    Value* v = make(Kind::Bool);
    v->integer = text == "01" ? 1 : 0;
    return v;
  }
  if (!text.empty() && text.back() == 'L') text.remove_suffix(1);
  Value* v = make(Kind::Int);
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), v->integer);
  if (ec == std::errc::result_out_of_range) {
    v->kind = Kind::BigInt;
    v->text = text;
  } else if (ec != std::errc() || end != text.data() + text.size()) {
    return fault("a number that is not one");
  }
  return v;
}

Value* Machine::make(Kind kind) {
  budget_.bytes += sizeof(Value);
  if (budget_.bytes > limits_.valueBytes) {
    return fault(Code::TooLarge, fmt::format("the values need more than {} bytes (limit valueBytes)", limits_.valueBytes));
  }
  return document_.make(kind);
}

void Machine::push(Value* value) {
  budget_.bytes += sizeof(Value*);
  if (budget_.bytes > limits_.valueBytes) {
    fault(Code::TooLarge, fmt::format("the values need more than {} bytes (limit valueBytes)", limits_.valueBytes));
    return;
  }
  stack_.push_back(value);
}

void Machine::pushText(std::string_view text, Kind kind) {
  Value* v = make(kind);
  if (error_) return;
  v->text = text;
  push(v);
}

void Machine::pushInt(std::int64_t value, Kind kind) {
  Value* v = make(kind);
  if (error_) return;
  v->integer = value;
  push(v);
}

Value* Machine::pop() {
  const std::size_t floor = marks_.empty() ? 0 : marks_.back();
  if (stack_.size() <= floor) return fault("an instruction finds nothing on the stack");
  Value* v = stack_.back();
  stack_.pop_back();
  return v;
}

Value* Machine::top() {
  const std::size_t floor = marks_.empty() ? 0 : marks_.back();
  if (stack_.size() <= floor) return fault("an instruction finds nothing on the stack");
  return stack_.back();
}

std::vector<Value*> Machine::popToMark() {
  if (marks_.empty()) {
    fault("an instruction finds no mark on the stack");
    return {};
  }
  const auto from = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  std::vector<Value*> items(from, stack_.end());
  stack_.erase(from, stack_.end());
  marks_.pop_back();
  return items;
}

void Machine::append(Value* container, Value* item) {
  if (error_) return;
  budget_.bytes += 2 * sizeof(Value*);
  container->items.push_back(item);
}

void Machine::put(std::uint64_t index) {
  // Picklers number their memo in order: an index beyond the instructions run so far only serves to fill memory.
  if (index > steps_) return void(fault(fmt::format("memo number {} out of order", index)));
  if (index >= memo_.size()) {
    budget_.bytes += (index + 1 - memo_.size()) * sizeof(Value*);
    memo_.resize(index + 1, nullptr);
  }
  memo_[index] = top();
}

void Machine::get(std::uint64_t index) {
  if (index >= memo_.size() || memo_[index] == nullptr)
    return void(fault(fmt::format("memo number {} was never set", index)));
  push(memo_[index]);
}

void Machine::collect(Kind kind, std::size_t count) {
  Value* v = make(kind);
  std::vector<Value*> items(count);
  for (std::size_t i = count; i-- > 0;) items[i] = pop();
  if (error_) return;
  budget_.bytes += count * sizeof(Value*);
  v->items = std::move(items);
  push(v);
}

}  // namespace slipway::pickle
