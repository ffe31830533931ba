// Estimators that ask other estimators: voting and bagging.
#include <numeric>

#include "serving/engines/sklearn/loader.h"
#include "serving/pickle/numpy_values.h"

namespace slipway::sklearn {

namespace {

struct Member {
  EstimatorPtr estimator;
  double weight = 1;
  std::vector<std::size_t> columns;      // the features it sees; empty: all
  std::vector<std::int32_t> classIndex;  // its class number -> ours
};

class Committee : public Estimator {
 public:
  enum class Rule { AverageProba, Votes, AverageValues };
  Committee(Facts facts, std::vector<Member> members, Rule rule)
      : Estimator(std::move(facts)), members_(std::move(members)), rule_(rule) {
    for (const Member& m : members_) total_ += m.weight;
  }

  Status values(Rows x, double* out, Scratch& scratch) const override {
    const std::size_t width = facts_.outputs;
    std::fill(out, out + x.count * width, 0.0);
    for (const Member& m : members_) {
      const Scratch::Frame frame(scratch);
      SLIP_TRY(const Rows in, look(m, x, scratch));
      double* one = scratch.doubles(x.count * width);
      SLIP_CHECK(m.estimator->values(in, one, scratch));
      for (std::size_t i = 0; i < x.count * width; ++i) out[i] += m.weight * one[i];
    }
    for (std::size_t i = 0; i < x.count * width; ++i) out[i] /= total_;
    return {};
  }

  Status proba(Rows x, double* out, Scratch& scratch) const override {
    const std::size_t classes = facts_.classes.size();
    SLIP_CHECK(sum(x, out, scratch));
    for (std::size_t i = 0; i < x.count * classes; ++i) out[i] /= total_;
    return {};
  }

  Status decision(Rows x, double* out, Scratch& scratch) const override {
    const std::size_t count = x.count * facts_.decisions;
    std::fill(out, out + count, 0.0);
    for (const Member& m : members_) {
      const Scratch::Frame frame(scratch);
      SLIP_TRY(const Rows in, look(m, x, scratch));
      double* one = scratch.doubles(count);
      SLIP_CHECK(m.estimator->decision(in, one, scratch));
      for (std::size_t i = 0; i < count; ++i) out[i] += one[i];
    }
    for (std::size_t i = 0; i < count; ++i) out[i] /= static_cast<double>(members_.size());
    return {};
  }

  Status classify(Rows x, std::int32_t* out, Scratch& scratch) const override {
    const std::size_t classes = facts_.classes.size();
    double* sums = scratch.doubles(x.count * classes);
    SLIP_CHECK(rule_ == Rule::Votes ? sum(x, sums, scratch) : proba(x, sums, scratch));
    for (std::size_t i = 0; i < x.count; ++i) out[i] = argmax(sums + i * classes, classes);
    return {};
  }

 private:
  // The columns of x that the member sees, checked as it would check them.
  Result<Rows> look(const Member& m, Rows x, Scratch& scratch) const {
    if (!m.columns.empty()) {
      const std::size_t n = m.columns.size();
      double* in = scratch.doubles(x.count * n);
      for (std::size_t i = 0; i < x.count; ++i) {
        for (std::size_t j = 0; j < n; ++j) in[i * n + j] = x.row(i)[m.columns[j]];
      }
      x = Rows{in, x.count, n};
    }
    SLIP_CHECK(checkValues(m.estimator->facts(), x));
    return x;
  }

  Status sum(Rows x, double* out, Scratch& scratch) const {
    const std::size_t classes = facts_.classes.size();
    std::fill(out, out + x.count * classes, 0.0);
    for (const Member& m : members_) {
      const Scratch::Frame frame(scratch);
      SLIP_TRY(const Rows in, look(m, x, scratch));
      if (rule_ == Rule::Votes) {
        std::int32_t* index = scratch.integers(x.count);
        SLIP_CHECK(m.estimator->classify(in, index, scratch));
        for (std::size_t i = 0; i < x.count; ++i) out[i * classes + m.classIndex[index[i]]] += m.weight;
        continue;
      }
      const std::size_t own = m.classIndex.size();
      double* p = scratch.doubles(x.count * own);
      SLIP_CHECK(m.estimator->proba(in, p, scratch));
      for (std::size_t i = 0; i < x.count; ++i) {
        for (std::size_t c = 0; c < own; ++c) out[i * classes + m.classIndex[c]] += m.weight * p[i * own + c];
      }
    }
    return {};
  }

  std::vector<Member> members_;
  Rule rule_;
  double total_ = 0;
};

// The members of a committee are trained on class numbers: their classes_ are indices into ours.
Status mapClasses(const Fields& fields, const Facts& facts, Member& member) {
  const Labels& own = member.estimator->facts().classes;
  for (std::size_t c = 0; c < own.size(); ++c) {
    const double index = own.type == LabelType::Text      ? -1
                         : own.type >= LabelType::Float32 ? own.reals[c]
                                                          : static_cast<double>(own.integers[c]);
    if (!(index >= 0 && index < static_cast<double>(facts.classes.size()))) {
      return fields.bad("estimators_", "an estimator whose classes are not those of the whole");
    }
    member.classIndex.push_back(static_cast<std::int32_t>(index));
  }
  return {};
}

Result<std::vector<Member>> readMembers(const Fields& fields, Loader& loader, Facts& facts) {
  SLIP_TRY(const pickle::Value* list, fields.get("estimators_"));
  std::vector<Member> members;
  for (const pickle::Value* item : list->items) {
    Member m;
    SLIP_TRY(m.estimator, loader.load(*item, fmt::format("{}.estimators_[{}]", fields.place(), members.size())));
    if (!m.estimator->facts().predicts) return fields.unsupported(m.estimator->facts().className + " in estimators_");
    const bool classifies = m.estimator->facts().kind == ModelKind::Classifier;
    if (classifies != (facts.kind == ModelKind::Classifier))
      return fields.bad("estimators_", "classifiers and regressors mixed");
    if (classifies) SLIP_CHECK(mapClasses(fields, facts, m));
    if (facts.features == 0) facts.features = m.estimator->facts().features;
    members.push_back(std::move(m));
  }
  if (members.empty()) return fields.bad("estimators_", "empty");
  facts.outputs = members[0].estimator->facts().outputs;
  for (const Member& m : members) {
    if (m.estimator->facts().outputs != facts.outputs) return fields.bad("estimators_", "different numbers of outputs");
  }
  facts.predicts = facts.takesNan = facts.takesInfinity = true;  // each member checks what it takes
  return members;
}

// Weights of the estimators that were not dropped.
Status readWeights(const Fields& fields, std::vector<Member>& members) {
  const pickle::Value* weights = fields.find("weights");
  const pickle::Value* named = fields.find("estimators");
  if (weights == nullptr || named == nullptr) return {};
  std::vector<double> all;
  if (weights->is(pickle::Kind::Array)) {
    auto numbers = pickle::reals(*weights->array);
    if (!numbers) return fail(numbers.error());
    all = std::move(*numbers);
  }
  for (const pickle::Value* w : weights->items)
    all.push_back(w->is(pickle::Kind::Float) ? w->real : static_cast<double>(w->integer));
  std::size_t at = 0;
  for (std::size_t i = 0; i < named->items.size() && i < all.size(); ++i) {
    const pickle::Value& pair = *named->items[i];
    if (pair.items.size() == 2 && pair.items[1]->is(pickle::Kind::Text)) continue;  // 'drop'
    if (at < members.size()) members[at++].weight = all[i];
  }
  return at == members.size() ? Status{} : fields.bad("weights", "does not fit estimators_");
}

Status readColumns(const Fields& fields, const Facts& facts, std::vector<Member>& members) {
  if (!fields.has("estimators_features_")) return {};
  SLIP_TRY(const pickle::Value* subsets, fields.get("estimators_features_"));
  if (subsets->items.size() != members.size()) return fields.bad("estimators_features_", "does not fit estimators_");
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (!subsets->items[i]->is(pickle::Kind::Array)) return fields.bad("estimators_features_", "arrays are expected");
    auto columns = pickle::integers(*subsets->items[i]->array);
    if (!columns) return fail(columns.error());
    for (const std::int64_t c : *columns) {
      if (c < 0 || static_cast<std::size_t>(c) >= facts.features) return fields.bad("estimators_features_", "out of range");
      members[i].columns.push_back(static_cast<std::size_t>(c));
    }
  }
  return {};
}

Status checkFeatures(const Fields& fields, const Facts& facts, const std::vector<Member>& members) {
  for (const Member& m : members) {
    const std::size_t given = m.columns.empty() ? facts.features : m.columns.size();
    if (m.estimator->facts().features != given)
      return fields.bad("estimators_", "an estimator of another number of features");
  }
  return {};
}

}  // namespace

Result<EstimatorPtr> loadCommittee(const Fields& fields, Loader& loader) {
  const std::string_view name = fields.className();
  const bool classifier = name == "VotingClassifier" || name == "BaggingClassifier";
  SLIP_TRY(Facts facts, readFacts(fields, classifier ? ModelKind::Classifier : ModelKind::Regressor));
  SLIP_TRY(auto members, readMembers(fields, loader, facts));
  if (name == "VotingClassifier" || name == "VotingRegressor") SLIP_CHECK(readWeights(fields, members));
  SLIP_CHECK(readColumns(fields, facts, members));
  SLIP_CHECK(checkFeatures(fields, facts, members));
  const bool allProba =
      std::all_of(members.begin(), members.end(), [](const Member& m) { return m.estimator->facts().proba; });
  auto rule = Committee::Rule::AverageValues;
  if (name == "VotingClassifier") {
    const bool soft = fields.textOr("voting", "hard") == "soft";
    if (soft && !allProba) return fields.bad("voting", "'soft' with an estimator that has no probabilities");
    rule = soft ? Committee::Rule::AverageProba : Committee::Rule::Votes;
    facts.proba = soft;
  } else if (classifier) {
    rule = allProba ? Committee::Rule::AverageProba : Committee::Rule::Votes;
    facts.proba = true;
    facts.decisions = members[0].estimator->facts().decisions;
    for (const Member& m : members) {
      if (m.estimator->facts().decisions != facts.decisions || m.classIndex.size() != facts.classes.size())
        facts.decisions = 0;
    }
  }
  return std::make_unique<Committee>(std::move(facts), std::move(members), rule);
}

}  // namespace slipway::sklearn
