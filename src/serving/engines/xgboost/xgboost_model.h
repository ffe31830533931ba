// An xgboost model read by our own readers (JSON, UBJSON, the binary layouts up to 1.7) and run by the shared forest. What
// predict() answers is what xgboost's Booster.predict of DMatrix(x) answers, to the last bit: sums are kept in floats, in
// the order of the trees. Immutable once loaded; any number of threads may use it.
//
//   SLIP_TRY(auto model, loadXgboostModel("/mnt/models/model.ubj"));
//   SLIP_TRY(std::vector<float> y, model->predict(x, rows));   // x: rows * facts().features numbers, row by row
#pragma once
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "serving/engines/trees/forest.h"
#include "serving/engines/xgboost/objective.h"

namespace slipway::xgboost {

enum class Booster { Trees, Dart, Linear };

struct Facts {
  std::string version;  // of xgboost that wrote it, "3.2.0"; empty when the file does not say
  Booster booster = Booster::Trees;
  Objective objective;
  std::size_t features = 0;
  std::vector<std::string> featureNames;  // empty when trained without names
  std::size_t outputs = 1;                // margins per row: classes or targets
  std::string bestIteration;              // attribute of early stopping; predict uses all trees, as Booster.predict does
};

// What a reader fills in; the model takes it over.
struct Content {
  explicit Content(Facts f, trees::Limits limits)
      : facts(std::move(f)), forest(facts.features, trees::Members::Right, limits) {}
  Facts facts;
  std::vector<float> margins;  // where each output's sum starts
  trees::Forest<float> forest;
  std::vector<std::uint32_t> groups;  // the output to which each tree adds
  std::vector<float> treeWeights;     // Dart
  std::vector<float> linear;          // Linear: features + 1 rows of outputs; the last row is the bias
};

class XgboostModel {
 public:
  explicit XgboostModel(Content content) : c_(std::move(content)) {}
  const Facts& facts() const { return c_.facts; }
  std::size_t trees() const { return c_.forest.trees(); }
  // Values per row that predict gives: facts().outputs, or one class for multi:softmax.
  std::size_t columns() const { return c_.facts.objective.transform == Transform::ArgMax ? 1 : c_.facts.outputs; }
  // NaN is missing. Error Invalid names the first infinite value, which xgboost refuses too.
  Result<std::vector<float>> predict(std::span<const double> x, std::size_t rows) const;

 private:
  void sumTrees(const float* row, float* out) const;
  void sumLinear(const float* row, float* out) const;
  Content c_;
};

// Errors carry the file's name in front: Invalid (damaged: what and where), Unimplemented (vector leaves, an unknown
// objective), TooLarge (a bound of trees::Limits).
Result<std::unique_ptr<XgboostModel>> loadXgboostModel(const std::string& path, const trees::Limits& limits = {});
Result<std::unique_ptr<XgboostModel>> parseXgboostModel(std::string_view bytes, const std::string& name,
                                                        const trees::Limits& limits = {});

// The readers. readLegacy takes the layout of xgboost 1.7 and older, with or without "binf" in front.
class Place;
Result<Content> readDocument(const Place& root, const trees::Limits& limits);
Result<Content> readLegacy(std::string_view bytes, const trees::Limits& limits);
// Checks that belong to every layout: counts against each other and bounds. Then the margins follow from `baseScores` (one,
// or one per output).
Status checkFacts(const Facts& facts, const trees::Limits& limits);
Status setMargins(Content& content, std::span<const float> baseScores);

}  // namespace slipway::xgboost
