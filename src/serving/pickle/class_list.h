// The closed list of names a pickle may mention. A name is known by its top-level package and its own name, so that moved
// modules (sklearn.linear_model.logistic, sklearn.linear_model._logistic; numpy.core, numpy._core) need no further entries.
// A name never leads to code: it gets a Role, which says what inert value a call of it makes.
//
//   ClassList list(myNames, "the scikit-learn classes of this server");
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

namespace slipway::pickle {

enum class Role : std::uint8_t {
  Record,        // a class, or a function whose result nobody needs: keep the arguments, run nothing
  NewObject,     // f(cls, ...): an object of cls (Cython's newObj, copyreg._reconstructor)
  PyxUnpickle,   // f(cls, checksum, state): an object of cls with that state
  Dict,          // a dict made of pairs or of nothing
  List,          // a list made of an iterable
  Tuple,         // a tuple made of an iterable
  Set,           // a set made of an iterable
  Bytes,         // bytes made of bytes, or _codecs.encode(text, 'latin1')
  Dtype,         // numpy.dtype
  Reconstruct,   // numpy's empty array, filled by BUILD
  FromBuffer,    // numpy's array of protocol 5
  Scalar,        // numpy's scalar of a dtype
  ArrayWrapper,  // joblib: the array's bytes follow in the stream
};

struct KnownName {
  std::string_view package;  // "sklearn"
  std::string_view name;     // "LogisticRegression"
  Role role = Role::Record;
};

// Python's own types, numpy and joblib are always in the list. Immutable after construction; keep it alive as long as the
// documents read with it.
class ClassList {
 public:
  ClassList(std::span<const KnownName> names, std::string description);

  const KnownName* find(std::string_view module, std::string_view name) const;  // nullptr: not in the list
  const std::string& description() const { return description_; }               // for the refusal's brackets

 private:
  std::unordered_map<std::string, const KnownName*> byKey_;  // "package:name"
  std::string description_;
};

}  // namespace slipway::pickle
