#include "serving/engines/xgboost_engine.h"

#include "serving/engines/trees/table.h"
#include "serving/engines/xgboost/xgboost_model.h"

namespace slipway::serving {
namespace {
using protocol::DataType;
using protocol::Tensor;

class XgboostEngineModel final : public Model {
 public:
  explicit XgboostEngineModel(std::unique_ptr<xgboost::XgboostModel> model) : model_(std::move(model)) {
    const xgboost::Facts& facts = model_->facts();
    constexpr const char* kBoosters[] = {"gbtree", "dart", "gblinear"};
    metadata_.platform = "xgboost";
    metadata_.description =
        fmt::format("{} {}, {} features{}", facts.objective.name, kBoosters[static_cast<int>(facts.booster)], facts.features,
                    facts.version.empty() ? "" : ", xgboost " + facts.version);
    metadata_.inputs = {{"input-0", DataType::Fp32, {-1, static_cast<std::int64_t>(facts.features)}}};
    metadata_.outputs = {{"output-0", DataType::Fp32, {-1}}};
    if (model_->columns() > 1) metadata_.outputs[0].shape.push_back(static_cast<std::int64_t>(model_->columns()));
  }

  const ModelMetadata& metadata() const override { return metadata_; }

  Result<std::vector<Tensor>> infer(std::span<const Tensor> inputs) const override {
    const xgboost::Facts& facts = model_->facts();
    SLIP_TRY(const auto table, trees::readTable(inputs, {"the xgboost model", facts.features, facts.featureNames}));
    auto values = model_->predict(table.values, table.rows);
    if (!values) return fail(Code::BadRequest, values.error().message);
    protocol::Shape shape{static_cast<std::int64_t>(table.rows)};
    if (model_->columns() > 1) shape.push_back(static_cast<std::int64_t>(model_->columns()));
    std::vector<Tensor> out;
    out.push_back(Tensor::of<float>("output-0", std::move(shape), *values));
    return out;
  }

 private:
  std::unique_ptr<xgboost::XgboostModel> model_;
  ModelMetadata metadata_;
};
}  // namespace

Result<std::unique_ptr<Model>> loadXgboost(const std::filesystem::path& file) {
  SLIP_TRY(auto model, xgboost::loadXgboostModel(file.string()));
  return std::make_unique<XgboostEngineModel>(std::move(model));
}

}  // namespace slipway::serving
