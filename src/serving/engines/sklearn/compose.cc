// ColumnTransformer and FeatureUnion: several transformers beside each other.
#include <numeric>

#include "serving/engines/sklearn/loader.h"
#include "serving/pickle/numpy_values.h"

namespace slipway::sklearn {

namespace {

using pickle::Kind;

struct Part {
  EstimatorPtr transformer;          // null: the columns as they are
  std::vector<std::size_t> columns;  // which it sees
  double weight = 1;

  std::size_t width() const { return transformer ? transformer->facts().transformed : columns.size(); }
};

class Parts : public Estimator {
 public:
  Parts(Facts facts, std::vector<Part> parts) : Estimator(std::move(facts)), parts_(std::move(parts)) {}

  Status transform(Rows x, double* out, Scratch& scratch) const override {
    std::size_t at = 0;
    for (const Part& part : parts_) {
      const Scratch::Frame frame(scratch);
      const std::size_t n = part.columns.size();
      double* in = scratch.doubles(x.count * n);
      for (std::size_t i = 0; i < x.count; ++i) {
        for (std::size_t j = 0; j < n; ++j) in[i * n + j] = x.row(i)[part.columns[j]];
      }
      const double* made = in;
      if (part.transformer) {
        const Rows rows{in, x.count, n};
        SLIP_CHECK(checkValues(part.transformer->facts(), rows));
        double* target = scratch.doubles(x.count * part.width());
        SLIP_CHECK(part.transformer->transform(rows, target, scratch));
        made = target;
      }
      for (std::size_t i = 0; i < x.count; ++i) {
        double* row = out + i * facts_.transformed + at;
        for (std::size_t j = 0; j < part.width(); ++j) row[j] = made[i * part.width() + j] * part.weight;
      }
      at += part.width();
    }
    return {};
  }

 private:
  std::vector<Part> parts_;
};

// A column specification of a ColumnTransformer: positions, a slice, a mask or names.
Result<std::vector<std::size_t>> columnsOf(const Fields& fields, const pickle::Value& spec, const Facts& facts) {
  std::vector<std::size_t> columns;
  const auto position = [&](std::int64_t i) {
    if (i < 0) i += static_cast<std::int64_t>(facts.features);
    if (i < 0 || static_cast<std::size_t>(i) >= facts.features) return false;
    columns.push_back(static_cast<std::size_t>(i));
    return true;
  };
  const auto named = [&](std::string_view name) {
    const auto at = std::find(facts.featureNames.begin(), facts.featureNames.end(), name);
    return at != facts.featureNames.end() && position(at - facts.featureNames.begin());
  };
  const auto one = [&](const pickle::Value& v, std::size_t index) {
    if (v.is(Kind::Bool)) return v.integer == 0 || position(static_cast<std::int64_t>(index));
    return v.is(Kind::Int) ? position(v.integer) : v.is(Kind::Text) && named(v.text);
  };
  bool good = true;
  if (spec.is(Kind::List) || spec.is(Kind::Tuple)) {
    for (std::size_t i = 0; i < spec.items.size(); ++i) good = good && one(*spec.items[i], i);
  } else if (spec.is(Kind::Array) && spec.array->type.kind == 'U') {
    SLIP_TRY(auto names, pickle::texts(*spec.array));
    for (const auto& n : names) good = good && named(n);
  } else if (spec.is(Kind::Array)) {
    SLIP_TRY(auto numbers, pickle::integers(*spec.array));
    const bool mask = spec.array->type.kind == 'b';
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      good = good && (mask ? numbers[i] == 0 || position(static_cast<std::int64_t>(i)) : position(numbers[i]));
    }
  } else {
    return fields.unsupported("a column selection by " + spec.describe());
  }
  if (!good) return fields.bad("transformers_", "a column that the training data did not have");
  SLIP_CHECK(fields.charge(columns.size() * sizeof(std::size_t)));
  return columns;
}

// Since 1.0 the fitted object carries the resolved columns of each transformer.
Result<std::vector<std::size_t>> columnsOfTransformer(const Fields& fields, const pickle::Value& step, const Facts& facts) {
  const pickle::Value* resolved = fields.find("_transformer_to_input_indices");
  const pickle::Value* columns = resolved != nullptr ? resolved->find(step.items[0]->text) : nullptr;
  return columnsOf(fields, columns != nullptr ? *columns : *step.items[2], facts);
}

double weightOf(const Fields& fields, std::string_view name) {
  const pickle::Value* weights = fields.find("transformer_weights");
  const pickle::Value* w = weights != nullptr ? weights->find(name) : nullptr;
  if (w == nullptr) return 1;
  return w->is(Kind::Float) ? w->real : w->is(Kind::Int) ? static_cast<double>(w->integer) : 1;
}

bool isWord(const pickle::Value& v, std::string_view word) { return v.is(Kind::Text) && v.text == word; }

Status addPart(const Fields& fields, Loader& loader, const pickle::Value& step, Part part, std::vector<Part>& parts) {
  if (!isWord(*step.items[1], "passthrough")) {
    auto made = loader.load(*step.items[1], fmt::format("{} part '{}'", fields.place(), step.items[0]->text));
    if (!made) return fail(made.error());
    part.transformer = std::move(*made);
    const Facts& f = part.transformer->facts();
    if (f.transformed == 0) return fields.unsupported(f.className + " as a transformer");
    if (f.features != part.columns.size()) return fields.bad("transformers", f.className + " does not fit its columns");
  }
  part.weight = weightOf(fields, step.items[0]->text);
  parts.push_back(std::move(part));
  return {};
}

Result<EstimatorPtr> finish(const Fields& fields, Facts facts, std::vector<Part> parts) {
  for (const Part& p : parts) facts.transformed += p.width();
  if (facts.transformed == 0) return fields.unsupported("a transformer without columns");
  facts.takesNan = facts.takesInfinity = true;  // each part checks its own columns
  return std::make_unique<Parts>(std::move(facts), std::move(parts));
}

}  // namespace

Result<EstimatorPtr> loadColumnTransformer(const Fields& fields, Loader& loader) {
  SLIP_TRY(Facts facts, readFacts(fields, ModelKind::Transformer));
  if (facts.features == 0)
    facts.features = static_cast<std::size_t>(std::max<std::int64_t>(0, fields.integerOr("_n_features", 0)));
  SLIP_TRY(const pickle::Value* list, fields.get("transformers_"));
  std::vector<Part> parts;
  for (const pickle::Value* step : list->items) {
    if (step->items.size() != 3) return fields.bad("transformers_", "(name, transformer, columns) is expected");
    if (isWord(*step->items[1], "drop")) continue;
    Part part;
    SLIP_TRY(part.columns, columnsOfTransformer(fields, *step, facts));
    if (!part.columns.empty()) SLIP_CHECK(addPart(fields, loader, *step, std::move(part), parts));
  }
  return finish(fields, std::move(facts), std::move(parts));
}

Result<EstimatorPtr> loadFeatureUnion(const Fields& fields, Loader& loader) {
  SLIP_TRY(Facts facts, readFacts(fields, ModelKind::Transformer));
  SLIP_TRY(const pickle::Value* list, fields.get("transformer_list"));
  std::vector<Part> parts;
  for (const pickle::Value* step : list->items) {
    if (step->items.size() != 2) return fields.bad("transformer_list", "(name, transformer) is expected");
    if (isWord(*step->items[1], "drop") || step->items[1]->isNone()) continue;
    if (facts.features == 0) {
      SLIP_TRY(auto probe, loader.load(*step->items[1], fields.place()));
      facts.features = probe->facts().features;
      facts.featureNames = probe->facts().featureNames;
    }
    Part part;
    SLIP_CHECK(fields.charge(facts.features * sizeof(std::size_t)));
    part.columns.resize(facts.features);
    std::iota(part.columns.begin(), part.columns.end(), std::size_t{0});
    SLIP_CHECK(addPart(fields, loader, *step, std::move(part), parts));
  }
  return finish(fields, std::move(facts), std::move(parts));
}

}  // namespace slipway::sklearn
