#include "serving/engines/lightgbm_engine.h"

#include "serving/engines/lightgbm/lightgbm_model.h"
#include "serving/engines/trees/table.h"

namespace slipway::serving {
namespace {
using protocol::DataType;
using protocol::Tensor;

class LightgbmEngineModel final : public Model {
 public:
  explicit LightgbmEngineModel(std::unique_ptr<lightgbm::LightgbmModel> model) : model_(std::move(model)) {
    const lightgbm::Facts& facts = model_->facts();
    metadata_.platform = "lightgbm";
    metadata_.description =
        fmt::format("{}, {} features", facts.objective.empty() ? "raw scores" : facts.objective, facts.features);
    metadata_.inputs = {{"input-0", DataType::Fp64, {-1, static_cast<std::int64_t>(facts.features)}}};
    metadata_.outputs = {{"output-0", DataType::Fp64, {-1}}};
    if (facts.outputs > 1) metadata_.outputs[0].shape.push_back(static_cast<std::int64_t>(facts.outputs));
  }

  const ModelMetadata& metadata() const override { return metadata_; }

  Result<std::vector<Tensor>> infer(std::span<const Tensor> inputs) const override {
    const lightgbm::Facts& facts = model_->facts();
    SLIP_TRY(const auto table, trees::readTable(inputs, {"the LightGBM model", facts.features, facts.featureNames}));
    const auto values = model_->predict(table.values, table.rows);
    protocol::Shape shape{static_cast<std::int64_t>(table.rows)};
    if (facts.outputs > 1) shape.push_back(static_cast<std::int64_t>(facts.outputs));
    std::vector<Tensor> out;
    out.push_back(Tensor::of<double>("output-0", std::move(shape), values));
    return out;
  }

 private:
  std::unique_ptr<lightgbm::LightgbmModel> model_;
  ModelMetadata metadata_;
};
}  // namespace

Result<std::unique_ptr<Model>> loadLightgbm(const std::filesystem::path& file) {
  SLIP_TRY(auto model, lightgbm::loadLightgbmModel(file.string()));
  return std::make_unique<LightgbmEngineModel>(std::move(model));
}

}  // namespace slipway::serving
