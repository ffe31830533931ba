#include "serving/engines/sklearn/loader.h"

#include "serving/pickle/numpy_values.h"

namespace slipway::sklearn {

using pickle::Kind;

namespace {
constexpr int kDeepest = 16;  // estimators inside estimators
constexpr std::size_t kMostFeatures = 100'000'000;

const Family* findFamily(std::string_view name) {
  for (const Family& f : families()) {
    if (f.className == name) return &f;
  }
  return nullptr;
}

}  // namespace

Result<EstimatorPtr> Loader::load(const pickle::Value& object, const std::string& place) {
  const std::string at = place.empty() ? std::string(object.className()) : fmt::format("{} ({})", place, object.className());
  if (!object.is(Kind::Object)) {
    return fail(Code::Invalid, fmt::format("{}: a scikit-learn estimator is expected, found {}",
                                           place.empty() ? "the file" : place, object.describe()));
  }
  const Family* family = findFamily(object.className());
  if (family == nullptr) return fail(Code::Unimplemented, at + ": this class can be read but not served");
  if (allowance_.estimators == 0) return fail(Code::TooLarge, at + ": more than 100000 estimators in one model");
  --allowance_.estimators;
  if (depth_ >= kDeepest) return fail(Code::TooLarge, fmt::format("{}: estimators nested deeper than {}", at, kDeepest));
  ++depth_;
  auto made = family->build(Fields(object, at, allowance_), *this);
  --depth_;
  return made;
}

Result<Facts> readFacts(const Fields& fields, ModelKind kind) {
  Facts facts;
  facts.className = std::string(fields.className());
  facts.kind = kind;
  const std::int64_t features = fields.integerOr("n_features_in_", fields.integerOr("n_features_", 0));
  facts.features = features > 0 ? static_cast<std::size_t>(features) : 0;
  if (facts.features > kMostFeatures) return fields.bad("n_features_in_", "more than a hundred million features");
  if (fields.has("feature_names_in_")) {
    SLIP_TRY(const pickle::Array* names, fields.array("feature_names_in_"));
    auto texts = pickle::texts(*names);
    if (texts) facts.featureNames = std::move(*texts);
  }
  if (kind == ModelKind::Classifier) {
    SLIP_TRY(facts.classes, fields.labels("classes_"));
    if (facts.classes.size() == 0) return fields.bad("classes_", "empty");
  }
  return facts;
}

}  // namespace slipway::sklearn
