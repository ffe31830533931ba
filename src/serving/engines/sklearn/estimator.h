// What every compiled estimator is: a few facts and up to four batch methods. One subclass per family, in its own file; they
// are made by loader.h from the inert values of the file and never change afterwards.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "serving/engines/sklearn/scratch.h"
#include "serving/engines/sklearn/sklearn_model.h"

namespace slipway::sklearn {

// A row-major matrix that somebody else owns.
struct Rows {
  const double* data = nullptr;
  std::size_t count = 0;
  std::size_t columns = 0;

  const double* row(std::size_t i) const { return data + i * columns; }
};

struct Facts {
  std::string className;
  ModelKind kind = ModelKind::Transformer;
  std::size_t features = 0;
  std::vector<std::string> featureNames;
  Labels classes;               // classifiers
  std::size_t outputs = 1;      // columns of values()
  std::size_t transformed = 0;  // columns of transform(); 0: none
  std::size_t decisions = 0;    // columns of decision(); 0: none
  bool predicts = false;
  bool proba = false;                        // columns of proba(): classes.size()
  LabelType valueType = LabelType::Float64;  // what predict() of a non-classifier answers in
  bool takesNan = false;
  bool takesInfinity = false;
  bool narrows = false;  // computes on float32(x): values beyond its range count as infinite
};

// Methods may assume that x.columns == features and that x was checked for NaN. They write to `out`, row by row.
class Estimator {
 public:
  explicit Estimator(Facts facts) : facts_(std::move(facts)) {}
  virtual ~Estimator() = default;
  const Facts& facts() const { return facts_; }

  // Classifiers: the index of each row's class; out[count].
  virtual Status classify(Rows x, std::int32_t* out, Scratch& scratch) const;
  // Regressors and the rest: predicted values; out[count * outputs].
  virtual Status values(Rows x, double* out, Scratch& scratch) const;
  virtual Status proba(Rows x, double* out, Scratch& scratch) const;      // out[count * classes]
  virtual Status decision(Rows x, double* out, Scratch& scratch) const;   // out[count * decisions]
  virtual Status transform(Rows x, double* out, Scratch& scratch) const;  // out[count * transformed]

 protected:
  Facts facts_;
};

using EstimatorPtr = std::unique_ptr<const Estimator>;

// Invalid "Input X contains NaN. …" when x holds what this estimator refuses.
Status checkValues(const Facts& facts, Rows x);

// Index of the largest value; the first one on a tie, as numpy.argmax.
inline std::int32_t argmax(const double* values, std::size_t count) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < count; ++i) {
    if (values[i] > values[best]) best = i;
  }
  return static_cast<std::int32_t>(best);
}
void softmaxRow(double* values, std::size_t count);  // in place, as sklearn.utils.extmath.softmax
double expit(double x);                              // 1 / (1 + exp(-x)) without overflow

}  // namespace slipway::sklearn
