// Any bytes: decompression, the pickle machine and the numpy readers must end with a value or an error.
#include "serving/pickle/numpy_values.h"
#include "serving/pickle/unpack.h"
#include "serving/pickle/unpickler.h"

namespace {
constexpr slipway::pickle::KnownName kNames[] = {
    {"sklearn", "LogisticRegression"}, {"sklearn", "Tree"}, {"sklearn", "StandardScaler"}};

void readArrays(const slipway::pickle::Value& value, int depth) {
  using slipway::pickle::Kind;
  if (depth > 6) return;
  if (value.is(Kind::Array) && value.array->size < 100000) {
    (void)slipway::pickle::reals(*value.array);
    (void)slipway::pickle::integers(*value.array);
    (void)slipway::pickle::texts(*value.array);
    for (const auto& f : value.array->type.fields) (void)slipway::pickle::fieldReals(*value.array, f.name);
  }
  if (value.is(Kind::Object) && value.state != nullptr) readArrays(*value.state, depth + 1);
  for (std::size_t i = 0; i < value.items.size() && i < 8; ++i) readArrays(*value.items[i], depth + 1);
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const slipway::pickle::ClassList classes(kNames, "three test classes");
  slipway::pickle::Limits limits;
  limits.unpackedBytes = 8 << 20;
  limits.valueBytes = 64 << 20;
  limits.opcodes = 200'000;
  auto bytes = slipway::pickle::unpack(std::string(reinterpret_cast<const char*>(data), size), limits);
  if (!bytes) return 0;
  auto document = slipway::pickle::read(std::move(*bytes), classes, limits);
  if (document) readArrays((*document)->root(), 0);
  return 0;
}
