// CatBoost models behind the Model interface. KServe has no server of its own for them; the answers are those of
// CatBoostClassifier.predict (class labels, or probabilities with `proba`) and CatBoostRegressor.predict, in one output
// "output-0". The input is a table: numbers, or texts (BYTES) when some features are categories; or one input per feature.
#pragma once
#include "serving/model.h"

namespace slipway::serving {

Result<std::unique_ptr<Model>> loadCatboost(const std::filesystem::path& file, bool proba);

}  // namespace slipway::serving
