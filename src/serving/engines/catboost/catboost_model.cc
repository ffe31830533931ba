#include "serving/engines/catboost/catboost_model.h"

#include <bit>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <limits>

#include "serving/engines/catboost/city_hash.h"
#include "serving/pickle/unpack.h"

namespace slipway::catboost {
namespace {

constexpr std::uint64_t kNoHash = ~std::uint64_t{0};

std::uint64_t combine(std::uint64_t hash, std::uint64_t value) {
  constexpr std::uint64_t kMultiplier = 0x4906ba494954cb65ULL;
  return kMultiplier * (hash + kMultiplier * value);
}

bool holds(const Test& test, const float* slots, const std::uint32_t* hashes) {
  return test.equal ? hashes[test.slot] == test.value : slots[test.slot] > test.border;
}

const std::int32_t* findRow(const CtrTable& table, std::uint64_t hash) {
  const std::uint64_t mask = table.hashes.size() - 1;
  // The reader has seen that one place is free, so that the search ends.
  for (std::uint64_t at = hash & mask; table.hashes[at] != kNoHash; at = (at + 1) & mask)
    if (table.hashes[at] == hash) return &table.counts[std::size_t{table.rows[at]} * table.width];
  return nullptr;
}

float parseNumber(const std::string& text, bool& ok) {
  if (text.empty() || text == "nan" || text == "NaN" || text == "null") return std::numeric_limits<float>::quiet_NaN();
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  ok = error == std::errc() && end == text.data() + text.size();
  return static_cast<float>(value);
}

}  // namespace

CatboostModel::CatboostModel(Content content) : c_(std::move(content)), categorical_(c_.facts.columns) {
  for (const CatFeature& f : c_.categories) categorical_[f.column] = true;
}

Status CatboostModel::readRow(const Input& input, std::size_t row, float* slots, std::uint32_t* hashes) const {
  const std::size_t base = row * c_.facts.columns;
  for (std::size_t i = 0; i < c_.floats.size(); ++i) {
    const FloatFeature& feature = c_.floats[i];
    bool ok = true;
    float v = input.texts.empty() ? static_cast<float>(input.numbers[base + feature.column])
                                  : parseNumber(input.texts[base + feature.column], ok);
    if (!ok)
      return fail(Code::Invalid, fmt::format("row {}, column {}: '{}' is no number", row, feature.column,
                                             input.texts[base + feature.column]));
    if (std::isnan(v) && feature.nan != NanTreatment::AsIs)
      v = feature.nan == NanTreatment::AsLowest ? -std::numeric_limits<float>::infinity()
                                                : std::numeric_limits<float>::infinity();
    slots[i] = v;
  }
  for (std::size_t i = 0; i < c_.categories.size(); ++i) {
    const std::size_t at = base + c_.categories[i].column;
    if (!input.texts.empty()) {
      hashes[i] = categoryHash(input.texts[at]);
      continue;
    }
    const double v = input.numbers[at];
    if (!(std::abs(v) < 9e15) || v != std::floor(v))
      return fail(Code::Invalid, fmt::format("row {}, column {}: category {} must be a text or a whole number", row,
                                             c_.categories[i].column, v));
    hashes[i] = categoryHash(std::to_string(static_cast<std::int64_t>(v)));
  }
  for (std::size_t i = 0; i < c_.ctrs.size(); ++i) slots[c_.floats.size() + i] = ctrValue(c_.ctrs[i], slots, hashes);
  return {};
}

float CatboostModel::ctrValue(const Ctr& ctr, const float* slots, const std::uint32_t* hashes) const {
  std::uint64_t hash = 0;
  for (const std::uint32_t c : ctr.projection.categories)
    hash = combine(hash, static_cast<std::uint64_t>(static_cast<std::int64_t>(static_cast<std::int32_t>(hashes[c]))));
  for (const Test& bit : ctr.projection.bits) hash = combine(hash, holds(bit, slots, hashes) ? 1 : 0);
  const CtrTable& table = c_.tables[ctr.table];
  const std::int32_t* row = findRow(table, hash);
  float good = 0, total = 0;
  switch (ctr.type) {
    case CtrType::BinarizedTargetMeanValue:
    case CtrType::FloatTargetMeanValue:
      if (row != nullptr) {
        good = std::bit_cast<float>(row[0]);
        total = static_cast<float>(row[1]);
      }
      break;
    case CtrType::Counter:
    case CtrType::FeatureFreq:
      good = row != nullptr ? static_cast<float>(row[0]) : 0;
      total = static_cast<float>(table.denominator);
      break;
    case CtrType::Buckets:
    case CtrType::Borders: {
      if (row == nullptr) break;
      std::int32_t sum = 0, above = 0;
      for (std::uint32_t k = 0; k < table.width; ++k) {
        sum += row[k];
        if (k > ctr.targetBorder) above += row[k];
      }
      // With two classes the library takes the second one's count whatever the border says.
      const std::int32_t wanted = ctr.type == CtrType::Buckets ? row[ctr.targetBorder] : table.width == 2 ? row[1] : above;
      good = static_cast<float>(wanted);
      total = static_cast<float>(sum);
      break;
    }
  }
  const float value = (good + ctr.priorNumerator) / (total + ctr.priorDenominator);
  return (value + ctr.shift) * ctr.scale;
}

void CatboostModel::sumOblivious(const float* slots, const std::uint32_t* hashes, double* out) const {
  const std::size_t dimensions = c_.facts.dimensions;
  const std::uint32_t* split = c_.splits.data();
  for (std::size_t t = 0; t < c_.sizes.size(); ++t) {
    std::size_t leaf = 0;
    for (std::uint32_t d = 0; d < c_.sizes[t]; ++d) leaf |= std::size_t{holds(c_.tests[split[d]], slots, hashes)} << d;
    split += c_.sizes[t];
    const double* values = &c_.leaves[c_.leafStarts[t] + leaf * dimensions];
    for (std::size_t k = 0; k < dimensions; ++k) out[k] += values[k];
  }
}

void CatboostModel::sumStepwise(const float* slots, const std::uint32_t* hashes, double* out) const {
  for (const std::uint32_t start : c_.starts) {
    std::size_t node = start;
    while (true) {
      const auto [left, right] = c_.steps[node];
      if (left == 0 && right == 0) break;
      const std::uint16_t step = holds(c_.tests[c_.splits[node]], slots, hashes) ? right : left;
      if (step == 0) break;
      node += step;
    }
    const double* values = &c_.leaves[c_.nodeLeaf[node]];
    for (std::size_t k = 0; k < c_.facts.dimensions; ++k) out[k] += values[k];
  }
}

Result<std::vector<double>> CatboostModel::raw(const Input& input) const {
  const std::size_t dimensions = c_.facts.dimensions;
  std::vector<double> out(input.rows * dimensions);
  std::vector<float> slots(c_.floats.size() + c_.ctrs.size());
  std::vector<std::uint32_t> hashes(c_.categories.size());
  for (std::size_t i = 0; i < input.rows; ++i) {
    SLIP_CHECK(readRow(input, i, slots.data(), hashes.data()));
    double* sums = out.data() + i * dimensions;
    if (c_.steps.empty())
      sumOblivious(slots.data(), hashes.data(), sums);
    else
      sumStepwise(slots.data(), hashes.data(), sums);
    for (std::size_t k = 0; k < dimensions; ++k) sums[k] = c_.scale * sums[k] + c_.bias[k];
  }
  return out;
}

void CatboostModel::probabilities(const double* raw, double* out) const {
  const std::size_t dimensions = c_.facts.dimensions;
  if (dimensions == 1) {
    out[1] = 1 / (1 + std::exp(-raw[0]));
    out[0] = 1 - out[1];
    return;
  }
  if (c_.facts.loss == "MultiClassOneVsAll") {
    for (std::size_t k = 0; k < dimensions; ++k) out[k] = 1 / (1 + std::exp(-raw[k]));
    return;
  }
  const double largest = *std::max_element(raw, raw + dimensions);
  double sum = 0;
  for (std::size_t k = 0; k < dimensions; ++k) sum += out[k] = std::exp(raw[k] - largest);
  for (std::size_t k = 0; k < dimensions; ++k) out[k] /= sum;
}

std::size_t CatboostModel::classOf(const double* raw) const {
  if (c_.facts.dimensions > 1) return static_cast<std::size_t>(std::max_element(raw, raw + c_.facts.dimensions) - raw);
  const double border = -std::log(1 / c_.facts.probabilityBorder - 1);
  return raw[0] > border ? 1 : 0;
}

Result<std::unique_ptr<CatboostModel>> parseCatboostModel(std::string_view bytes, const std::string& name,
                                                          const trees::Limits& limits) {
  auto content = readCbm(bytes, limits);
  if (!content) return failIn(name, std::move(content).error());
  return std::make_unique<CatboostModel>(std::move(*content));
}

Result<std::unique_ptr<CatboostModel>> loadCatboostModel(const std::string& path, const trees::Limits& limits) {
  const std::string name = std::filesystem::path(path).filename().string();
  auto bytes = pickle::readModelFile(path, {});
  if (!bytes) return failIn(name, std::move(bytes).error());
  return parseCatboostModel(*bytes, name, limits);
}

}  // namespace slipway::catboost
