// One row through small models: what the reader costs per request.
#include <benchmark/benchmark.h>

#include <cstdlib>

#include "serving/engines/sklearn/sklearn_model.h"

namespace {

// SLIPWAY_SKLEARN_FIXTURES names a folder that tests/e2e/sklearn_fixtures.py made.
void predictOne(benchmark::State& state, const char* file) {
  const char* folder = std::getenv("SLIPWAY_SKLEARN_FIXTURES");
  auto model = slipway::sklearn::loadSklearnModel(std::string(folder != nullptr ? folder : ".") + "/" + file);
  if (!model) {
    state.SkipWithError(model.error().message.c_str());
    return;
  }
  const std::vector<double> x((*model)->features(), 1.5);
  for (auto _ : state) benchmark::DoNotOptimize((*model)->predict(x, 1));
}
BENCHMARK_CAPTURE(predictOne, logistic_iris, "logistic.joblib");
BENCHMARK_CAPTURE(predictOne, pipeline_iris, "pipeline.joblib");
BENCHMARK_CAPTURE(predictOne, forest_20_trees, "forest-breast_cancer.joblib");
BENCHMARK_CAPTURE(predictOne, boosting_20_trees, "boosting-breast_cancer.joblib");
BENCHMARK_CAPTURE(predictOne, svc_rbf_iris, "svc-rbf.joblib");
BENCHMARK_CAPTURE(predictOne, knn_iris, "knn-auto.joblib");

}  // namespace
