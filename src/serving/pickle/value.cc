#include "serving/pickle/value.h"

#include "serving/pickle/class_list.h"

namespace slipway::pickle {

const Field* Dtype::field(std::string_view wanted) const {
  for (const Field& f : fields) {
    if (f.name == wanted) return &f;
  }
  return nullptr;
}

std::string Dtype::name() const {
  const std::string bits = std::to_string(itemSize * 8);
  switch (kind) {
    case 'f': return "float" + bits;
    case 'i': return "int" + bits;
    case 'u': return "uint" + bits;
    case 'b': return "bool";
    case 'O': return "object";
    case 'U': return "<U" + std::to_string(itemSize / 4);
    case 'S': return "S" + std::to_string(itemSize);
    default: return fields.empty() ? std::string("dtype '") + kind + "'" : "a record";
  }
}

std::size_t Array::position(std::size_t i) const {
  if (!fortran || shape.size() < 2) return i;
  std::size_t place = 0;
  std::size_t rest = size;
  std::size_t stride = 1;
  for (const std::size_t extent : shape) {
    rest /= extent;
    place += (i / rest) % extent * stride;
    stride *= extent;
  }
  return place;
}

std::string_view Value::className() const { return name != nullptr ? name->name : std::string_view(); }

const Value* Value::find(std::string_view key) const {
  if (kind != Kind::Dict) return nullptr;
  for (std::size_t i = items.size(); i >= 2; i -= 2) {
    const Value* k = items[i - 2];
    if ((k->kind == Kind::Text || k->kind == Kind::Bytes) && k->text == key) return items[i - 1];
  }
  return nullptr;
}

const Value* Value::attribute(std::string_view key) const {
  if (kind != Kind::Object || state == nullptr) return nullptr;
  if (state->kind == Kind::Dict) return state->find(key);
  // Classes with __slots__ write (dict or None, dict).
  if (state->kind == Kind::Tuple && state->items.size() == 2) {
    if (const Value* v = state->items[1]->find(key)) return v;
    return state->items[0]->find(key);
  }
  return nullptr;
}

std::string Value::describe() const {
  switch (kind) {
    case Kind::None: return "None";
    case Kind::Bool: return "a bool";
    case Kind::Int:
    case Kind::BigInt: return "an int";
    case Kind::Float: return "a float";
    case Kind::Text: return "a str";
    case Kind::Bytes: return "bytes";
    case Kind::List: return "a list";
    case Kind::Tuple: return "a tuple";
    case Kind::Dict: return "a dict";
    case Kind::Set: return "a set";
    case Kind::Name: return "the class " + std::string(className());
    case Kind::Object: return "an object of class " + std::string(className());
    case Kind::Dtype: return "a numpy dtype";
    case Kind::Array: return "a numpy array of " + array->type.name();
  }
  return "a value";
}

Value* Document::make(Kind kind) {
  Value& v = values_.emplace_back();
  v.kind = kind;
  return &v;
}
Array* Document::makeArray() { return &arrays_.emplace_back(); }
Dtype* Document::makeDtype() { return &dtypes_.emplace_back(); }
std::string_view Document::keep(std::string text) { return texts_.emplace_back(std::move(text)); }

}  // namespace slipway::pickle
