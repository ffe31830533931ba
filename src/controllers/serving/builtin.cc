#include "controllers/serving/builtin.h"

#include <cstdlib>

#include "base/log.h"
#include "data/yaml.h"

// The YAML texts, see cmake/SlipwayBuiltin.cmake.
extern "C" const char slipwayBuiltinBegin[];
extern "C" const char slipwayBuiltinEnd[];

namespace slipway::isvc {

std::vector<Json> builtinServingObjects() {
  std::string_view text(slipwayBuiltinBegin, static_cast<std::size_t>(slipwayBuiltinEnd - slipwayBuiltinBegin));
  Result<std::vector<Json>> documents = parseYamlDocuments(text);
  if (!documents) {
    // Tests parse it; a binary that cannot is broken.
    logError("built-in objects: {}", documents.error().message);
    std::abort();
  }
  return std::move(*documents);
}

}  // namespace slipway::isvc
