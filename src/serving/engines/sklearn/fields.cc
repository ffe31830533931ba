#include "serving/engines/sklearn/fields.h"

#include "serving/pickle/numpy_values.h"

namespace slipway::sklearn {

using pickle::Kind;
using pickle::Value;

const Value* Fields::find(std::string_view name) const {
  const Value* v = object_.attribute(name);
  return v == nullptr || v->isNone() ? nullptr : v;
}
const Value* Fields::find(std::string_view name, std::string_view older) const {
  const Value* v = find(name);
  return v != nullptr ? v : find(older);
}

tl::unexpected<Error> Fields::bad(std::string_view name, const std::string& why) const {
  return fail(Code::Invalid, fmt::format("{}: {}: {}", place_, name, why));
}
tl::unexpected<Error> Fields::unsupported(const std::string& what) const {
  return fail(Code::Unimplemented, fmt::format("{}: {} is not supported by this server", place_, what));
}

Status Fields::charge(std::size_t bytes) const {
  if (bytes > allowance_.bytes) {
    return fail(Code::TooLarge, place_ + ": the model needs more memory than allowed (limit modelBytes)");
  }
  allowance_.bytes -= bytes;
  return {};
}

namespace {
// Memory for what is made of a value: its numbers as doubles, and those of the arrays in it if it is a list of arrays.
std::size_t costOf(const Value& v) {
  if (v.is(Kind::Array)) return v.array->size * sizeof(double) + v.array->data.size();
  std::size_t sum = 64 * v.items.size();
  for (const Value* item : v.items) {
    if (item->is(Kind::Array)) sum += costOf(*item);
  }
  return sum;
}
}  // namespace

Result<const Value*> Fields::get(std::string_view name) const {
  const Value* v = find(name);
  if (v == nullptr) return bad(name, "missing (was the model fitted before it was saved?)");
  SLIP_CHECK(charge(costOf(*v)));
  return v;
}

Result<const pickle::Array*> Fields::array(std::string_view name) const {
  SLIP_TRY(const Value* v, get(name));
  if (!v->is(Kind::Array)) return bad(name, "a numpy array is expected, found " + v->describe());
  return v->array;
}

Result<double> Fields::number(std::string_view name) const {
  SLIP_TRY(const Value* v, get(name));
  if (v->is(Kind::Float)) return v->real;
  if (v->is(Kind::Int) || v->is(Kind::Bool)) return static_cast<double>(v->integer);
  if (v->is(Kind::Array) && v->array->size == 1) {
    auto one = pickle::reals(*v->array);
    if (one) return one->front();
  }
  return bad(name, "a number is expected, found " + v->describe());
}

double Fields::numberOr(std::string_view name, double fallback) const {
  const auto n = number(name);
  return n ? *n : fallback;
}
std::int64_t Fields::integerOr(std::string_view name, std::int64_t fallback) const {
  const Value* v = find(name);
  return v != nullptr && (v->is(Kind::Int) || v->is(Kind::Bool)) ? v->integer : fallback;
}
bool Fields::flag(std::string_view name, bool fallback) const { return integerOr(name, fallback ? 1 : 0) != 0; }

std::string Fields::textOr(std::string_view name, std::string fallback) const {
  const Value* v = find(name);
  return v != nullptr && v->is(Kind::Text) ? std::string(v->text) : fallback;
}

Result<std::vector<double>> Fields::vector(std::string_view name) const {
  SLIP_TRY(const Value* v, get(name));
  if (v->is(Kind::Float)) return std::vector<double>{v->real};
  if (v->is(Kind::Int)) return std::vector<double>{static_cast<double>(v->integer)};
  SLIP_TRY(const pickle::Array* a, array(name));
  auto numbers = pickle::reals(*a);
  if (!numbers) return bad(name, numbers.error().message);
  return std::move(*numbers);
}

Result<std::vector<double>> Fields::vector(std::string_view name, std::size_t size) const {
  SLIP_TRY(auto numbers, vector(name));
  if (numbers.size() != size) return bad(name, fmt::format("{} numbers are expected, found {}", size, numbers.size()));
  return numbers;
}

Result<Matrix> matrixOf(const pickle::Array& array) {
  if (array.shape.size() > 2) return fail(Code::Invalid, "an array of more than two dimensions");
  SLIP_TRY(auto numbers, pickle::reals(array));
  const bool flat = array.shape.size() < 2;
  return Matrix{std::move(numbers), flat ? 1 : array.shape[0], flat ? array.dim(0) : array.shape[1]};
}

Result<Matrix> Fields::matrix(std::string_view name) const {
  SLIP_TRY(const pickle::Array* a, array(name));
  auto m = matrixOf(*a);
  if (!m) return bad(name, m.error().message);
  return std::move(*m);
}

Result<Labels> Fields::labels(std::string_view name) const {
  SLIP_TRY(const Value* v, get(name));
  auto labels = labelsOf(*v);
  if (!labels) return bad(name, labels.error().message);
  return std::move(*labels);
}

namespace {

LabelType integerType(const pickle::Dtype& type) {
  const int step = type.itemSize == 1 ? 0 : type.itemSize == 2 ? 1 : type.itemSize == 4 ? 2 : 3;
  return static_cast<LabelType>(static_cast<int>(type.kind == 'i' ? LabelType::Int8 : LabelType::UInt8) + step);
}

Result<Labels> objectLabels(const std::vector<Value*>& items) {
  Labels out;
  const Kind kind = items.empty() ? Kind::Text : items[0]->kind;
  out.type = kind == Kind::Text   ? LabelType::Text
             : kind == Kind::Bool ? LabelType::Bool
             : kind == Kind::Int  ? LabelType::Int64
                                  : LabelType::Float64;
  for (const Value* v : items) {
    if (v->kind != kind) return fail(Code::Invalid, "labels of more than one type");
    switch (kind) {
      case Kind::Text: out.texts.emplace_back(v->text); break;
      case Kind::Bool:
      case Kind::Int: out.integers.push_back(v->integer); break;
      case Kind::Float: out.reals.push_back(v->real); break;
      default: return fail(Code::Invalid, "labels must be texts, numbers or booleans, found " + v->describe());
    }
  }
  return out;
}

}  // namespace

Result<Labels> labelsOf(const Value& value) {
  if (value.is(Kind::List) || value.is(Kind::Tuple)) return objectLabels(value.items);
  if (!value.is(Kind::Array)) return fail(Code::Invalid, "an array of labels is expected, found " + value.describe());
  const pickle::Array& array = *value.array;
  if (array.shape.size() > 1) return fail(Code::Invalid, "labels in more than one dimension");
  Labels out;
  switch (array.type.kind) {
    case 'O': return objectLabels(array.objects);
    case 'U':
    case 'S': {
      out.type = LabelType::Text;
      SLIP_TRY(out.texts, pickle::texts(array));
      return out;
    }
    case 'f': {
      out.type = array.type.itemSize == 4 ? LabelType::Float32 : LabelType::Float64;
      SLIP_TRY(out.reals, pickle::reals(array));
      return out;
    }
    default: {
      out.type = array.type.kind == 'b' ? LabelType::Bool : integerType(array.type);
      SLIP_TRY(out.integers, pickle::integers(array));
      return out;
    }
  }
}

}  // namespace slipway::sklearn
