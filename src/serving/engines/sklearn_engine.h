// scikit-learn models behind the Model interface, with the shapes and names of KServe's sklearn server: the first input is
// the table of features; the one output is "output-0", labels or values of `predict` (or rows of probabilities with
// `proba`).
#pragma once
#include "serving/model.h"

namespace slipway::serving {

// `path`: a folder with one *.joblib, *.pkl or *.pickle, or such a file.
Result<std::unique_ptr<Model>> loadSklearn(const std::filesystem::path& path, bool proba);

}  // namespace slipway::serving
