#include "serving/engines/lightgbm/lightgbm_model.h"

#include <cmath>
#include <filesystem>

#include "serving/pickle/unpack.h"

namespace slipway::lightgbm {
namespace {

constexpr double kZeroThreshold = 1e-35;  // the library drops values nearer to zero when it reads a row

double linearValue(const LinearLeaf& leaf, double plain, const double* row) {
  double out = leaf.constant;
  for (const auto& [feature, coefficient] : leaf.terms) {
    if (std::isnan(row[feature])) return plain;
    out += coefficient * row[feature];
  }
  return out;
}

void softmax(double* v, std::size_t count) {
  const double largest = *std::max_element(v, v + count);
  double sum = 0;
  for (std::size_t k = 0; k < count; ++k) sum += v[k] = std::exp(v[k] - largest);
  for (std::size_t k = 0; k < count; ++k) v[k] /= sum;
}

void transformRow(const Facts& facts, double* v) {
  const std::size_t count = facts.outputs;
  switch (facts.transform) {
    case Transform::Identity: return;
    case Transform::Softmax: return softmax(v, count);
    case Transform::Sigmoid:
      for (std::size_t k = 0; k < count; ++k) v[k] = 1.0 / (1.0 + std::exp(-facts.sigmoid * v[k]));
      return;
    case Transform::Exp: v[0] = std::exp(v[0]); return;
    case Transform::Log1pExp: v[0] = std::log1p(std::exp(v[0])); return;
    case Transform::SignedSquare: v[0] = ((v[0] > 0) - (v[0] < 0)) * v[0] * v[0]; return;
  }
}

}  // namespace

void LightgbmModel::sumRow(const double* row, double* out) const {
  const std::size_t outputs = c_.facts.outputs;
  if (!c_.linear.empty()) {
    c_.forest.walkNodes(row, [&](std::size_t tree, const auto& leaf) {
      out[tree % outputs] += linearValue(c_.linear[leaf.child], leaf.threshold, row);
    });
  } else if (outputs == 1) {
    double sum = 0;
    c_.forest.walk(row, [&sum](std::size_t, double leaf) { sum += leaf; });
    *out = sum;
  } else {
    c_.forest.walk(row, [&](std::size_t tree, double leaf) { out[tree % outputs] += leaf; });
  }
}

std::vector<double> LightgbmModel::predict(std::span<const double> x, std::size_t rows) const {
  const std::size_t features = c_.facts.features, outputs = c_.facts.outputs;
  const auto iterations = static_cast<double>(trees() / outputs);
  std::vector<double> out(rows * outputs);
  std::vector<double> row(features);
  for (std::size_t i = 0; i < rows; ++i) {
    const double* from = x.data() + i * features;
    for (std::size_t f = 0; f < features; ++f) row[f] = std::abs(from[f]) <= kZeroThreshold ? 0 : from[f];
    double* sums = out.data() + i * outputs;
    sumRow(row.data(), sums);
    if (c_.facts.averageOutput)
      for (std::size_t k = 0; k < outputs; ++k) sums[k] /= iterations;
    transformRow(c_.facts, sums);
  }
  return out;
}

Result<std::unique_ptr<LightgbmModel>> parseLightgbmModel(std::string_view text, const std::string& name,
                                                          const trees::Limits& limits) {
  auto content = readText(text, limits);
  if (!content) return failIn(name, std::move(content).error());
  return std::make_unique<LightgbmModel>(std::move(*content));
}

Result<std::unique_ptr<LightgbmModel>> loadLightgbmModel(const std::string& path, const trees::Limits& limits) {
  const std::string name = std::filesystem::path(path).filename().string();
  auto text = pickle::readModelFile(path, {});
  if (!text) return failIn(name, std::move(text).error());
  return parseLightgbmModel(*text, name, limits);
}

}  // namespace slipway::lightgbm
