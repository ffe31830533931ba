// Any bytes as a model file: loading, and predicting with what loads, must end with an answer or an error.
#include <cmath>

#include "serving/engines/xgboost/xgboost_model.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  const trees::Limits limits{100'000, 200, 1000, 100};
  auto model = xgboost::parseXgboostModel({reinterpret_cast<const char*>(data), size}, "fuzz", limits);
  if (!model) return 0;
  const std::size_t features = (*model)->facts().features;
  std::vector<double> x(2 * features);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = i % 5 == 0 ? std::nan("") : static_cast<double>(i % 7) - 1.5;
  (void)(*model)->predict(x, 2);
  return 0;
}
