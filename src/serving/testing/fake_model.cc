#include "serving/testing/fake_model.h"

#include <fstream>

namespace slipway::serving::testing {

RowSums::RowSums(std::int64_t columns)
    : columns_(columns),
      metadata_{"fake",
                "row sums",
                {{"input-0", protocol::DataType::Fp64, {-1, columns}}},
                {{"output-0", protocol::DataType::Fp64, {-1}}}} {}

Result<std::vector<protocol::Tensor>> RowSums::infer(std::span<const protocol::Tensor> inputs) const {
  SLIP_TRY(const auto values, protocol::toDoubles(inputs[0]));
  if (inputs[0].shape.size() != 2 || inputs[0].shape[1] != columns_)
    return fail(Code::BadRequest, fmt::format("input '{}' has shape {}, expected [-1, {}]", inputs[0].name,
                                              protocol::describeShape(inputs[0].shape), columns_));
  std::vector<double> sums(static_cast<std::size_t>(inputs[0].shape[0]));
  for (std::size_t i = 0; i < values.size(); ++i) sums[i / static_cast<std::size_t>(columns_)] += values[i];
  std::vector<protocol::Tensor> out;
  out.push_back(protocol::Tensor::of<double>("output-0", {inputs[0].shape[0]}, sums));
  return out;
}

Result<std::unique_ptr<Model>> loadRowSums(const std::filesystem::path& path) {
  constexpr std::string_view kExtensions[] = {".sums"};
  SLIP_TRY(const auto file, findModelFile(path, kExtensions));
  std::int64_t columns = 0;
  if (!(std::ifstream(file) >> columns)) return fail(Code::Invalid, fmt::format("{} is damaged", file.string()));
  return std::make_unique<RowSums>(columns);
}

}  // namespace slipway::serving::testing
