#include "serving/engines/sklearn_engine.h"

#include "serving/engines/sklearn/sklearn_model.h"

namespace slipway::serving {
namespace {
using protocol::DataType;
using protocol::Shape;
using protocol::Tensor;
using sklearn::Labels;
using sklearn::LabelType;
using sklearn::ModelKind;

constexpr std::string_view kExtensions[] = {".joblib", ".pkl", ".pickle"};
constexpr const char* kOutput = "output-0";

DataType dataTypeOf(LabelType type) {
  switch (type) {
    case LabelType::Bool: return DataType::Bool;
    case LabelType::Int8: return DataType::Int8;
    case LabelType::Int16: return DataType::Int16;
    case LabelType::Int32: return DataType::Int32;
    case LabelType::Int64: return DataType::Int64;
    case LabelType::UInt8: return DataType::Uint8;
    case LabelType::UInt16: return DataType::Uint16;
    case LabelType::UInt32: return DataType::Uint32;
    case LabelType::UInt64: return DataType::Uint64;
    case LabelType::Float32: return DataType::Fp32;
    case LabelType::Float64: return DataType::Fp64;
    case LabelType::Text: return DataType::Bytes;
  }
  return DataType::Fp64;
}

template <class T, class V>
void narrow(protocol::RawBuffer& out, const std::vector<V>& values) {
  out.reserve(values.size() * sizeof(T));
  for (const V v : values) out.push(static_cast<T>(v));
}

Tensor tensorOf(Labels&& labels, Shape shape) {
  Tensor t{kOutput, dataTypeOf(labels.type), std::move(shape), {}, {}};
  switch (t.type) {
    case DataType::Bool:
    case DataType::Uint8: narrow<std::uint8_t>(t.data, labels.integers); break;
    case DataType::Uint16: narrow<std::uint16_t>(t.data, labels.integers); break;
    case DataType::Uint32: narrow<std::uint32_t>(t.data, labels.integers); break;
    case DataType::Int8: narrow<std::int8_t>(t.data, labels.integers); break;
    case DataType::Int16: narrow<std::int16_t>(t.data, labels.integers); break;
    case DataType::Int32: narrow<std::int32_t>(t.data, labels.integers); break;
    case DataType::Fp32: narrow<float>(t.data, labels.reals); break;
    case DataType::Fp64: narrow<double>(t.data, labels.reals); break;
    case DataType::Bytes: t.texts = std::move(labels.texts); break;
    default: narrow<std::int64_t>(t.data, labels.integers);
  }
  return t;
}

class SklearnEngineModel final : public Model {
 public:
  SklearnEngineModel(sklearn::SharedSklearnModel model, bool proba)
      : model_(std::move(model)), proba_(proba && model_->hasProba()) {
    metadata_.platform = "sklearn";
    metadata_.description = fmt::format("{}, {} features{}", model_->className(), model_->features(),
                                        model_->version().empty() ? "" : ", scikit-learn " + model_->version());
    metadata_.inputs = {{"input-0", DataType::Fp64, {-1, static_cast<std::int64_t>(model_->features())}}};
    metadata_.outputs = {outputSpec()};
  }

  const ModelMetadata& metadata() const override { return metadata_; }

  Result<std::vector<Tensor>> infer(std::span<const Tensor> inputs) const override {
    if (inputs.size() != 1)
      return fail(Code::BadRequest, fmt::format("{} inputs came, expected one: a table of {} features a row", inputs.size(),
                                                model_->features()));
    const Tensor& input = inputs[0];
    // A single row may come as a flat list; scikit-learn refuses it, and so do we, saying what it takes.
    if (input.shape.size() != 2)
      return fail(Code::BadRequest, fmt::format("input '{}' has shape {}, expected two dimensions: [rows, {}]", input.name,
                                                protocol::describeShape(input.shape), model_->features()));
    const auto rows = static_cast<std::size_t>(input.shape[0]);
    if (rows == 0) return fail(Code::BadRequest, fmt::format("input '{}' has no rows: at least one is needed", input.name));
    if (static_cast<std::size_t>(input.shape[1]) != model_->features())
      return fail(
          Code::BadRequest,
          fmt::format("input '{}' has shape {}: X has {} features, but {} is expecting {} features as input", input.name,
                      protocol::describeShape(input.shape), input.shape[1], model_->className(), model_->features()));
    if (input.type == DataType::Fp64) return run(input.values<double>(), rows);
    SLIP_TRY(const auto values, protocol::toDoubles(input));
    return run(values, rows);
  }

 private:
  protocol::TensorSpec outputSpec() const {
    if (proba_) return {kOutput, DataType::Fp64, {-1, static_cast<std::int64_t>(model_->classes().size())}};
    if (!model_->canPredict()) return {kOutput, DataType::Fp64, {-1, -1}};
    protocol::TensorSpec spec{
        kOutput, model_->kind() == ModelKind::Classifier ? dataTypeOf(model_->classes().type) : DataType::Fp64, {-1}};
    if (model_->kind() == ModelKind::Clusterer) spec.type = DataType::Int32;
    if (model_->kind() == ModelKind::OutlierDetector) spec.type = DataType::Int64;
    if (model_->outputs() > 1) spec.shape.push_back(static_cast<std::int64_t>(model_->outputs()));
    return spec;
  }

  static Result<std::vector<Tensor>> one(Tensor&& tensor) {
    std::vector<Tensor> out;
    out.push_back(std::move(tensor));
    return out;
  }

  // Faults of the values (NaN) are the caller's: 400 with scikit-learn's own words.
  static tl::unexpected<Error> refused(Error error) {
    if (error.code == Code::Invalid) error.code = Code::BadRequest;
    return fail(std::move(error));
  }

  Result<std::vector<Tensor>> run(std::span<const double> x, std::size_t rows) const {
    const auto count = static_cast<std::int64_t>(rows);
    if (proba_ || !model_->canPredict()) {
      auto table = proba_ ? model_->predictProba(x, rows) : model_->transform(x, rows);
      if (!table) return refused(std::move(table).error());
      return one(Tensor::of<double>(kOutput, {count, static_cast<std::int64_t>(table->columns)}, table->values));
    }
    auto labels = model_->predict(x, rows);
    if (!labels) return refused(std::move(labels).error());
    Shape shape{count};
    if (model_->outputs() > 1) shape.push_back(static_cast<std::int64_t>(model_->outputs()));
    return one(tensorOf(std::move(*labels), std::move(shape)));
  }

  sklearn::SharedSklearnModel model_;
  bool proba_;
  ModelMetadata metadata_;
};
}  // namespace

Result<std::unique_ptr<Model>> loadSklearn(const std::filesystem::path& path, bool proba) {
  SLIP_TRY(const auto file, findModelFile(path, kExtensions));
  SLIP_TRY(auto model, sklearn::loadSklearnModel(file.string()));
  return std::make_unique<SklearnEngineModel>(std::move(model), proba);
}

}  // namespace slipway::serving
