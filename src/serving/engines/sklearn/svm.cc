// Support vector machines, in the order of operations of libsvm (which scikit-learn carries): one-against-one votes, Platt
// probabilities with pairwise coupling.
#include <cmath>

#include "serving/engines/sklearn/loader.h"

namespace slipway::sklearn {

namespace {

enum class KernelKind { Linear, Poly, Rbf, Sigmoid };

struct Kernel {
  KernelKind kind = KernelKind::Rbf;
  double gamma = 0;
  double coef0 = 0;
  int degree = 3;

  double operator()(const double* a, const double* b, std::size_t n) const {
    double sum = 0;
    if (kind == KernelKind::Rbf) {
      for (std::size_t i = 0; i < n; ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
      return std::exp(-gamma * sum);
    }
    for (std::size_t i = 0; i < n; ++i) sum += a[i] * b[i];
    switch (kind) {
      case KernelKind::Poly: return power(gamma * sum + coef0, degree);
      case KernelKind::Sigmoid: return std::tanh(gamma * sum + coef0);
      default: return sum;
    }
  }

  static double power(double base, int times) {  // libsvm's powi: repeated squaring
    double result = 1;
    for (int t = times; t > 0; t /= 2, base *= base) {
      if (t % 2 == 1) result *= base;
    }
    return result;
  }
};

struct Machine {
  Kernel kernel;
  Matrix vectors;                  // support vectors, grouped by class
  std::vector<std::size_t> start;  // first vector of each class, and one past the last
  Matrix dual;                     // classes - 1 rows, one column per vector; regressors: one row
  std::vector<double> intercept;   // one per pair of classes
  std::vector<double> probA;       // one per pair; empty without probability=True
  std::vector<double> probB;
  bool oneVsRest = true;  // decision_function_shape
  bool breakTies = false;
};

class SupportVectorRegressor : public Estimator {
 public:
  SupportVectorRegressor(Facts facts, Machine m) : Estimator(std::move(facts)), m_(std::move(m)) {}
  Status values(Rows x, double* out, Scratch& scratch) const override {
    SLIP_CHECK(decision(x, out, scratch));
    if (facts_.kind == ModelKind::OutlierDetector) std::for_each(out, out + x.count, [](double& v) { v = v > 0 ? 1 : -1; });
    return {};
  }
  Status decision(Rows x, double* out, Scratch&) const override {
    for (std::size_t i = 0; i < x.count; ++i) {
      double sum = 0;
      for (std::size_t v = 0; v < m_.vectors.rows; ++v)
        sum += m_.dual.data[v] * m_.kernel(x.row(i), m_.vectors.row(v), x.columns);
      out[i] = sum + m_.intercept[0];
    }
    return {};
  }

 private:
  Machine m_;
};

class SupportVectorClassifier : public Estimator {
 public:
  SupportVectorClassifier(Facts facts, Machine m)
      : Estimator(std::move(facts)),
        m_(std::move(m)),
        classes_(facts_.classes.size()),
        pairs_(classes_ * (classes_ - 1) / 2) {}

  Status classify(Rows x, std::int32_t* out, Scratch& scratch) const override {
    const Work w(*this, scratch);
    for (std::size_t i = 0; i < x.count; ++i) {
      pairwise(x.row(i), w);
      if (m_.breakTies && m_.oneVsRest && classes_ > 2) {
        oneVsRest(w.pairs, w.scores);
        out[i] = argmax(w.scores, classes_);
      } else {
        out[i] = vote(w.pairs, w.scores);
      }
    }
    return {};
  }

  Status decision(Rows x, double* out, Scratch& scratch) const override {
    const Work w(*this, scratch);
    for (std::size_t i = 0; i < x.count; ++i, out += facts_.decisions) {
      pairwise(x.row(i), w);
      if (classes_ == 2) {
        out[0] = -w.pairs[0];
      } else if (m_.oneVsRest) {
        oneVsRest(w.pairs, out);
      } else {
        std::copy(w.pairs, w.pairs + pairs_, out);
      }
    }
    return {};
  }

  Status proba(Rows x, double* out, Scratch& scratch) const override {
    const Work w(*this, scratch);
    double* matrix = scratch.doubles(2 * classes_ * classes_);
    for (std::size_t i = 0; i < x.count; ++i, out += classes_) {
      pairwise(x.row(i), w);
      couple(w.pairs, matrix, out);
    }
    return {};
  }

 private:
  struct Work {
    Work(const SupportVectorClassifier& c, Scratch& s)
        : kernel(s.doubles(c.m_.vectors.rows)), pairs(s.doubles(c.pairs_)), scores(s.doubles(c.classes_)) {}
    double* kernel;
    double* pairs;
    double* scores;
  };

  // The decision value of each pair (i, j), i < j: positive for i.
  void pairwise(const double* row, const Work& w) const {
    for (std::size_t v = 0; v < m_.vectors.rows; ++v) w.kernel[v] = m_.kernel(row, m_.vectors.row(v), m_.vectors.columns);
    std::size_t p = 0;
    for (std::size_t i = 0; i < classes_; ++i) {
      for (std::size_t j = i + 1; j < classes_; ++j, ++p) {
        double sum = 0;
        for (std::size_t v = m_.start[i]; v < m_.start[i + 1]; ++v) sum += m_.dual.row(j - 1)[v] * w.kernel[v];
        for (std::size_t v = m_.start[j]; v < m_.start[j + 1]; ++v) sum += m_.dual.row(i)[v] * w.kernel[v];
        w.pairs[p] = sum + m_.intercept[p];
      }
    }
  }

  std::int32_t vote(const double* pairs, double* votes) const {
    std::fill(votes, votes + classes_, 0.0);
    for (std::size_t i = 0, p = 0; i < classes_; ++i) {
      for (std::size_t j = i + 1; j < classes_; ++j, ++p) votes[pairs[p] > 0 ? i : j] += 1;
    }
    return argmax(votes, classes_);
  }

  // sklearn.utils.multiclass._ovr_decision_function: votes, and confidences squeezed below half a vote to break ties.
  void oneVsRest(const double* pairs, double* out) const {
    for (std::size_t c = 0; c < classes_; ++c) {
      double votes = 0;
      double confidence = 0;
      for (std::size_t i = 0, p = 0; i < classes_; ++i) {
        for (std::size_t j = i + 1; j < classes_; ++j, ++p) {
          if (i == c) {
            votes += pairs[p] < 0 ? 0 : 1;
            confidence += pairs[p];
          } else if (j == c) {
            votes += pairs[p] < 0 ? 1 : 0;
            confidence -= pairs[p];
          }
        }
      }
      out[c] = votes + confidence / (3 * (std::abs(confidence) + 1));
    }
  }

  // Wu, Lin and Weng's second method, as libsvm's multiclass_probability: same iteration, same stopping rule.
  void couple(const double* pairs, double* matrix, double* p) const {
    const std::size_t k = classes_;
    double* r = matrix;
    double* q = matrix + k * k;
    double* qp = qpOf(matrix);
    for (std::size_t i = 0, n = 0; i < k; ++i) {
      for (std::size_t j = i + 1; j < k; ++j, ++n) {
        r[i * k + j] = std::clamp(expit(-(pairs[n] * m_.probA[n] + m_.probB[n])), 1e-7, 1 - 1e-7);
        r[j * k + i] = 1 - r[i * k + j];
      }
    }
    for (std::size_t t = 0; t < k; ++t) {
      p[t] = 1.0 / static_cast<double>(k);
      q[t * k + t] = 0;
      for (std::size_t j = 0; j < t; ++j) {
        q[t * k + t] += r[j * k + t] * r[j * k + t];
        q[t * k + j] = q[j * k + t];
      }
      for (std::size_t j = t + 1; j < k; ++j) {
        q[t * k + t] += r[j * k + t] * r[j * k + t];
        q[t * k + j] = -r[j * k + t] * r[t * k + j];
      }
    }
    iterate(q, p, qp);
  }

  // r's rows are free once q is made: its first k places hold Qp.
  static double* qpOf(double* matrix) { return matrix; }

  void iterate(const double* q, double* p, double* qp) const {
    const std::size_t k = classes_;
    const double epsilon = 0.005 / static_cast<double>(k);
    const std::size_t most = std::max<std::size_t>(100, k);
    for (std::size_t iteration = 0; iteration < most; ++iteration) {
      double pQp = 0;
      for (std::size_t t = 0; t < k; ++t) {
        qp[t] = 0;
        for (std::size_t j = 0; j < k; ++j) qp[t] += q[t * k + j] * p[j];
        pQp += p[t] * qp[t];
      }
      double worst = 0;
      for (std::size_t t = 0; t < k; ++t) worst = std::max(worst, std::abs(qp[t] - pQp));
      if (worst < epsilon) break;
      for (std::size_t t = 0; t < k; ++t) {
        const double diff = (-qp[t] + pQp) / q[t * k + t];
        p[t] += diff;
        pQp = (pQp + diff * (diff * q[t * k + t] + 2 * qp[t])) / (1 + diff) / (1 + diff);
        for (std::size_t j = 0; j < k; ++j) {
          qp[j] = (qp[j] + diff * q[t * k + j]) / (1 + diff);
          p[j] /= 1 + diff;
        }
      }
    }
  }

  Machine m_;
  std::size_t classes_;
  std::size_t pairs_;
};

Result<Kernel> readKernel(const Fields& fields) {
  Kernel k;
  const pickle::Value* kernel = fields.find("kernel");
  const std::string name = fields.textOr("kernel", "");
  if (name == "linear")
    k.kind = KernelKind::Linear;
  else if (name == "poly")
    k.kind = KernelKind::Poly;
  else if (name == "rbf")
    k.kind = KernelKind::Rbf;
  else if (name == "sigmoid")
    k.kind = KernelKind::Sigmoid;
  else
    return fields.unsupported("kernel " + (name.empty() && kernel != nullptr ? kernel->describe() : "'" + name + "'"));
  SLIP_TRY(k.gamma, fields.number(fields.has("_gamma") || k.kind != KernelKind::Linear ? "_gamma" : "coef0"));
  k.coef0 = fields.numberOr("coef0", 0);
  const double degree = fields.numberOr("degree", 3);
  if (!(degree >= 0 && degree < 1000)) return fields.bad("degree", "out of range");
  k.degree = static_cast<int>(degree);
  return k;
}

Result<Machine> readMachine(const Fields& fields, Facts& facts) {
  Machine m;
  SLIP_TRY(m.kernel, readKernel(fields));
  if (fields.flag("_sparse", false)) return fields.unsupported("a support vector machine trained on a sparse matrix");
  SLIP_TRY(m.vectors, fields.matrix("support_vectors_"));
  SLIP_TRY(m.dual, fields.matrix("_dual_coef_"));
  SLIP_TRY(m.intercept, fields.vector("_intercept_"));
  if (facts.features == 0) facts.features = m.vectors.columns;
  if (m.vectors.columns != facts.features) return fields.bad("support_vectors_", "its columns do not fit n_features_in_");
  if (m.dual.columns != m.vectors.rows) return fields.bad("_dual_coef_", "its columns do not fit support_vectors_");
  return m;
}

Status readPairs(const Fields& fields, const Facts& facts, Machine& m) {
  const std::size_t classes = facts.classes.size();
  const std::size_t pairs = classes * (classes - 1) / 2;
  if (classes < 2) return fields.bad("classes_", "at least two classes are expected");
  auto counts = fields.vector(fields.has("_n_support") ? "_n_support" : "n_support_", classes);
  if (!counts) return fail(counts.error());
  m.start.push_back(0);
  for (const double c : *counts) m.start.push_back(m.start.back() + static_cast<std::size_t>(std::clamp(c, 0.0, 1e9)));
  if (m.start.back() != m.vectors.rows) return fields.bad("_n_support", "does not add up to the support vectors");
  if (m.dual.rows != classes - 1 || m.intercept.size() != pairs)
    return fields.bad("_dual_coef_", "does not fit the classes");
  if (!fields.flag("probability", false)) return {};
  auto a = fields.vector(fields.has("_probA") ? "_probA" : "probA_");
  auto b = fields.vector(fields.has("_probB") ? "_probB" : "probB_");
  if (!a || !b || a->empty()) return {};
  if (a->size() != pairs || b->size() != pairs) return fields.bad("_probA", "does not fit the classes");
  m.probA = std::move(*a);
  m.probB = std::move(*b);
  return {};
}

}  // namespace

Result<EstimatorPtr> loadSupportVectorClassifier(const Fields& fields, Loader&) {
  SLIP_TRY(Facts facts, readFacts(fields, ModelKind::Classifier));
  SLIP_TRY(Machine m, readMachine(fields, facts));
  SLIP_CHECK(readPairs(fields, facts, m));
  m.oneVsRest = fields.textOr("decision_function_shape", "ovr") == "ovr";
  m.breakTies = fields.flag("break_ties", false);
  const std::size_t classes = facts.classes.size();
  facts.predicts = true;
  facts.proba = !m.probA.empty();
  facts.decisions = classes == 2 ? 1 : m.oneVsRest ? classes : classes * (classes - 1) / 2;
  return std::make_unique<SupportVectorClassifier>(std::move(facts), std::move(m));
}

Result<EstimatorPtr> loadSupportVectorRegressor(const Fields& fields, Loader&) {
  const bool outliers = fields.className() == "OneClassSVM";
  SLIP_TRY(Facts facts, readFacts(fields, outliers ? ModelKind::OutlierDetector : ModelKind::Regressor));
  SLIP_TRY(Machine m, readMachine(fields, facts));
  if (m.dual.rows != 1 || m.intercept.size() != 1) return fields.bad("_dual_coef_", "one row is expected");
  facts.predicts = true;
  facts.decisions = outliers ? 1 : 0;
  facts.valueType = outliers ? LabelType::Int64 : LabelType::Float64;
  return std::make_unique<SupportVectorRegressor>(std::move(facts), std::move(m));
}

}  // namespace slipway::sklearn
