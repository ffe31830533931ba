// A CatBoost model read from its .cbm file by our own reader: float, categorical (one-hot and CTR) features, oblivious and
// non-symmetric trees. Text and embedding features are refused by name. Immutable once loaded; any number of threads may use
// it.
//
//   SLIP_TRY(auto model, loadCatboostModel("/mnt/models/model.cbm"));
//   SLIP_TRY(std::vector<double> raw, model->raw(table));   // rows * dimensions(), as
//   predict(prediction_type="RawFormulaVal")
#pragma once
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "serving/engines/trees/forest.h"

namespace slipway::catboost {

enum class NanTreatment : std::uint8_t { AsIs, AsLowest, AsHighest };

struct FloatFeature {
  std::size_t column = 0;  // of the user's table
  NanTreatment nan = NanTreatment::AsIs;
};

struct CatFeature {
  std::size_t column = 0;
};

// A test that gives one bit: slot > border, or (equal) category == value. Slots are the float features, then the CTRs.
struct Test {
  std::uint32_t slot = 0;  // equal: index of the categorical feature
  bool equal = false;
  float border = 0;
  std::uint32_t value = 0;
};

enum class CtrType : std::uint8_t { Borders, Buckets, BinarizedTargetMeanValue, FloatTargetMeanValue, Counter, FeatureFreq };

// The features whose combination a CTR counts: categories, then bits.
struct Projection {
  std::vector<std::uint32_t> categories;
  std::vector<Test> bits;
  std::vector<std::uint32_t> key;  // the file's own words for it, to find its table
};

// Open-addressed table from the hash of a combination to its counters.
struct CtrTable {
  std::vector<std::uint32_t> key;  // of projection, type and classifier
  std::vector<std::uint64_t> hashes;
  std::vector<std::uint32_t> rows;
  std::vector<std::int32_t> counts;  // rows of `width` counters; of mean types a float's bits and a count
  std::int32_t denominator = 0;
  std::uint32_t width = 1;
};

// A statistic of a categorical combination, used like a float feature.
struct Ctr {
  Projection projection;
  CtrType type = CtrType::Borders;
  std::size_t table = 0;
  std::uint32_t targetBorder = 0;
  float priorNumerator = 0, priorDenominator = 1, shift = 0, scale = 1;
};

struct Facts {
  std::size_t columns = 0;  // of the user's table
  std::vector<std::string> names;
  std::size_t dimensions = 1;
  std::string loss;                     // "Logloss", empty when the file does not say
  std::vector<std::string> classNames;  // of a classifier, as texts
  std::string classType;                // "Integer", "Float", "String", "Boolean"; empty: no classifier
  double probabilityBorder = 0.5;       // of a binary classifier
};

struct Content {
  Facts facts;
  std::vector<FloatFeature> floats;
  std::vector<CatFeature> categories;
  std::vector<Ctr> ctrs;
  std::vector<CtrTable> tables;
  std::vector<Test> tests;                // every possible test, in the file's order
  std::vector<std::uint32_t> splits;      // index into tests
  std::vector<std::uint32_t> sizes;       // oblivious: depth of each tree; else number of nodes
  std::vector<std::uint32_t> starts;      // of each tree in splits
  std::vector<std::uint64_t> leafStarts;  // oblivious: of each tree in leaves
  std::vector<std::pair<std::uint16_t, std::uint16_t>>
      steps;                            // non-symmetric: how far to the left and the right child; 0 ends
  std::vector<std::uint32_t> nodeLeaf;  // non-symmetric: where a node's values start
  std::vector<double> leaves;
  double scale = 1;
  std::vector<double> bias;
};

// Rows of numbers, and of texts where the model has categorical features. `texts` may be empty when it has none.
struct Input {
  std::span<const double> numbers;     // rows * columns
  std::span<const std::string> texts;  // rows * columns, or empty: categories are the numbers' texts
  std::size_t rows = 0;
};

class CatboostModel {
 public:
  explicit CatboostModel(Content content);
  const Facts& facts() const { return c_.facts; }
  std::size_t trees() const { return c_.sizes.size(); }
  bool hasCategories() const { return !c_.categories.empty(); }
  // Which columns are categorical, by column.
  const std::vector<bool>& categorical() const { return categorical_; }
  // Errors Invalid: a text that is no number in a numeric column, a category that is no whole number in a table of numbers.
  Result<std::vector<double>> raw(const Input& input) const;
  // Class probabilities from one row's raw values; `out` holds as many as there are classes.
  void probabilities(const double* raw, double* out) const;
  std::size_t classOf(const double* raw) const;

 private:
  Status readRow(const Input& input, std::size_t row, float* slots, std::uint32_t* hashes) const;
  float ctrValue(const Ctr& ctr, const float* slots, const std::uint32_t* hashes) const;
  void sumOblivious(const float* slots, const std::uint32_t* hashes, double* out) const;
  void sumStepwise(const float* slots, const std::uint32_t* hashes, double* out) const;
  Content c_;
  std::vector<bool> categorical_;
};

// Errors carry the file's name in front: Invalid (damaged), Unimplemented (text or embedding features), TooLarge.
Result<std::unique_ptr<CatboostModel>> loadCatboostModel(const std::string& path, const trees::Limits& limits = {});
Result<std::unique_ptr<CatboostModel>> parseCatboostModel(std::string_view bytes, const std::string& name,
                                                          const trees::Limits& limits = {});
Result<Content> readCbm(std::string_view bytes, const trees::Limits& limits);

}  // namespace slipway::catboost
