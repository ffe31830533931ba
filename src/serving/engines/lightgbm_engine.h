// LightGBM models behind the Model interface, with the shapes and names of KServe's LightGBM server: the input is a table of
// features (null or NaN where a value is missing), or one input per feature; the one output "output-0" is FP64, what
// Booster.predict answers.
#pragma once
#include "serving/model.h"

namespace slipway::serving {

// `file`: LightGBM's text format.
Result<std::unique_ptr<Model>> loadLightgbm(const std::filesystem::path& file);

}  // namespace slipway::serving
