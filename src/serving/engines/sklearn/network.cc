// MLPClassifier and MLPRegressor: dense layers.
#include <cmath>

#include "serving/engines/sklearn/loader.h"

namespace slipway::sklearn {

namespace {

enum class Activation { Identity, Relu, Tanh, Logistic, Softmax, Exp };

struct Layer {
  Matrix weights;  // inputs x outputs
  std::vector<double> bias;
};

void activate(Activation kind, double* values, std::size_t count) {
  switch (kind) {
    case Activation::Identity: return;
    case Activation::Relu: std::for_each(values, values + count, [](double& v) { v = std::max(v, 0.0); }); return;
    case Activation::Tanh: std::for_each(values, values + count, [](double& v) { v = std::tanh(v); }); return;
    case Activation::Logistic: std::for_each(values, values + count, [](double& v) { v = expit(v); }); return;
    case Activation::Softmax: softmaxRow(values, count); return;
    case Activation::Exp: std::for_each(values, values + count, [](double& v) { v = std::exp(v); }); return;
  }
}

class Network : public Estimator {
 public:
  Network(Facts facts, std::vector<Layer> layers, Activation hidden, Activation last)
      : Estimator(std::move(facts)), layers_(std::move(layers)), hidden_(hidden), last_(last) {
    for (const Layer& l : layers_) widest_ = std::max(widest_, l.weights.columns);
  }

  Status values(Rows x, double* out, Scratch& scratch) const override {
    const std::size_t width = layers_.back().weights.columns;
    forEach(x, scratch, [&](std::size_t i, const double* answer) { std::copy(answer, answer + width, out + i * width); });
    return {};
  }
  Status classify(Rows x, std::int32_t* out, Scratch& scratch) const override {
    const std::size_t width = layers_.back().weights.columns;
    forEach(x, scratch, [&](std::size_t i, const double* a) { out[i] = width == 1 ? a[0] > 0.5 : argmax(a, width); });
    return {};
  }
  Status proba(Rows x, double* out, Scratch& scratch) const override {
    if (layers_.back().weights.columns != 1) return values(x, out, scratch);
    forEach(x, scratch, [&](std::size_t i, const double* a) {
      out[2 * i] = 1 - a[0];
      out[2 * i + 1] = a[0];
    });
    return {};
  }

 private:
  template <class F>
  void forEach(Rows x, Scratch& scratch, F each) const {
    double* from = scratch.doubles(widest_);
    double* to = scratch.doubles(widest_);
    for (std::size_t i = 0; i < x.count; ++i) {
      const double* in = x.row(i);
      for (std::size_t n = 0; n < layers_.size(); ++n) {
        step(layers_[n], in, to);
        activate(n + 1 == layers_.size() ? last_ : hidden_, to, layers_[n].weights.columns);
        in = to;
        std::swap(from, to);
      }
      each(i, in);
    }
  }

  static void step(const Layer& layer, const double* in, double* out) {
    const std::size_t width = layer.weights.columns;
    std::fill(out, out + width, 0.0);
    for (std::size_t i = 0; i < layer.weights.rows; ++i) {
      const double* w = layer.weights.row(i);
      for (std::size_t o = 0; o < width; ++o) out[o] += in[i] * w[o];
    }
    for (std::size_t o = 0; o < width; ++o) out[o] += layer.bias[o];
  }

  std::vector<Layer> layers_;
  Activation hidden_;
  Activation last_;
  std::size_t widest_ = 0;
};

Result<Activation> readActivation(const Fields& fields, std::string_view name) {
  const std::string text = fields.textOr(name, "");
  if (text == "identity") return Activation::Identity;
  if (text == "relu") return Activation::Relu;
  if (text == "tanh") return Activation::Tanh;
  if (text == "logistic") return Activation::Logistic;
  if (text == "softmax") return Activation::Softmax;
  if (text == "exp") return Activation::Exp;  // loss='poisson', 1.7 on
  return fields.unsupported(std::string(name) + " '" + text + "'");
}

Result<std::vector<Layer>> readLayers(const Fields& fields, std::size_t features) {
  SLIP_TRY(const pickle::Value* weights, fields.get("coefs_"));
  SLIP_TRY(const pickle::Value* biases, fields.get("intercepts_"));
  if (weights->items.empty() || weights->items.size() != biases->items.size())
    return fields.bad("coefs_", "does not fit intercepts_");
  std::vector<Layer> layers;
  std::size_t inputs = features;
  for (std::size_t n = 0; n < weights->items.size(); ++n) {
    const pickle::Value* w = weights->items[n];
    const pickle::Value* b = biases->items[n];
    if (!w->is(pickle::Kind::Array) || !b->is(pickle::Kind::Array)) return fields.bad("coefs_", "arrays are expected");
    Layer layer;
    SLIP_TRY(layer.weights, matrixOf(*w->array));
    SLIP_TRY(Matrix bias, matrixOf(*b->array));
    layer.bias = std::move(bias.data);
    if (inputs == 0) inputs = layer.weights.rows;
    if (layer.weights.rows != inputs || layer.bias.size() != layer.weights.columns || layer.bias.empty()) {
      return fields.bad("coefs_", fmt::format("layer {} does not fit its neighbours", n));
    }
    inputs = layer.weights.columns;
    layers.push_back(std::move(layer));
  }
  return layers;
}

}  // namespace

Result<EstimatorPtr> loadNetwork(const Fields& fields, Loader&) {
  const bool classifier = fields.className() == "MLPClassifier";
  SLIP_TRY(Facts facts, readFacts(fields, classifier ? ModelKind::Classifier : ModelKind::Regressor));
  SLIP_TRY(auto layers, readLayers(fields, facts.features));
  SLIP_TRY(const Activation hidden, readActivation(fields, "activation"));
  SLIP_TRY(const Activation last, readActivation(fields, "out_activation_"));
  facts.features = layers.front().weights.rows;
  const std::size_t width = layers.back().weights.columns;
  const std::size_t classes = facts.classes.size();
  if (classifier && classes < 2) return fields.bad("classes_", "at least two classes are expected");
  if (classifier && width != (classes == 2 ? 1 : classes))
    return fields.bad("coefs_", "the last layer does not fit the classes");
  if (classifier && classes > 2 && last != Activation::Softmax) return fields.unsupported("multi-label classification");
  facts.predicts = true;
  facts.proba = classifier;
  facts.outputs = classifier ? 1 : width;
  return std::make_unique<Network>(std::move(facts), std::move(layers), hidden, last);
}

}  // namespace slipway::sklearn
