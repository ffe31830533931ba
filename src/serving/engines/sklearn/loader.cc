#include "serving/engines/sklearn/loader.h"

#include "serving/pickle/numpy_values.h"

namespace slipway::sklearn {

using pickle::Kind;

namespace {
constexpr int kDeepest = 16;  // estimators inside estimators

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
  if (depth_ >= kDeepest) return fail(Code::TooLarge, fmt::format("{}: estimators nested deeper than {}", at, kDeepest));
  ++depth_;
  auto made = family->build(Fields(object, at), *this);
  --depth_;
  return made;
}

Result<Facts> readFacts(const Fields& fields, ModelKind kind) {
  Facts facts;
  facts.className = std::string(fields.className());
  facts.kind = kind;
  const std::int64_t features = fields.integerOr("n_features_in_", fields.integerOr("n_features_", 0));
  facts.features = features > 0 ? static_cast<std::size_t>(features) : 0;
  const pickle::Value* names = fields.find("feature_names_in_");
  if (names != nullptr && names->is(Kind::Array)) {
    auto texts = pickle::texts(*names->array);
    if (texts) facts.featureNames = std::move(*texts);
  }
  if (kind == ModelKind::Classifier) {
    SLIP_TRY(facts.classes, fields.labels("classes_"));
    if (facts.classes.size() == 0) return fields.bad("classes_", "empty");
  }
  return facts;
}

}  // namespace slipway::sklearn
