// SimpleImputer, OneHotEncoder and OrdinalEncoder (of numbers), Normalizer, Binarizer, PolynomialFeatures,
// FunctionTransformer and the feature selectors that keep a mask.
#include <cmath>
#include <limits>

#include "serving/engines/sklearn/loader.h"
#include "serving/pickle/numpy_values.h"

namespace slipway::sklearn {

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

class Imputer : public Estimator {
 public:
  Imputer(Facts facts, std::vector<double> fill, std::vector<std::size_t> kept, double missing)
      : Estimator(std::move(facts)), fill_(std::move(fill)), kept_(std::move(kept)), missing_(missing) {}
  Status transform(Rows x, double* out, Scratch&) const override {
    for (std::size_t i = 0; i < x.count; ++i) {
      for (const std::size_t j : kept_) {
        const double v = x.row(i)[j];
        *out++ = v == missing_ || (std::isnan(missing_) && std::isnan(v)) ? fill_[j] : v;
      }
    }
    return {};
  }

 private:
  std::vector<double> fill_;
  std::vector<std::size_t> kept_;  // columns that had a value in training
  double missing_;
};

class Encoder : public Estimator {
 public:
  struct Column {
    std::vector<double> categories;  // sorted; NaN last
    std::size_t width = 1;           // columns it becomes; ordinal: 1
    std::ptrdiff_t drop = -1;        // one-hot: the category without a column
  };
  Encoder(Facts facts, std::vector<Column> columns, bool oneHot, bool refuseUnknown, double unknown, double missing)
      : Estimator(std::move(facts)),
        columns_(std::move(columns)),
        oneHot_(oneHot),
        refuse_(refuseUnknown),
        unknown_(unknown),
        missing_(missing) {}

  Status transform(Rows x, double* out, Scratch&) const override {
    for (std::size_t i = 0; i < x.count; ++i) {
      for (std::size_t j = 0; j < columns_.size(); ++j) {
        const Column& c = columns_[j];
        const std::ptrdiff_t at = find(c, x.row(i)[j]);
        if (at < 0 && refuse_) {
          return fail(Code::Invalid, fmt::format("Found unknown categories [{}] in column {} during transform (row {})",
                                                 x.row(i)[j], j, i));
        }
        if (oneHot_) {
          std::fill(out, out + c.width, 0.0);
          if (at >= 0 && at != c.drop) out[at - (c.drop >= 0 && at > c.drop ? 1 : 0)] = 1;
        } else {
          *out = at < 0                                                   ? unknown_
                 : std::isnan(c.categories[static_cast<std::size_t>(at)]) ? missing_
                                                                          : static_cast<double>(at);
        }
        out += c.width;
      }
    }
    return {};
  }

 private:
  static std::ptrdiff_t find(const Column& c, double v) {
    const auto end = c.categories.end() - (!c.categories.empty() && std::isnan(c.categories.back()) ? 1 : 0);
    if (std::isnan(v)) return end != c.categories.end() ? end - c.categories.begin() : -1;
    const auto at = std::lower_bound(c.categories.begin(), end, v);
    return at != end && *at == v ? at - c.categories.begin() : -1;
  }

  std::vector<Column> columns_;
  bool oneHot_;
  bool refuse_;
  double unknown_;
  double missing_;
};

Result<std::vector<Encoder::Column>> readCategories(const Fields& fields) {
  SLIP_TRY(const pickle::Value* list, fields.get("categories_"));
  std::vector<Encoder::Column> columns;
  for (const pickle::Value* item : list->items) {
    if (!item->is(pickle::Kind::Array)) return fields.bad("categories_", "arrays are expected");
    auto numbers = pickle::reals(*item->array);
    if (!numbers) return fields.unsupported("encoding of text categories");
    if (!std::is_sorted(numbers->begin(), numbers->end() - (numbers->empty() || !std::isnan(numbers->back()) ? 0 : 1))) {
      return fields.unsupported("categories that are not sorted");
    }
    columns.push_back({std::move(*numbers), 1, -1});
  }
  return columns;
}

// drop_idx_: per column the dropped category, or None; or None for all.
Status readDropped(const Fields& fields, std::vector<Encoder::Column>& columns) {
  for (Encoder::Column& c : columns) c.width = c.categories.size();
  const pickle::Value* drop = fields.find("drop_idx_");
  if (drop == nullptr) return {};
  if (!drop->is(pickle::Kind::Array) || drop->array->size != columns.size())
    return fields.bad("drop_idx_", "does not fit categories_");
  auto numbers = pickle::integers(*drop->array);
  for (std::size_t j = 0; j < columns.size(); ++j) {
    const pickle::Value* v = drop->array->type.kind == 'O' ? drop->array->objects[j] : nullptr;
    if (v != nullptr && !v->is(pickle::Kind::Int)) continue;
    if (v == nullptr && !numbers) return fail(numbers.error());
    columns[j].drop = static_cast<std::ptrdiff_t>(v != nullptr ? v->integer : (*numbers)[j]);
    if (columns[j].drop < 0 || static_cast<std::size_t>(columns[j].drop) >= columns[j].width)
      return fields.bad("drop_idx_", "out of range");
    --columns[j].width;
  }
  return {};
}

class Polynomial : public Estimator {
 public:
  Polynomial(Facts facts, std::vector<std::vector<std::size_t>> terms)
      : Estimator(std::move(facts)), terms_(std::move(terms)) {}
  Status transform(Rows x, double* out, Scratch&) const override {
    for (std::size_t i = 0; i < x.count; ++i) {
      for (const auto& term : terms_) {
        double product = 1;
        for (const std::size_t j : term) product *= x.row(i)[j];
        *out++ = product;
      }
    }
    return {};
  }

 private:
  std::vector<std::vector<std::size_t>> terms_;  // columns to multiply; empty: the constant 1
};

class RowRule : public Estimator {
 public:
  RowRule(Facts facts, std::function<void(const double*, std::size_t, double*)> rule)
      : Estimator(std::move(facts)), rule_(std::move(rule)) {}
  Status transform(Rows x, double* out, Scratch&) const override {
    for (std::size_t i = 0; i < x.count; ++i) rule_(x.row(i), x.columns, out + i * facts_.transformed);
    return {};
  }

 private:
  std::function<void(const double*, std::size_t, double*)> rule_;
};

Result<EstimatorPtr> rowRule(Facts facts, std::function<void(const double*, std::size_t, double*)> rule) {
  if (facts.transformed == 0) facts.transformed = facts.features;
  return std::make_unique<RowRule>(std::move(facts), std::move(rule));
}

}  // namespace

Result<EstimatorPtr> loadImputer(const Fields& fields, Loader&) {
  SLIP_TRY(Facts facts, readFacts(fields, ModelKind::Transformer));
  if (fields.has("indicator_")) return fields.unsupported("add_indicator=True");
  SLIP_TRY(auto fill, fields.vector("statistics_"));
  if (facts.features == 0) facts.features = fill.size();
  if (fill.size() != facts.features) return fields.bad("statistics_", "does not fit n_features_in_");
  const bool keepEmpty = fields.flag("keep_empty_features", false) || fields.textOr("strategy", "mean") == "constant";
  std::vector<std::size_t> kept;
  for (std::size_t j = 0; j < fill.size(); ++j) {
    if (!std::isnan(fill[j]) || keepEmpty) kept.push_back(j);
  }
  if (kept.empty()) return fields.bad("statistics_", "no column had a value");
  const double missing = fields.numberOr("missing_values", kNan);
  facts.takesNan = std::isnan(missing);
  facts.transformed = kept.size();
  return std::make_unique<Imputer>(std::move(facts), std::move(fill), std::move(kept), missing);
}

Result<EstimatorPtr> loadEncoder(const Fields& fields, Loader&) {
  const bool oneHot = fields.className() == "OneHotEncoder";
  SLIP_TRY(Facts facts, readFacts(fields, ModelKind::Transformer));
  if (fields.flag("_infrequent_enabled", false)) return fields.unsupported("grouping of infrequent categories");
  SLIP_TRY(auto columns, readCategories(fields));
  if (columns.empty()) return fields.bad("categories_", "empty");
  if (oneHot) SLIP_CHECK(readDropped(fields, columns));
  facts.features = columns.size();
  for (const auto& c : columns) facts.transformed += c.width;
  if (facts.transformed == 0) return fields.bad("categories_", "no column is left");
  facts.takesNan = true;
  const bool refuse = fields.textOr("handle_unknown", "error") == "error";
  const double unknown = fields.numberOr("unknown_value", kNan);
  const double missing = fields.numberOr("encoded_missing_value", kNan);
  return std::make_unique<Encoder>(std::move(facts), std::move(columns), oneHot, refuse, unknown, missing);
}

Result<EstimatorPtr> loadNormalizer(const Fields& fields, Loader&) {
  SLIP_TRY(Facts facts, readFacts(fields, ModelKind::Transformer));
  if (facts.features == 0) return fields.bad("n_features_in_", "missing");
  const std::string norm = fields.textOr("norm", "l2");
  if (norm != "l1" && norm != "l2" && norm != "max") return fields.unsupported("norm '" + norm + "'");
  return rowRule(std::move(facts), [norm](const double* row, std::size_t n, double* out) {
    double size = 0;
    for (std::size_t j = 0; j < n; ++j) {
      const double v = std::abs(row[j]);
      size = norm == "max" ? std::max(size, v) : size + (norm == "l2" ? v * v : v);
    }
    if (norm == "l2") size = std::sqrt(size);
    for (std::size_t j = 0; j < n; ++j) out[j] = size == 0 ? row[j] : row[j] / size;
  });
}

Result<EstimatorPtr> loadBinarizer(const Fields& fields, Loader&) {
  SLIP_TRY(Facts facts, readFacts(fields, ModelKind::Transformer));
  if (facts.features == 0) return fields.bad("n_features_in_", "missing");
  const double threshold = fields.numberOr("threshold", 0);
  return rowRule(std::move(facts), [threshold](const double* row, std::size_t n, double* out) {
    for (std::size_t j = 0; j < n; ++j) out[j] = row[j] > threshold ? 1 : 0;
  });
}

namespace {

double (*functionNamed(std::string_view name))(double) {
  if (name == "log1p") return std::log1p;
  if (name == "expm1") return std::expm1;
  if (name == "log") return std::log;
  if (name == "log2") return std::log2;
  if (name == "log10") return std::log10;
  if (name == "exp") return std::exp;
  if (name == "sqrt") return std::sqrt;
  if (name == "square") return [](double v) { return v * v; };
  if (name == "absolute" || name == "fabs") return [](double v) { return std::abs(v); };
  return nullptr;
}

}  // namespace

// func is None or one of numpy's plain functions, known by name; any other is code, which we do not run.
Result<EstimatorPtr> loadFunctionTransformer(const Fields& fields, Loader&) {
  SLIP_TRY(Facts facts, readFacts(fields, ModelKind::Transformer));
  if (facts.features == 0) return fields.bad("n_features_in_", "missing");
  facts.takesNan = facts.takesInfinity = !fields.flag("validate", false);
  const pickle::Value* func = fields.find("func");
  if (func == nullptr)
    return rowRule(std::move(facts), [](const double* row, std::size_t n, double* out) { std::copy(row, row + n, out); });
  double (*f)(double) = functionNamed(func->className());
  if (f == nullptr || fields.find("kw_args") != nullptr)
    return fields.unsupported("a function other than numpy's plain ones");
  return rowRule(std::move(facts),
                 [f](const double* row, std::size_t n, double* out) { std::transform(row, row + n, out, f); });
}

// The selectors keep the columns of a mask that each computes from what it learnt.
Result<EstimatorPtr> loadVarianceThreshold(const Fields& fields, Loader&) {
  SLIP_TRY(Facts facts, readFacts(fields, ModelKind::Transformer));
  SLIP_TRY(auto variances, fields.vector("variances_"));
  const double threshold = fields.numberOr("threshold", 0);
  std::vector<std::size_t> kept;
  for (std::size_t j = 0; j < variances.size(); ++j) {
    if (variances[j] > threshold) kept.push_back(j);
  }
  facts.features = variances.size();
  facts.transformed = kept.size();
  facts.takesNan = true;
  if (kept.empty()) return fields.bad("variances_", "no column is kept");
  return rowRule(std::move(facts), [kept](const double* row, std::size_t, double* out) {
    for (const std::size_t j : kept) *out++ = row[j];
  });
}

Result<EstimatorPtr> loadSelectKBest(const Fields& fields, Loader&) {
  SLIP_TRY(Facts facts, readFacts(fields, ModelKind::Transformer));
  SLIP_TRY(auto scores, fields.vector("scores_"));
  // numpy's stable argsort, NaN scores counted as the smallest; the last k are kept, in column order.
  for (double& s : scores) s = std::isnan(s) ? std::numeric_limits<double>::lowest() : s;
  const bool all = fields.textOr("k", "") == "all";
  const auto k = all ? scores.size() : static_cast<std::size_t>(std::max<std::int64_t>(0, fields.integerOr("k", 10)));
  if (k == 0 || k > scores.size()) return fields.bad("k", "out of range");
  std::vector<std::size_t> order(scores.size());
  for (std::size_t j = 0; j < order.size(); ++j) order[j] = j;
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return std::tie(scores[a], a) < std::tie(scores[b], b); });
  std::vector<std::size_t> kept(order.end() - static_cast<std::ptrdiff_t>(k), order.end());
  std::sort(kept.begin(), kept.end());
  facts.features = scores.size();
  facts.transformed = kept.size();
  return rowRule(std::move(facts), [kept](const double* row, std::size_t, double* out) {
    for (const std::size_t j : kept) *out++ = row[j];
  });
}

namespace {

constexpr std::size_t kMostTerms = 1'000'000;

// Combinations (with repetition unless interactionOnly) of `size` columns, in the order of Python's itertools.
void combine(std::size_t features, std::size_t size, bool interactionOnly, std::vector<std::size_t>& term,
             std::vector<std::vector<std::size_t>>& terms) {
  if (terms.size() > kMostTerms) return;
  if (term.size() == size) return terms.push_back(term);
  for (std::size_t j = term.empty() ? 0 : term.back() + (interactionOnly ? 1 : 0); j < features; ++j) {
    term.push_back(j);
    combine(features, size, interactionOnly, term, terms);
    term.pop_back();
  }
}

}  // namespace

Result<EstimatorPtr> loadPolynomialFeatures(const Fields& fields, Loader&) {
  SLIP_TRY(Facts facts, readFacts(fields, ModelKind::Transformer));
  if (facts.features == 0) return fields.bad("n_features_in_", "missing");
  const std::int64_t low = fields.integerOr("_min_degree", 0);
  const std::int64_t high = fields.integerOr("_max_degree", fields.integerOr("degree", 2));
  if (low < 0 || high < low || high > 16) return fields.unsupported("degree above 16");
  std::vector<std::vector<std::size_t>> terms;
  if (fields.flag("include_bias", true)) terms.emplace_back();
  std::vector<std::size_t> term;
  for (std::int64_t d = std::max<std::int64_t>(1, low); d <= high; ++d) {
    combine(facts.features, static_cast<std::size_t>(d), fields.flag("interaction_only", false), term, terms);
  }
  SLIP_CHECK(fields.charge(terms.size() * 128));
  if (terms.empty() || terms.size() > kMostTerms)
    return fail(Code::TooLarge, fields.place() + ": too many polynomial terms");
  facts.transformed = terms.size();
  return std::make_unique<Polynomial>(std::move(facts), std::move(terms));
}

}  // namespace slipway::sklearn
