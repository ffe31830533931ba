#include "serving/pickle/class_list.h"

#include <array>

namespace slipway::pickle {
namespace {

constexpr KnownName kCore[] = {
    // Python 3 and Python 2 names of the plain types
    {"builtins", "object"},
    {"__builtin__", "object"},
    {"builtins", "int"},
    {"builtins", "float"},
    {"builtins", "str"},
    {"builtins", "bool"},
    {"builtins", "complex"},
    {"__builtin__", "int"},
    {"__builtin__", "float"},
    {"__builtin__", "str"},
    {"__builtin__", "bool"},
    {"builtins", "slice"},
    {"__builtin__", "slice"},
    {"builtins", "range"},
    {"__builtin__", "xrange"},
    {"builtins", "dict", Role::Dict},
    {"__builtin__", "dict", Role::Dict},
    {"builtins", "list", Role::List},
    {"__builtin__", "list", Role::List},
    {"builtins", "tuple", Role::Tuple},
    {"__builtin__", "tuple", Role::Tuple},
    {"builtins", "set", Role::Set},
    {"__builtin__", "set", Role::Set},
    {"builtins", "frozenset", Role::Set},
    {"__builtin__", "frozenset", Role::Set},
    {"builtins", "bytes", Role::Bytes},
    {"__builtin__", "bytes", Role::Bytes},
    {"builtins", "bytearray", Role::Bytes},
    {"__builtin__", "bytearray", Role::Bytes},
    {"_codecs", "encode", Role::Bytes},
    {"collections", "OrderedDict", Role::Dict},
    {"collections", "defaultdict"},
    {"collections", "Counter", Role::Dict},
    {"copyreg", "_reconstructor", Role::NewObject},
    {"copy_reg", "_reconstructor", Role::NewObject},
    {"copyreg", "__newobj__", Role::NewObject},
    {"copy_reg", "__newobj__", Role::NewObject},
    // numpy
    {"numpy", "dtype", Role::Dtype},
    {"numpy", "_reconstruct", Role::Reconstruct},
    {"numpy", "_frombuffer", Role::FromBuffer},
    {"numpy", "scalar", Role::Scalar},
    {"numpy", "ndarray"},
    {"numpy", "memmap"},
    {"numpy", "matrix"},
    {"numpy", "recarray"},
    {"numpy", "float64"},
    {"numpy", "float32"},
    {"numpy", "float16"},
    {"numpy", "int64"},
    {"numpy", "int32"},
    {"numpy", "int16"},
    {"numpy", "int8"},
    {"numpy", "uint64"},
    {"numpy", "uint32"},
    {"numpy", "uint16"},
    {"numpy", "uint8"},
    {"numpy", "bool_"},
    {"numpy", "bool"},
    {"numpy", "str_"},
    {"numpy", "object_"},
    {"numpy", "intp"},
    {"numpy", "longdouble"},
    {"numpy", "bytes_"},
    {"numpy", "_mareconstruct"},
    {"numpy", "MaskedArray"},
    {"numpy", "MaskedConstant"},
    {"numpy", "masked_array"},
    // random states: kept as they are, never used
    {"numpy", "__randomstate_ctor"},
    {"numpy", "__generator_ctor"},
    {"numpy", "__bit_generator_ctor"},
    {"numpy", "MT19937"},
    {"numpy", "PCG64"},
    {"numpy", "PCG64DXSM"},
    {"numpy", "Philox"},
    {"numpy", "SFC64"},
    {"numpy", "RandomState"},
    {"numpy", "Generator"},
    {"numpy", "SeedSequence"},
    {"numpy", "__pyx_unpickle_SeedSequence", Role::PyxUnpickle},
    // joblib
    {"joblib", "NumpyArrayWrapper", Role::ArrayWrapper},
    {"sklearn", "NumpyArrayWrapper", Role::ArrayWrapper},
};

std::string keyOf(std::string_view module, std::string_view name) {
  std::string key(module.substr(0, module.find('.')));
  key += ':';
  key += name;
  return key;
}

}  // namespace

ClassList::ClassList(std::span<const KnownName> names, std::string description) : description_(std::move(description)) {
  for (const KnownName& n : kCore) byKey_.emplace(keyOf(n.package, n.name), &n);
  for (const KnownName& n : names) byKey_.insert_or_assign(keyOf(n.package, n.name), &n);
}

const KnownName* ClassList::find(std::string_view module, std::string_view name) const {
  const auto it = byKey_.find(keyOf(module, name));
  return it == byKey_.end() ? nullptr : it->second;
}

}  // namespace slipway::pickle
