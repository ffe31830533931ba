#include "serving/engines/sklearn/sklearn_model.h"

#include <charconv>
#include <filesystem>

#include "serving/engines/sklearn/loader.h"
#include "serving/engines/sklearn/version.h"
#include "serving/pickle/unpack.h"
#include "serving/pickle/unpickler.h"

namespace slipway::sklearn {

Version parseVersion(const std::string& text) {
  Version v{0, 0};
  const char* end = text.data() + text.size();
  const auto [dot, ec] = std::from_chars(text.data(), end, v.first);
  if (ec == std::errc() && dot != end) std::from_chars(dot + 1, end, v.second);
  return v;
}

std::string versionText(const pickle::Value& estimator) {
  const pickle::Value* v = estimator.attribute("_sklearn_version");
  return v != nullptr && v->is(pickle::Kind::Text) ? std::string(v->text) : "";
}

std::string Labels::at(std::size_t i) const {
  if (type == LabelType::Text) return texts[i];
  if (type >= LabelType::Float32) return fmt::format("{}", reals[i]);
  if (type == LabelType::Bool) return integers[i] != 0 ? "True" : "False";
  return std::to_string(integers[i]);
}

namespace {

// The classes of each row, picked by index.
Labels pick(const Labels& classes, const std::int32_t* index, std::size_t count) {
  Labels out;
  out.type = classes.type;
  if (classes.type == LabelType::Text) {
    out.texts.reserve(count);
    for (std::size_t i = 0; i < count; ++i) out.texts.push_back(classes.texts[index[i]]);
  } else if (classes.type >= LabelType::Float32) {
    out.reals.reserve(count);
    for (std::size_t i = 0; i < count; ++i) out.reals.push_back(classes.reals[index[i]]);
  } else {
    out.integers.reserve(count);
    for (std::size_t i = 0; i < count; ++i) out.integers.push_back(classes.integers[index[i]]);
  }
  return out;
}

}  // namespace

SklearnModel::SklearnModel(std::unique_ptr<const Estimator> estimator, std::string version)
    : estimator_(std::move(estimator)), version_(std::move(version)) {}
SklearnModel::~SklearnModel() = default;

ModelKind SklearnModel::kind() const { return estimator_->facts().kind; }
const std::string& SklearnModel::className() const { return estimator_->facts().className; }
std::size_t SklearnModel::features() const { return estimator_->facts().features; }
const std::vector<std::string>& SklearnModel::featureNames() const { return estimator_->facts().featureNames; }
const Labels& SklearnModel::classes() const { return estimator_->facts().classes; }
std::size_t SklearnModel::outputs() const { return estimator_->facts().outputs; }
bool SklearnModel::canPredict() const { return estimator_->facts().predicts; }
bool SklearnModel::hasProba() const { return estimator_->facts().proba; }
bool SklearnModel::hasDecision() const { return estimator_->facts().decisions > 0; }
bool SklearnModel::canTransform() const { return estimator_->facts().transformed > 0; }

Result<Rows> SklearnModel::check(std::span<const double> x, std::size_t rows) const {
  const Facts& facts = estimator_->facts();
  if (rows == 0) {
    return fail(Code::Invalid,
                fmt::format("Found array with 0 sample(s) (shape=(0, {})) while a minimum of 1 is required by {}.",
                            facts.features, facts.className));
  }
  // Old dummy estimators do not say how many features they saw: any number will do.
  const std::size_t columns = x.size() / rows;
  if (x.size() % rows != 0 || columns == 0 || (facts.features != 0 && columns != facts.features)) {
    return fail(Code::Invalid, fmt::format("X has {} features, but {} is expecting {} features as input.", x.size() / rows,
                                           facts.className, facts.features));
  }
  const Rows in{x.data(), rows, columns};
  SLIP_CHECK(checkValues(facts, in));
  return in;
}

Result<Labels> SklearnModel::predict(std::span<const double> x, std::size_t rows) const {
  SLIP_TRY(const Rows in, check(x, rows));
  const Facts& facts = estimator_->facts();
  Scratch scratch;
  if (facts.kind == ModelKind::Classifier) {
    std::int32_t* index = scratch.integers(rows);
    SLIP_CHECK(estimator_->classify(in, index, scratch));
    const auto classes = static_cast<std::int32_t>(facts.classes.size());
    if (std::any_of(index, index + rows, [classes](std::int32_t c) { return c < 0 || c >= classes; })) {
      return fail(Code::Internal, facts.className + ": predicted a class that it does not have");
    }
    return pick(facts.classes, index, rows);
  }
  Labels out;
  out.type = facts.valueType;
  const std::size_t count = rows * facts.outputs;
  if (out.type >= LabelType::Float32) {
    out.reals.resize(count);
    SLIP_CHECK(estimator_->values(in, out.reals.data(), scratch));
    return out;
  }
  double* values = scratch.doubles(count);
  SLIP_CHECK(estimator_->values(in, values, scratch));
  out.integers.assign(values, values + count);
  return out;
}

Result<Table> SklearnModel::predictProba(std::span<const double> x, std::size_t rows) const {
  SLIP_TRY(const Rows in, check(x, rows));
  const Facts& facts = estimator_->facts();
  if (!facts.proba)
    return fail(Code::Unimplemented, fmt::format("'{}' object has no attribute 'predict_proba'", facts.className));
  Scratch scratch;
  Table out{std::vector<double>(rows * facts.classes.size()), facts.classes.size()};
  SLIP_CHECK(estimator_->proba(in, out.values.data(), scratch));
  return out;
}

Result<Table> SklearnModel::decisionFunction(std::span<const double> x, std::size_t rows) const {
  SLIP_TRY(const Rows in, check(x, rows));
  const Facts& facts = estimator_->facts();
  if (facts.decisions == 0) {
    return fail(Code::Unimplemented, fmt::format("'{}' object has no attribute 'decision_function'", facts.className));
  }
  Scratch scratch;
  Table out{std::vector<double>(rows * facts.decisions), facts.decisions};
  SLIP_CHECK(estimator_->decision(in, out.values.data(), scratch));
  return out;
}

Result<Table> SklearnModel::transform(std::span<const double> x, std::size_t rows) const {
  SLIP_TRY(const Rows in, check(x, rows));
  const Facts& facts = estimator_->facts();
  if (facts.transformed == 0) {
    return fail(Code::Unimplemented, fmt::format("'{}' object has no attribute 'transform'", facts.className));
  }
  Scratch scratch;
  Table out{std::vector<double>(rows * facts.transformed), facts.transformed};
  SLIP_CHECK(estimator_->transform(in, out.values.data(), scratch));
  return out;
}

namespace {

Result<SharedSklearnModel> parse(std::string bytes, const pickle::Limits& limits) {
  SLIP_TRY(auto plain, pickle::unpack(std::move(bytes), limits));
  SLIP_TRY(auto document, pickle::read(std::move(plain), classList(), limits));
  Loader loader(limits.modelBytes);
  SLIP_TRY(auto estimator, loader.load(document->root(), ""));
  return std::make_shared<const SklearnModel>(std::move(estimator), versionText(document->root()));
}

}  // namespace

Result<SharedSklearnModel> parseSklearnModel(std::string bytes, const std::string& name, const pickle::Limits& limits) {
  auto model = parse(std::move(bytes), limits);
  if (!model) return failIn(name, model.error());
  return model;
}

Result<SharedSklearnModel> loadSklearnModel(const std::string& path, const pickle::Limits& limits) {
  const std::string name = std::filesystem::path(path).filename().string();
  auto bytes = pickle::readModelFile(path, limits);
  if (!bytes) return failIn(name, bytes.error());
  return parseSklearnModel(std::move(*bytes), name, limits);
}

}  // namespace slipway::sklearn
