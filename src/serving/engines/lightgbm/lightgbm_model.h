// A LightGBM model read from its text format (any file name; it starts "tree\n") by our own reader and run by the shared
// forest. predict() answers what Booster.predict answers, to the last bit: comparisons and sums are in doubles, in the
// library's order. Immutable once loaded; any number of threads may use it.
//
//   SLIP_TRY(auto model, loadLightgbmModel("/mnt/models/model.txt"));
//   SLIP_TRY(std::vector<double> y, model->predict(x, rows));   // x: rows * facts().features numbers, row by row
#pragma once
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "serving/engines/trees/forest.h"

namespace slipway::lightgbm {

enum class Transform { Identity, SignedSquare, Exp, Sigmoid, Log1pExp, Softmax };

struct Facts {
  std::string objective;  // "binary sigmoid:1" as the file has it; empty: a custom one, whose raw scores are answered
  Transform transform = Transform::Identity;
  double sigmoid = 1;
  std::size_t features = 0;
  std::vector<std::string> featureNames;
  std::size_t outputs = 1;     // trees per iteration
  bool averageOutput = false;  // boosting=rf
};

// Of a linear tree's leaf: constant + sum of coefficient * feature; its plain value when one of the features is NaN.
struct LinearLeaf {
  double constant = 0;
  std::vector<std::pair<std::uint32_t, double>> terms;
};

struct Content {
  Content(Facts f, trees::Limits limits) : facts(std::move(f)), forest(facts.features, trees::Members::Left, limits) {}
  Facts facts;
  trees::Forest<double> forest;
  std::vector<LinearLeaf> linear;  // by number of the leaf; empty when no tree is linear
};

class LightgbmModel {
 public:
  explicit LightgbmModel(Content content) : c_(std::move(content)) {}
  const Facts& facts() const { return c_.facts; }
  std::size_t trees() const { return c_.forest.trees(); }
  // rows * facts().outputs values. NaN is missing, or what the model's missing_type makes of it.
  std::vector<double> predict(std::span<const double> x, std::size_t rows) const;

 private:
  void sumRow(const double* row, double* out) const;
  Content c_;
};

// Errors carry the file's name in front: Invalid (damaged: what and where), Unimplemented (an objective that is not known),
// TooLarge (a bound of trees::Limits).
Result<std::unique_ptr<LightgbmModel>> loadLightgbmModel(const std::string& path, const trees::Limits& limits = {});
Result<std::unique_ptr<LightgbmModel>> parseLightgbmModel(std::string_view text, const std::string& name,
                                                          const trees::Limits& limits = {});
// The reader.
Result<Content> readText(std::string_view text, const trees::Limits& limits);

}  // namespace slipway::lightgbm
