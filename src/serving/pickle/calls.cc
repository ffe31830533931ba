// What a pickle may "call": each known name makes one plain value. Nothing here reaches outside the Document.
#include "serving/pickle/machine.h"

namespace slipway::pickle {

namespace {
// A name from a hostile file goes into a log line: keep it short and printable.
std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 120)) out += c >= 0x20 && c < 0x7f ? c : '?';
  return out;
}
}  // namespace

void Machine::global(std::string_view module, std::string_view name) {
  if (error_) return;
  const KnownName* known = classes_.find(module, name);
  if (known == nullptr) {
    // No byte position: the line names the class, which is all a user can act on.
    error_ =
        Error{Code::Forbidden, fmt::format("class \"{}.{}\" is not in the list of classes this server reads ({}): the file "
                                           "was not executed",
                                           printable(module), printable(name), classes_.description())};
    return;
  }
  Value* v = make(Kind::Name);
  if (error_) return;
  v->name = known;
  push(v);
}

Value* Machine::call(Value* callee, Value* args) {
  if (!callee->is(Kind::Name)) return fault("a call of " + callee->describe() + ", which is not a class");
  if (!args->is(Kind::Tuple)) return fault("a call whose arguments are " + args->describe());
  switch (callee->name->role) {
    case Role::Record:
    case Role::ArrayWrapper: return makeObject(callee, args);
    case Role::NewObject: return newObject(args);
    case Role::PyxUnpickle: return pyxUnpickle(args);
    case Role::Dict: return dictOf(args);
    case Role::List: return sequenceOf(Kind::List, args);
    case Role::Tuple: return sequenceOf(Kind::Tuple, args);
    case Role::Set: return sequenceOf(Kind::Set, args);
    case Role::Bytes: return bytesOf(args);
    case Role::Dtype: return dtypeOf(args);
    case Role::Reconstruct: return reconstruct();
    case Role::FromBuffer: return fromBuffer(args);
    case Role::Scalar: return scalar(args);
  }
  return fault("a call that is not understood");
}

Value* Machine::makeObject(const Value* cls, Value* args) {
  if (!cls->is(Kind::Name)) return fault("an object whose class is " + cls->describe());
  if (cls->name->role == Role::Dict) return dictOf(args);
  Value* v = make(Kind::Object);
  if (error_) return v;
  v->name = cls->name;
  v->args = args;
  return v;
}

Value* Machine::newObject(const Value* args) {
  if (args->items.empty()) return fault("a constructor without its class");
  return makeObject(args->items[0], nullptr);
}

Value* Machine::pyxUnpickle(const Value* args) {
  Value* v = newObject(args);
  if (!error_ && args->items.size() >= 3 && !args->items[2]->isNone()) v->state = args->items[2];
  return v;
}

Value* Machine::sequenceOf(Kind kind, const Value* args) {
  Value* v = make(kind);
  if (error_ || args->items.empty()) return v;
  const Value* from = args->items[0];
  if (from->is(Kind::Dict) || (from->items.empty() && from->is(Kind::Text)))
    return fault("a sequence made of " + from->describe());
  for (Value* item : from->items) append(v, item);
  return v;
}

Value* Machine::dictOf(const Value* args) {
  Value* v = make(Kind::Dict);
  if (error_ || args == nullptr || args->items.empty()) return v;
  const Value* from = args->items[0];
  if (from->is(Kind::Dict)) {
    for (Value* item : from->items) append(v, item);
    return v;
  }
  for (const Value* pair : from->items) {
    if (pair->items.size() != 2) return fault("a dict made of something else than pairs");
    append(v, pair->items[0]);
    append(v, pair->items[1]);
  }
  return v;
}

// bytes(b''), bytearray(b''), bytearray('text', 'latin-1') and _codecs.encode('text', 'latin1'), as protocols 0 to 2 write
// bytes.
Value* Machine::bytesOf(const Value* args) {
  Value* v = make(Kind::Bytes);
  if (error_ || args->items.empty()) return v;
  const Value* from = args->items[0];
  if (!from->is(Kind::Text) && !from->is(Kind::Bytes)) return fault("bytes made of " + from->describe());
  if (from->is(Kind::Bytes) || args->items.size() < 2) {
    v->text = from->text;
    return v;
  }
  const std::string_view encoding = args->items[1]->text;
  if (encoding != "latin1" && encoding != "latin-1") return fault("bytes in an encoding other than latin1");
  std::string out;
  out.reserve(from->text.size());
  for (std::size_t i = 0; i < from->text.size(); ++i) {
    const unsigned char c = static_cast<unsigned char>(from->text[i]);
    if (c < 0x80) {
      out += static_cast<char>(c);
    } else if ((c & 0xFC) == 0xC0 && i + 1 < from->text.size()) {
      out += static_cast<char>((c & 3) << 6 | (from->text[++i] & 0x3F));
    } else {
      return fault("bytes with a character outside latin1");
    }
  }
  budget_.bytes += out.size() + sizeof(std::string);
  if (budget_.bytes > limits_.valueBytes) {
    return fault(Code::TooLarge, fmt::format("the values need more than {} bytes (limit valueBytes)", limits_.valueBytes));
  }
  v->text = document_.keep(std::move(out));
  return v;
}

void Machine::build(Value* target, Value* state) {
  switch (target->kind) {
    case Kind::Dtype: return buildDtype(target, state);
    case Kind::Array: return buildArray(target, state);
    case Kind::Object: break;
    case Kind::Dict: return;  // attributes of a dict subclass
    default: fault("a state given to " + target->describe()); return;
  }
  target->state = state;
  if (target->name->role == Role::ArrayWrapper) readWrapped(target);
}

}  // namespace slipway::pickle
