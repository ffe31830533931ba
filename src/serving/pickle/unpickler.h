// Reads a pickle (protocols 0 to 5, plain or written by joblib) into inert values. Nothing is imported, nothing is called: a
// name must be in the ClassList, and a call of it makes the plain value its Role says.
//
//   SLIP_TRY(auto document, pickle::read(std::move(bytes), classes, limits));
//   const pickle::Value& model = document->root();
#pragma once
#include <memory>
#include <string>

#include "base/result.h"
#include "serving/pickle/class_list.h"
#include "serving/pickle/limits.h"
#include "serving/pickle/value.h"

namespace slipway::pickle {

// `bytes` are already decompressed (see unpack.h). Errors: Invalid for damaged bytes ("byte 120: …"), Forbidden for a name
// that is not in the list, TooLarge for a passed limit.
Result<std::unique_ptr<const Document>> read(std::string bytes, const ClassList& classes, const Limits& limits);

}  // namespace slipway::pickle
