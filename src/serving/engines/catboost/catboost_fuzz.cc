// Any bytes as a model file: loading, and predicting with what loads, must end with an answer or an error.
#include <cmath>

#include "serving/engines/catboost/catboost_model.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  const trees::Limits limits{100'000, 200, 1000, 100};
  auto model = catboost::parseCatboostModel({reinterpret_cast<const char*>(data), size}, "fuzz", limits);
  if (!model) return 0;
  const std::size_t columns = (*model)->facts().columns;
  std::vector<std::string> texts(2 * columns);
  std::vector<double> numbers(2 * columns);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    numbers[i] = i % 5 == 0 ? std::nan("") : static_cast<double>(i % 7) - 1;
    texts[i] = fmt::format("{}", numbers[i]);
  }
  for (const auto& input : {catboost::Input{numbers, {}, 2}, catboost::Input{{}, texts, 2}}) {
    const auto raw = (*model)->raw(input);
    if (!raw || (*model)->facts().classNames.empty()) continue;
    std::vector<double> p((*model)->facts().classNames.size());
    (*model)->probabilities(raw->data(), p.data());
    (void)(*model)->facts().classNames[(*model)->classOf(raw->data())];
  }
  return 0;
}
