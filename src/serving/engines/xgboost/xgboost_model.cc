#include "serving/engines/xgboost/xgboost_model.h"

#include <cctype>
#include <cmath>
#include <filesystem>

#include "serving/engines/xgboost/document.h"
#include "serving/pickle/unpack.h"

namespace slipway::xgboost {

void XgboostModel::sumTrees(const float* row, float* out) const {
  if (c_.facts.booster == Booster::Dart) {
    c_.forest.walk(row, [&](std::size_t tree, float leaf) { out[c_.groups[tree]] += leaf * c_.treeWeights[tree]; });
  } else if (c_.facts.outputs == 1) {
    float sum = *out;
    c_.forest.walk(row, [&sum](std::size_t, float leaf) { sum += leaf; });
    *out = sum;
  } else {
    c_.forest.walk(row, [&](std::size_t tree, float leaf) { out[c_.groups[tree]] += leaf; });
  }
}

void XgboostModel::sumLinear(const float* row, float* out) const {
  const std::size_t features = c_.facts.features, outputs = c_.facts.outputs;
  for (std::size_t k = 0; k < outputs; ++k) {
    float sum = c_.linear[features * outputs + k] + c_.margins[0];  // the library takes the first margin for every output
    for (std::size_t f = 0; f < features; ++f) {
      if (!std::isnan(row[f])) sum += row[f] * c_.linear[f * outputs + k];
    }
    out[k] = sum;
  }
}

Result<std::vector<float>> XgboostModel::predict(std::span<const double> x, std::size_t rows) const {
  const std::size_t features = c_.facts.features, outputs = c_.facts.outputs, kept = columns();
  std::vector<float> out(rows * kept);
  std::vector<float> buffer(features + outputs);
  float* row = buffer.data();
  float* margins = row + features;
  for (std::size_t i = 0; i < rows; ++i) {
    const double* from = x.data() + i * features;
    for (std::size_t f = 0; f < features; ++f) {
      row[f] = static_cast<float>(from[f]);
      if (std::isinf(row[f]))
        return fail(Code::Invalid,
                    fmt::format("row {}, feature {} is {}: xgboost takes no infinity and nothing beyond float32; "
                                "send null or NaN for a missing value",
                                i, f, from[f]));
    }
    std::copy(c_.margins.begin(), c_.margins.end(), margins);
    if (c_.facts.booster == Booster::Linear)
      sumLinear(row, margins);
    else
      sumTrees(row, margins);
    transformRow(c_.facts.objective.transform, {margins, outputs});
    std::copy(margins, margins + kept, out.begin() + static_cast<std::ptrdiff_t>(i * kept));
  }
  return out;
}

Status checkFacts(const Facts& facts, const trees::Limits& limits) {
  if (facts.features == 0) return fail(Code::Invalid, "num_feature is 0: the model was saved before it was trained");
  if (facts.features > limits.features)
    return fail(Code::TooLarge, fmt::format("num_feature {} is over the bound of {}", facts.features, limits.features));
  if (facts.outputs > limits.outputs)
    return fail(Code::TooLarge, fmt::format("{} outputs are over the bound of {}", facts.outputs, limits.outputs));
  const bool classes = facts.objective.transform == Transform::Softmax || facts.objective.transform == Transform::ArgMax;
  if (classes && facts.outputs < 2)
    return fail(Code::Invalid, fmt::format("{} needs num_class of 2 or more", facts.objective.name));
  return {};
}

Status setMargins(Content& content, std::span<const float> baseScores) {
  const std::size_t outputs = content.facts.outputs;
  if (baseScores.size() != 1 && baseScores.size() != outputs)
    return fail(Code::Invalid, fmt::format("base_score has {} values for {} outputs", baseScores.size(), outputs));
  content.margins.resize(outputs);
  for (std::size_t k = 0; k < outputs; ++k)
    content.margins[k] = toMargin(content.facts.objective.link, baseScores[baseScores.size() == 1 ? 0 : k]);
  return {};
}

namespace {

// '{"' is JSON, '{' and a letter UBJSON; everything else is one of the old binary layouts.
Result<Content> read(std::string_view bytes, const trees::Limits& limits) {
  if (bytes.starts_with("bs64")) return fail(Code::Unimplemented, "base64 text of a binary model: save it as .ubj or .json");
  if (!bytes.starts_with('{')) return readLegacy(bytes, limits);
  const std::size_t next = bytes.find_first_not_of(" \t\r\n", 1);
  const bool ubj = next == 1 && std::isalpha(static_cast<unsigned char>(bytes[1])) != 0;
  SLIP_TRY(const Value root, ubj ? parseUbjDocument(bytes) : parseJsonDocument(bytes));
  // A pickled Booster holds {"Model": …, "Config": …}.
  const Value* inside = root.find("Model");
  return readDocument(Place(inside != nullptr ? *inside : root, ""), limits);
}

}  // namespace

Result<std::unique_ptr<XgboostModel>> parseXgboostModel(std::string_view bytes, const std::string& name,
                                                        const trees::Limits& limits) {
  auto content = read(bytes, limits);
  if (!content) return failIn(name, std::move(content).error());
  return std::make_unique<XgboostModel>(std::move(*content));
}

Result<std::unique_ptr<XgboostModel>> loadXgboostModel(const std::string& path, const trees::Limits& limits) {
  const std::string name = std::filesystem::path(path).filename().string();
  auto bytes = pickle::readModelFile(path, {});
  if (!bytes) return failIn(name, std::move(bytes).error());
  return parseXgboostModel(*bytes, name, limits);
}

}  // namespace slipway::xgboost
