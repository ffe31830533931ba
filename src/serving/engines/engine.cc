#include "serving/engines/engine.h"

#include "serving/engines/sklearn_engine.h"

namespace slipway::serving {

// One format so far, so there is nothing to choose yet: a folder without its files is an error that names them.
ModelLoader modelLoader(EngineOptions options) {
  return [options](const std::filesystem::path& path) { return loadSklearn(path, options.predictProba); };
}

}  // namespace slipway::serving
