// A model for tests: adds up each row of its one two-dimensional input. Output "output-0", FP64, one value a row.
#pragma once
#include "serving/model.h"

namespace slipway::serving::testing {

class RowSums final : public Model {
 public:
  explicit RowSums(std::int64_t columns);
  const ModelMetadata& metadata() const override { return metadata_; }
  Result<std::vector<protocol::Tensor>> infer(std::span<const protocol::Tensor> inputs) const override;

 private:
  std::int64_t columns_;
  ModelMetadata metadata_;
};

// Loads RowSums of the number in the file `model.sums` of a folder.
Result<std::unique_ptr<Model>> loadRowSums(const std::filesystem::path& path);

}  // namespace slipway::serving::testing
