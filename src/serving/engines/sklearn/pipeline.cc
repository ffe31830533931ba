// Pipeline: transformers in a row, then the estimator whose answer it gives. And GridSearchCV and its kin, a pipeline of
// one.
#include "serving/engines/sklearn/loader.h"

namespace slipway::sklearn {

namespace {

class Pipeline : public Estimator {
 public:
  Pipeline(Facts facts, std::vector<EstimatorPtr> steps, EstimatorPtr last)
      : Estimator(std::move(facts)), steps_(std::move(steps)), last_(std::move(last)) {}

  Status classify(Rows x, std::int32_t* out, Scratch& scratch) const override {
    SLIP_TRY(const Rows in, prepare(x, scratch));
    return last_->classify(in, out, scratch);
  }
  Status values(Rows x, double* out, Scratch& scratch) const override {
    SLIP_TRY(const Rows in, prepare(x, scratch));
    return last_->values(in, out, scratch);
  }
  Status proba(Rows x, double* out, Scratch& scratch) const override {
    SLIP_TRY(const Rows in, prepare(x, scratch));
    return last_->proba(in, out, scratch);
  }
  Status decision(Rows x, double* out, Scratch& scratch) const override {
    SLIP_TRY(const Rows in, prepare(x, scratch));
    return last_->decision(in, out, scratch);
  }
  Status transform(Rows x, double* out, Scratch& scratch) const override {
    SLIP_TRY(const Rows in, prepare(x, scratch));
    return last_->transform(in, out, scratch);
  }

 private:
  // What the last step sees, checked as it would check it itself.
  Result<Rows> prepare(Rows x, Scratch& scratch) const {
    for (const EstimatorPtr& step : steps_) {
      SLIP_CHECK(checkValues(step->facts(), x));
      double* out = scratch.doubles(x.count * step->facts().transformed);
      SLIP_CHECK(step->transform(x, out, scratch));
      x = Rows{out, x.count, step->facts().transformed};
    }
    SLIP_CHECK(checkValues(last_->facts(), x));
    return x;
  }

  std::vector<EstimatorPtr> steps_;  // all but the last
  EstimatorPtr last_;
};

bool isPassthrough(const pickle::Value& v) { return v.isNone() || (v.is(pickle::Kind::Text) && v.text == "passthrough"); }

Result<std::vector<EstimatorPtr>> loadSteps(const Fields& fields, Loader& loader) {
  SLIP_TRY(const pickle::Value* list, fields.get("steps"));
  std::vector<EstimatorPtr> steps;
  for (const pickle::Value* step : list->items) {
    if (step->items.size() != 2) return fields.bad("steps", "a (name, estimator) pair is expected");
    if (isPassthrough(*step->items[1])) continue;
    SLIP_TRY(auto made, loader.load(*step->items[1], fmt::format("{} step '{}'", fields.place(), step->items[0]->text)));
    if (!steps.empty()) {
      const Facts& before = steps.back()->facts();
      if (before.transformed == 0) return fields.unsupported("step " + before.className + " before the last");
      if (made->facts().features != before.transformed && made->facts().features != 0) {
        return fields.bad("steps", fmt::format("{} takes {} features, {} gives {}", made->facts().className,
                                               made->facts().features, before.className, before.transformed));
      }
    }
    steps.push_back(std::move(made));
  }
  if (steps.empty()) return fields.unsupported("a pipeline without steps");
  return steps;
}

}  // namespace

Result<EstimatorPtr> loadPipeline(const Fields& fields, Loader& loader) {
  SLIP_TRY(auto steps, loadSteps(fields, loader));
  EstimatorPtr last = std::move(steps.back());
  steps.pop_back();
  Facts facts = last->facts();
  facts.className = std::string(fields.className());
  if (!steps.empty()) {
    const Facts& first = steps.front()->facts();
    facts.features = first.features;
    facts.featureNames = first.featureNames;
  }
  // Each step checks for itself what it takes.
  facts.takesNan = facts.takesInfinity = true;
  return std::make_unique<Pipeline>(std::move(facts), std::move(steps), std::move(last));
}

// A parameter search answers with the best estimator it found, fitted again on all data (refit=True).
Result<EstimatorPtr> loadSearch(const Fields& fields, Loader& loader) {
  if (!fields.has("best_estimator_")) return fields.bad("best_estimator_", "missing: search again with refit=True");
  SLIP_TRY(const pickle::Value* best, fields.get("best_estimator_"));
  SLIP_TRY(auto made, loader.load(*best, fields.place() + ".best_estimator_"));
  Facts facts = made->facts();
  facts.className = std::string(fields.className());
  facts.takesNan = facts.takesInfinity = true;  // the estimator checks for itself
  return std::make_unique<Pipeline>(std::move(facts), std::vector<EstimatorPtr>(), std::move(made));
}

}  // namespace slipway::sklearn
