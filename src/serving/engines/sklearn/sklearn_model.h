// A scikit-learn model read from a joblib or pickle file and compiled into plain arrays. No code in the file ever runs.
// Immutable: any number of threads may call it at once. Small calls allocate nothing but their result.
//
//   SLIP_TRY(auto model, loadSklearnModel("/mnt/models/model.joblib", {}));
//   SLIP_TRY(Labels labels, model->predict(x, rows));   // x: rows * model->features() numbers, row by row
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "serving/pickle/limits.h"

namespace slipway::sklearn {

enum class ModelKind { Classifier, Regressor, Clusterer, OutlierDetector, Transformer };

// numpy's type of the labels: V1 prints them as JSON numbers, texts or booleans, V2 as the datatype of the same name.
enum class LabelType { Bool, Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64, Float32, Float64, Text };

// Class labels or predicted values. Bool and the int types are in `integers`, floats in `reals`, Text in `texts`.
struct Labels {
  LabelType type = LabelType::Float64;
  std::vector<std::int64_t> integers;
  std::vector<double> reals;
  std::vector<std::string> texts;

  std::size_t size() const {
    return type == LabelType::Text ? texts.size() : type >= LabelType::Float32 ? reals.size() : integers.size();
  }
  std::string at(std::size_t index) const;  // as text, for messages and tests
};

// Numbers row by row, `columns` per row.
struct Table {
  std::vector<double> values;
  std::size_t columns = 0;
};

class Estimator;  // estimator.h
struct Rows;

class SklearnModel {
 public:
  SklearnModel(std::unique_ptr<const Estimator> estimator, std::string version);
  ~SklearnModel();

  ModelKind kind() const;
  const std::string& className() const;                    // "Pipeline"
  const std::string& version() const { return version_; }  // scikit-learn that wrote it, "1.2.1"; empty before 0.18
  std::size_t features() const;                            // columns of x; 0: the file does not say
  const std::vector<std::string>& featureNames() const;    // empty when it was trained without names
  const Labels& classes() const;                           // of a classifier; empty otherwise
  std::size_t outputs() const;                             // values that predict gives per row, 1 for classifiers

  bool canPredict() const;
  bool hasProba() const;
  bool hasDecision() const;
  bool canTransform() const;

  // What the methods of the same name answer in Python. `x` holds rows * features() numbers.
  // Errors Invalid: "X has 3 features, but SVC is expecting 4 features as input." when the count does not fit,
  // "Input X contains NaN. …" naming the first row and column; Unimplemented: the model has no such method.
  Result<Labels> predict(std::span<const double> x, std::size_t rows) const;
  Result<Table> predictProba(std::span<const double> x, std::size_t rows) const;
  Result<Table> decisionFunction(std::span<const double> x, std::size_t rows) const;
  Result<Table> transform(std::span<const double> x, std::size_t rows) const;

 private:
  Result<Rows> check(std::span<const double> x, std::size_t rows) const;
  std::unique_ptr<const Estimator> estimator_;
  std::string version_;
};

using SharedSklearnModel = std::shared_ptr<const SklearnModel>;

// Reads and compiles a file. Errors carry the file's name in front: Forbidden (a class outside the list: `model.joblib:
// class "os.system" is not in the list …`), Invalid (damaged), Unimplemented (a known class with an option we do not run),
// TooLarge.
Result<SharedSklearnModel> loadSklearnModel(const std::string& path, const pickle::Limits& limits = {});
// The same from bytes; `name` stands in messages.
Result<SharedSklearnModel> parseSklearnModel(std::string bytes, const std::string& name, const pickle::Limits& limits = {});

}  // namespace slipway::sklearn
