// numpy's dtypes, arrays and scalars, and the arrays that joblib writes into the stream.
#include "serving/pickle/machine.h"
#include "serving/pickle/numpy_values.h"

namespace slipway::pickle {

namespace {
constexpr std::size_t kMostDimensions = 32;
constexpr std::size_t kLargestItem = 1 << 20;

const Value* item(const Value* sequence, std::size_t index) {
  static const Value none{};
  return sequence != nullptr && index < sequence->items.size() ? sequence->items[index] : &none;
}
}  // namespace

// numpy.dtype('f8', align, copy): kind, then bytes per element (characters for U).
Value* Machine::dtypeOf(const Value* args) {
  const Value* code = item(args, 0);
  if (code->is(Kind::Name)) {  // numpy.dtype(numpy.float64)
    Value* v = make(Kind::Dtype);
    if (error_) return v;
    v->dtype = document_.makeDtype();
    return v;
  }
  if (!code->is(Kind::Text)) return fault("a dtype made of " + code->describe());
  std::string_view text = code->text;
  bool big = false;
  if (!text.empty() && std::string_view("<>|=").find(text[0]) != std::string_view::npos) {
    big = text[0] == '>';
    text.remove_prefix(1);
  }
  if (text.empty() || std::string_view("fiubUSOVMmc").find(text[0]) == std::string_view::npos) {
    return fault("numpy dtype '" + std::string(code->text.substr(0, 20)) + "', which this server does not read");
  }
  std::size_t size = 0;
  const std::string_view digits = text.substr(1);
  std::from_chars(digits.data(), digits.data() + digits.size(), size);
  if (size > kLargestItem) return fault("a numpy element of over 1 MiB");
  Value* v = make(Kind::Dtype);
  if (error_) return v;
  budget_.bytes += sizeof(Dtype);
  v->dtype = document_.makeDtype();
  *v->dtype = {text[0], big, text[0] == 'U' ? size * 4 : size, {}};
  return v;
}

// (version, byte order, subdtype, names, fields, item size, alignment, flags[, metadata])
void Machine::buildDtype(Value* target, const Value* state) {
  Dtype& type = *target->dtype;
  type.fields.clear();
  const Value* order = item(state, 1);
  if (order->text == ">") type.bigEndian = true;
  if (order->text == "<") type.bigEndian = false;
  const Value* size = item(state, 5);
  if (size->is(Kind::Int) && size->integer > 0) {
    if (static_cast<std::uint64_t>(size->integer) > kLargestItem) return void(fault("a numpy element of over 1 MiB"));
    type.itemSize = static_cast<std::size_t>(size->integer);
  }
  if (!item(state, 2)->isNone()) return void(fault("a numpy dtype with a sub-array, which this server does not read"));
  const Value* names = item(state, 3);
  if (names->isNone()) return;
  const Value* fields = item(state, 4);
  for (const Value* name : names->items) {
    const Value* entry = fields->find(name->text);
    const Value* at = item(entry, 1);
    if (!item(entry, 0)->is(Kind::Dtype) || !at->is(Kind::Int) || at->integer < 0)
      return void(fault("a damaged record dtype"));
    const Dtype& inner = *item(entry, 0)->dtype;
    const auto offset = static_cast<std::size_t>(at->integer);
    if (!inner.fields.empty() || offset > type.itemSize || inner.itemSize > type.itemSize - offset) {
      return void(fault("a record dtype whose field '" + std::string(name->text.substr(0, 40)) + "' lies outside it"));
    }
    budget_.bytes += sizeof(Field) + name->text.size();
    type.fields.push_back({std::string(name->text), offset, inner});
  }
}

Value* Machine::reconstruct() {
  Value* v = make(Kind::Array);
  if (error_) return v;
  budget_.bytes += sizeof(Array);
  v->array = document_.makeArray();
  v->array->size = 0;
  v->array->shape = {0};
  return v;
}

bool Machine::setShape(Array& array, const Value* shape) {
  std::vector<std::size_t> extents;
  std::size_t size = 1;
  if (!shape->is(Kind::Tuple) && !shape->is(Kind::Int)) return fault("an array without a shape"), false;
  if (shape->items.size() > kMostDimensions) return fault("an array of too many dimensions"), false;
  const auto add = [&](const Value* v) {
    if (!v->is(Kind::Int) || v->integer < 0) return false;
    extents.push_back(static_cast<std::size_t>(v->integer));
    return !__builtin_mul_overflow(size, extents.back(), &size);
  };
  if (shape->is(Kind::Int) && !add(shape)) return fault("an impossible array shape"), false;
  for (const Value* v : shape->items) {
    if (!add(v)) return fault("an impossible array shape"), false;
  }
  array.shape = std::move(extents);
  array.size = size;
  return true;
}

void Machine::setData(Array& array, std::string_view data) {
  std::size_t need = 0;
  if (__builtin_mul_overflow(array.size, array.type.itemSize, &need) || need != data.size()) {
    array.size = 0;
    array.shape = {0};
    return void(
        fault(fmt::format("an array of {} bytes whose shape and dtype ({}) do not fit", data.size(), array.type.name())));
  }
  array.data = data;
}

// (version, shape, dtype, is_fortran, bytes or list); old pickles leave out the version.
void Machine::buildArray(Value* target, Value* state) {
  const std::size_t first = state->items.size() == 4 ? 0 : 1;
  Array array;
  const Value* type = item(state, first + 1);
  const Value* data = item(state, first + 3);
  if (!type->is(Kind::Dtype)) return void(fault("an array without a dtype"));
  array.type = *type->dtype;
  array.fortran = item(state, first + 2)->integer != 0 && !item(state, first + 2)->isNone();
  if (!setShape(array, item(state, first))) return;
  if (array.type.kind == 'O') {
    if (!data->is(Kind::List) || data->items.size() != array.size)
      return void(fault("an object array whose list does not fit"));
    budget_.bytes += data->items.size() * sizeof(Value*);
    array.objects = data->items;
  } else {
    if (!data->is(Kind::Bytes) && !data->is(Kind::Text)) return void(fault("an array without its bytes"));
    setData(array, data->text);
  }
  if (!error_) *target->array = std::move(array);
}

// _frombuffer(bytes, dtype, shape, order)
Value* Machine::fromBuffer(const Value* args) {
  Value* v = reconstruct();
  const Value* data = item(args, 0);
  const Value* type = item(args, 1);
  if (error_) return v;
  if (!data->is(Kind::Bytes) || !type->is(Kind::Dtype) || type->dtype->kind == 'O') return fault("a damaged array");
  Array array;
  array.type = *type->dtype;
  array.fortran = item(args, 3)->text == "F";
  if (!setShape(array, item(args, 2))) return v;
  setData(array, data->text);
  if (!error_) *v->array = std::move(array);
  return v;
}

Value* Machine::scalar(const Value* args) {
  const Value* type = item(args, 0);
  const Value* data = item(args, 1);
  if (!type->is(Kind::Dtype)) return fault("a numpy scalar without a dtype");
  if (type->dtype->kind == 'O') return args->items.size() > 1 ? args->items[1] : fault("a numpy scalar without a value");
  if (data->text.size() != type->dtype->itemSize) return fault("a numpy scalar of the wrong size");
  Value* v = make(Kind::None);
  if (error_) return v;
  switch (type->dtype->kind) {
    case 'f':
      v->kind = Kind::Float;
      v->real = realAt(data->text.data(), *type->dtype);
      break;
    case 'i':
    case 'u':
    case 'b':
      v->kind = type->dtype->kind == 'b' ? Kind::Bool : Kind::Int;
      v->integer = integerAt(data->text.data(), *type->dtype);
      break;
    case 'U':
    case 'S':
      v->kind = Kind::Text;
      v->text = document_.keep(textAt(data->text.data(), *type->dtype));
      budget_.bytes += v->text.size() + sizeof(std::string);
      break;
    default: v->kind = Kind::Bytes; v->text = data->text;  // dates and records: kept, not understood
  }
  return v;
}

// joblib writes a wrapper object and, right after the BUILD, the array: an object array as a pickle of its own, any other as
// raw bytes, preceded (joblib >= 1.2) by one byte N and N bytes that align them.
void Machine::readWrapped(Value* wrapper) {
  const Value* type = wrapper->attribute("dtype");
  const Value* shape = wrapper->attribute("shape");
  if (type == nullptr || !type->is(Kind::Dtype) || shape == nullptr) return void(fault("a damaged joblib array"));
  if (type->dtype->kind == 'O') {
    if (--budget_.pickles < 0) return void(fault(Code::TooLarge, "pickles nested too deeply inside each other"));
    Machine inner(document_, classes_, limits_, budget_, at_);
    Value* value = inner.run();
    ++budget_.pickles;
    at_ = inner.position();
    if (inner.error()) {
      error_ = inner.error();
      return;
    }
    *wrapper = Value(*value);
    return;
  }
  Array array;
  array.type = *type->dtype;
  const Value* order = wrapper->attribute("order");
  array.fortran = order != nullptr && order->text == "F";
  const Value* alignment = wrapper->attribute("numpy_array_alignment_bytes");
  if (!setShape(array, shape)) return;
  if (alignment != nullptr && !alignment->isNone()) take(number(1));
  std::size_t need = 0;
  if (__builtin_mul_overflow(array.size, array.type.itemSize, &need)) return void(fault("an impossible array shape"));
  setData(array, take(need));
  if (error_) return;
  budget_.bytes += sizeof(Array);
  Array* kept = document_.makeArray();
  *kept = std::move(array);
  wrapper->kind = Kind::Array;
  wrapper->name = nullptr;
  wrapper->args = nullptr;
  wrapper->array = kept;
}

}  // namespace slipway::pickle
