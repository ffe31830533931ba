// Every format that this build can serve, behind one function: it looks at what a folder holds and picks the engine.
//
//   ModelServer server(options, modelLoader({.predictProba = true}));
#pragma once
#include "serving/model.h"

namespace slipway::serving {

struct EngineOptions {
  bool predictProba =
      false;  // scikit-learn classifiers answer with probabilities instead of labels (KServe's PREDICT_PROBA)
};

ModelLoader modelLoader(EngineOptions options);

}  // namespace slipway::serving
