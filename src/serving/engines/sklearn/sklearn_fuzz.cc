// Any bytes as a model file: loading, and predicting with what loads, must end with an answer or an error.
#include "serving/engines/sklearn/sklearn_model.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  slipway::pickle::Limits limits;
  limits.unpackedBytes = 4 << 20;
  limits.valueBytes = 64 << 20;
  limits.opcodes = 200'000;
  auto model = slipway::sklearn::parseSklearnModel(std::string(reinterpret_cast<const char*>(data), size), "fuzz", limits);
  if (!model) return 0;
  const std::size_t features = (*model)->features() != 0 ? (*model)->features() : 3;
  if (features > 100'000 || (*model)->outputs() > 100'000) return 0;
  std::vector<double> x(2 * features);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<double>(i % 7) - 1.5;
  if ((*model)->canPredict()) (void)(*model)->predict(x, 2);
  if ((*model)->hasProba()) (void)(*model)->predictProba(x, 2);
  if ((*model)->hasDecision()) (void)(*model)->decisionFunction(x, 2);
  if ((*model)->canTransform()) (void)(*model)->transform(x, 2);
  return 0;
}
