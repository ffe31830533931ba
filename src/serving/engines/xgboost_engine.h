// xgboost models behind the Model interface, with the shapes and names of KServe's xgboost server: the input is a table of
// features (null or NaN where a value is missing); the one output "output-0" is FP32, what Booster.predict answers.
#pragma once
#include "serving/model.h"

namespace slipway::serving {

// `file`: JSON, UBJSON or binary, told by its first bytes.
Result<std::unique_ptr<Model>> loadXgboost(const std::filesystem::path& file);

}  // namespace slipway::serving
