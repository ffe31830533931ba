#include "protocol/json_reader.h"

#include <cmath>
#include <limits>

namespace slipway::protocol::detail {
namespace {
constexpr std::size_t kMaxRank = 32;         // numpy's own limit
constexpr std::size_t kKeepBytes = 1 << 20;  // buffers of larger bodies are freed after use

std::string_view reasonOf(simdjson::error_code code) {
  switch (code) {
    case simdjson::EMPTY: return "the body is empty";
    case simdjson::UTF8_ERROR: return "the body is not UTF-8";
    case simdjson::UNCLOSED_STRING: return "a string is not closed";
    case simdjson::UNESCAPED_CHARS: return "a string holds an unescaped control character";
    case simdjson::STRING_ERROR: return "malformed string";
    case simdjson::NUMBER_ERROR: return "malformed number";
    case simdjson::INCOMPLETE_ARRAY_OR_OBJECT: return "a list or object is not closed";
    case simdjson::DEPTH_ERROR: return "nested too deep";
    case simdjson::INCORRECT_TYPE: return "expected another kind of value";
    case simdjson::MEMALLOC: return "out of memory";
    default: return "missing or misplaced comma, bracket, quote or value";
  }
}
}  // namespace

Result<ondemand::document*> JsonText::open(std::string_view body) {
  scratch_.reserve(body.size() + simdjson::SIMDJSON_PADDING);
  scratch_.assign(body);
  return start(scratch_, scratch_.capacity());
}

Result<ondemand::document*> JsonText::openPart(std::string_view part) {
  return start(part, part.size() + simdjson::SIMDJSON_PADDING);
}

Result<ondemand::document*> JsonText::start(std::string_view padded, std::size_t capacity) {
  text_ = padded;
  open_ = false;
  const auto error = parser_.iterate(padded.data(), padded.size(), capacity).get(document_);
  open_ = error == simdjson::SUCCESS;
  if (error != simdjson::SUCCESS) return fail(syntax(error));
  return &document_;
}

void JsonText::release() {
  if (scratch_.capacity() <= kKeepBytes && parser_.capacity() <= kKeepBytes) return;
  open_ = false;
  document_ = ondemand::document();
  parser_ = ondemand::parser();
  scratch_ = std::string();
}

bool JsonText::atEnd() {
  const char* at = nullptr;
  return document_.current_location().get(at) == simdjson::OUT_OF_BOUNDS;
}

Error JsonText::syntax(simdjson::error_code code) {
  std::string message = fmt::format("Unrecognized request format: {}", reasonOf(code));
  const char* at = nullptr;
  if (open_ && document_.current_location().get(at) == simdjson::SUCCESS && at >= text_.data() &&
      at <= text_.data() + text_.size()) {
    text_ = text_.substr(0, static_cast<std::size_t>(at - text_.data()));
  }
  if (code != simdjson::EMPTY && code != simdjson::UTF8_ERROR) {  // an open end is told by where the text ends
    const std::string_view before = text_;
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const std::size_t lineStart = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
    message += fmt::format(": line {} column {} (char {})", line, before.size() - lineStart + 1, before.size());
  }
  return Error{Code::BadRequest, std::move(message), {}};
}

std::string ListReader::where() const {
  return fmt::format("element {}", tensor_.type == DataType::Bytes ? tensor_.texts.size() : tensor_.elements());
}

bool ListReader::refuse(std::string message) {
  error_ = Error{Code::BadRequest, std::move(message), {}};
  return false;
}

bool ListReader::syntax(simdjson::error_code code) {
  error_ = text_.syntax(code);
  return false;
}

bool ListReader::wrongElement(ondemand::value v, std::string_view expected) {
  const std::string_view token = v.raw_json_token();
  const char c = token.empty() ? ' ' : token[0];
  if (c == 'N' || c == 'I' || token.starts_with("-I"))
    return refuse(where() +
                  " is NaN or Infinity, which JSON cannot carry: send null for NaN, or use the binary tensor extension");
  std::string_view got;
  if (c == '{')
    got = "an object";
  else if (c == '"')
    got = "a string";
  else if (c == 't' || c == 'f' || c == 'n')
    got = "a literal";
  else if (c == '-' || (c >= '0' && c <= '9'))
    got = "a number";
  else
    return syntax(simdjson::TAPE_ERROR);
  const std::string shown =
      c == '{' || token.size() > 40 ? "" : fmt::format(" ({})", token.substr(0, token.find_last_not_of(" \t\r\n") + 1));
  return refuse(fmt::format("{} is {}{}, expected {}", where(), got, shown, expected));
}

template <class T>
bool ListReader::realLeaf(ondemand::value v) {
  double number = 0;
  if (v.get_double().get(number) != simdjson::SUCCESS) {
    if (v.raw_json_token().starts_with("null")) {  // how NaN travels in JSON, in both directions
      if (v.is_null()) {
        tensor_.data.push(std::numeric_limits<T>::quiet_NaN());
        return true;
      }
    }
    bool truth = false;
    if (infer_ && v.get_bool().get(truth) == simdjson::SUCCESS) {
      tensor_.data.push(static_cast<T>(truth ? 1 : 0));
      return true;
    }
    return wrongElement(v, "a finite number");
  }
  if constexpr (sizeof(T) == 4) {
    if (std::fabs(number) > std::numeric_limits<float>::max())
      return refuse(fmt::format("{} is {}, out of range for FP32: send datatype FP64", where(), number));
  }
  tensor_.data.push(static_cast<T>(number));
  return true;
}

template <class T>
bool ListReader::integerLeaf(ondemand::value v) {
  using Limits = std::numeric_limits<T>;
  const auto store = [&](auto number) {
    if (!std::in_range<T>(number))
      return refuse(fmt::format("{} is {}, out of range for {} ({} to {})", where(), number, dataTypeName(tensor_.type),
                                Limits::min() + 0, Limits::max() + 0));
    tensor_.data.push(static_cast<T>(number));
    return true;
  };
  ondemand::number number;
  if (v.get_number().get(number) != simdjson::SUCCESS)
    return wrongElement(v, fmt::format("an integer that fits {}", dataTypeName(tensor_.type)));
  if (number.is_int64()) return store(number.get_int64());
  if (number.is_uint64()) return store(number.get_uint64());
  const double real = number.get_double();
  if (real != std::floor(real) || std::fabs(real) >= 9.2e18)
    return refuse(fmt::format("{} is {}, not an integer that fits {}: send datatype FP32 or FP64", where(), real,
                              dataTypeName(tensor_.type)));
  return store(static_cast<std::int64_t>(real));
}

bool ListReader::boolLeaf(ondemand::value v) {
  bool truth = false;
  if (v.get_bool().get(truth) != simdjson::SUCCESS) {
    std::int64_t number = -1;
    if (v.get_int64().get(number) != simdjson::SUCCESS || number < 0 || number > 1)
      return wrongElement(v, "true, false, 0 or 1");
    truth = number == 1;
  }
  tensor_.data.push(static_cast<std::uint8_t>(truth ? 1 : 0));
  return true;
}

bool ListReader::textLeaf(ondemand::value v) {
  std::string_view text;
  if (v.get_string().get(text) != simdjson::SUCCESS)
    return wrongElement(v, infer_ ? "a string like the elements before it" : "a string");
  tensor_.texts.emplace_back(text);
  return true;
}

bool ListReader::inferLeaf(ondemand::value v) {
  if (!typeKnown_) {
    typeKnown_ = true;
    tensor_.type = v.raw_json_token().starts_with('"') ? DataType::Bytes : DataType::Fp64;
  }
  return tensor_.type == DataType::Bytes ? textLeaf(v) : realLeaf<double>(v);
}

bool ListReader::closeList(std::size_t depth, std::int64_t count) {
  if (shape_.size() <= depth) shape_.resize(depth + 1, -1);
  if (shape_[depth] == -1) shape_[depth] = count;
  if (shape_[depth] == count) return true;
  return refuse(fmt::format("lists differ in length at depth {}: {} and {} elements; every row needs the same number",
                            depth + 1, shape_[depth], count));
}

template <class Leaf>
bool ListReader::walk(ondemand::array list, std::size_t depth, Leaf leaf) {
  if (depth >= kMaxRank) return refuse(fmt::format("nested deeper than {} levels", kMaxRank));
  std::int64_t count = 0;
  for (auto element : list) {
    ondemand::value v;
    if (const auto error = element.get(v)) return syntax(error);
    ++count;
    if (v.raw_json_token().starts_with('[')) {
      ondemand::array inner;
      if (const auto error = v.get_array().get(inner)) return syntax(error);
      if (!walk(inner, depth + 1, leaf)) return false;
      continue;
    }
    if (rank_ == 0) rank_ = depth + 1;
    if (rank_ != depth + 1)
      return refuse(
          fmt::format("{} stands at depth {}, others at depth {}: lists and values are mixed", where(), depth + 1, rank_));
    if (!leaf(v)) return false;
  }
  return closeList(depth, count);
}

Status ListReader::read(ondemand::array list) {
  const auto run = [&]() -> bool {
    if (infer_) return walk(list, 0, [this](ondemand::value v) { return inferLeaf(v); });
    switch (tensor_.type) {
      case DataType::Bool: return walk(list, 0, [this](ondemand::value v) { return boolLeaf(v); });
      case DataType::Uint8: return walk(list, 0, [this](ondemand::value v) { return integerLeaf<std::uint8_t>(v); });
      case DataType::Uint16: return walk(list, 0, [this](ondemand::value v) { return integerLeaf<std::uint16_t>(v); });
      case DataType::Uint32: return walk(list, 0, [this](ondemand::value v) { return integerLeaf<std::uint32_t>(v); });
      case DataType::Uint64: return walk(list, 0, [this](ondemand::value v) { return integerLeaf<std::uint64_t>(v); });
      case DataType::Int8: return walk(list, 0, [this](ondemand::value v) { return integerLeaf<std::int8_t>(v); });
      case DataType::Int16: return walk(list, 0, [this](ondemand::value v) { return integerLeaf<std::int16_t>(v); });
      case DataType::Int32: return walk(list, 0, [this](ondemand::value v) { return integerLeaf<std::int32_t>(v); });
      case DataType::Int64: return walk(list, 0, [this](ondemand::value v) { return integerLeaf<std::int64_t>(v); });
      case DataType::Fp16:
        return refuse("datatype FP16 has no JSON form: send it with the binary tensor extension, or as FP32");
      case DataType::Fp32: return walk(list, 0, [this](ondemand::value v) { return realLeaf<float>(v); });
      case DataType::Fp64: return walk(list, 0, [this](ondemand::value v) { return realLeaf<double>(v); });
      case DataType::Bytes: return walk(list, 0, [this](ondemand::value v) { return textLeaf(v); });
    }
    return refuse("unknown datatype");
  };
  if (!run()) return fail(std::move(error_));
  if (rank_ != 0 && shape_.size() != rank_)
    return fail(Code::BadRequest, "lists and values are mixed at one depth; every row needs the same form");
  return {};
}

}  // namespace slipway::protocol::detail
