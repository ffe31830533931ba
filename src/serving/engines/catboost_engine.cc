#include "serving/engines/catboost_engine.h"

#include <charconv>
#include <cmath>

#include "serving/engines/catboost/catboost_model.h"
#include "serving/engines/trees/table.h"

namespace slipway::serving {
namespace {
using protocol::DataType;
using protocol::Shape;
using protocol::Tensor;

enum class Answer { Raw, Exponent, Labels, Probabilities };

class CatboostEngineModel final : public Model {
 public:
  CatboostEngineModel(std::unique_ptr<catboost::CatboostModel> model, bool proba) : model_(std::move(model)) {
    const catboost::Facts& facts = model_->facts();
    const bool classifier = !facts.classNames.empty();
    answer_ = classifier                                           ? (proba ? Answer::Probabilities : Answer::Labels)
              : facts.loss == "Poisson" || facts.loss == "Tweedie" ? Answer::Exponent
                                                                   : Answer::Raw;
    metadata_.platform = "catboost";
    metadata_.description = fmt::format("{}, {} features", facts.loss.empty() ? "catboost" : facts.loss, facts.columns);
    const auto columns = static_cast<std::int64_t>(facts.columns);
    metadata_.inputs = {{"input-0", model_->hasCategories() ? DataType::Bytes : DataType::Fp32, {-1, columns}}};
    protocol::TensorSpec output{"output-0", DataType::Fp64, {-1}};
    if (answer_ == Answer::Labels) {
      output.type = labelType();
      if (facts.dimensions > 1) output.shape.push_back(1);  // CatBoostClassifier.predict gives a column for several classes
    } else if (answer_ == Answer::Probabilities) {
      output.shape.push_back(static_cast<std::int64_t>(facts.classNames.size()));
    } else if (facts.dimensions > 1) {
      output.shape.push_back(static_cast<std::int64_t>(facts.dimensions));
    }
    metadata_.outputs = {output};
  }

  const ModelMetadata& metadata() const override { return metadata_; }

  Result<std::vector<Tensor>> infer(std::span<const Tensor> inputs) const override {
    const catboost::Facts& facts = model_->facts();
    const trees::Columns columns{"the catboost model", facts.columns, facts.names};
    if (inputs.size() == 1 && inputs[0].type == DataType::Bytes) {
      SLIP_TRY(const std::size_t rows, trees::tableRows(inputs[0], columns));
      return answer({{}, inputs[0].texts, rows});
    }
    if (inputs.size() > 1 && model_->hasCategories()) return inferColumns(inputs);
    SLIP_TRY(const auto table, trees::readTable(inputs, columns));
    return answer({table.values, {}, table.rows});
  }

 private:
  DataType labelType() const {
    const std::string& type = model_->facts().classType;
    return type == "Integer" ? DataType::Int64 : type == "Float" ? DataType::Fp64 : DataType::Bytes;
  }

  // One input per feature, of texts or numbers.
  Result<std::vector<Tensor>> inferColumns(std::span<const Tensor> inputs) const {
    const catboost::Facts& facts = model_->facts();
    std::vector<std::string> texts;
    std::size_t rows = 0;
    for (std::size_t c = 0; c < facts.columns; ++c) {
      const auto input =
          std::find_if(inputs.begin(), inputs.end(), [&](const Tensor& t) { return t.name == facts.names[c]; });
      if (input == inputs.end())
        return fail(Code::BadRequest,
                    fmt::format("no input named '{}': inputs per column carry the names of the features", facts.names[c]));
      if (c == 0) {
        rows = input->elements();
        texts.resize(rows * facts.columns);
      }
      if (input->elements() != rows || rows == 0)
        return fail(Code::BadRequest,
                    fmt::format("input '{}' has {} values, '{}' has {}: every column needs the same number, at least one",
                                input->name, input->elements(), facts.names[0], rows));
      if (input->type == DataType::Bytes) {
        for (std::size_t i = 0; i < rows; ++i) texts[i * facts.columns + c] = input->texts[i];
        continue;
      }
      SLIP_TRY(const auto values, protocol::toDoubles(*input));
      for (std::size_t i = 0; i < rows; ++i) texts[i * facts.columns + c] = fmt::format("{}", values[i]);
    }
    return answer({{}, texts, rows});
  }

  Result<std::vector<Tensor>> answer(const catboost::Input& input) const {
    const catboost::Facts& facts = model_->facts();
    auto raw = model_->raw(input);
    if (!raw) return fail(Code::BadRequest, raw.error().message);
    Shape shape{static_cast<std::int64_t>(input.rows)};
    if (metadata_.outputs[0].shape.size() > 1) shape.push_back(metadata_.outputs[0].shape[1]);
    std::vector<Tensor> out;
    if (answer_ == Answer::Labels) {
      out.push_back(labels(*raw, input.rows, std::move(shape)));
    } else if (answer_ == Answer::Probabilities) {
      const std::size_t classes = facts.classNames.size();
      std::vector<double> p(input.rows * classes);
      for (std::size_t i = 0; i < input.rows; ++i)
        model_->probabilities(raw->data() + i * facts.dimensions, p.data() + i * classes);
      out.push_back(Tensor::of<double>("output-0", std::move(shape), p));
    } else {
      if (answer_ == Answer::Exponent)
        for (double& v : *raw) v = std::exp(v);
      out.push_back(Tensor::of<double>("output-0", std::move(shape), *raw));
    }
    return out;
  }

  Tensor labels(const std::vector<double>& raw, std::size_t rows, Shape shape) const {
    const catboost::Facts& facts = model_->facts();
    Tensor out{"output-0", labelType(), std::move(shape), {}, {}};
    for (std::size_t i = 0; i < rows; ++i) {
      const std::string& name = facts.classNames[model_->classOf(raw.data() + i * facts.dimensions)];
      if (out.type == DataType::Bytes) {
        out.texts.push_back(name);
      } else {
        double value = 0;
        std::from_chars(name.data(), name.data() + name.size(), value);
        if (out.type == DataType::Int64)
          out.data.push(static_cast<std::int64_t>(value));
        else
          out.data.push(value);
      }
    }
    return out;
  }

  std::unique_ptr<catboost::CatboostModel> model_;
  Answer answer_ = Answer::Raw;
  ModelMetadata metadata_;
};
}  // namespace

Result<std::unique_ptr<Model>> loadCatboost(const std::filesystem::path& file, bool proba) {
  SLIP_TRY(auto model, catboost::loadCatboostModel(file.string()));
  return std::make_unique<CatboostEngineModel>(std::move(model), proba);
}

}  // namespace slipway::serving
