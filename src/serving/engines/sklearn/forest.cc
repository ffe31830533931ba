#include "serving/engines/sklearn/forest.h"

#include <cmath>
#include <limits>

#include "serving/pickle/numpy_values.h"

namespace slipway::sklearn {

namespace {

struct RawNodes {
  std::vector<std::int64_t> left;
  std::vector<std::int64_t> right;
  std::vector<std::int64_t> feature;
  std::vector<double> threshold;
  std::vector<std::int64_t> missingLeft;  // empty before scikit-learn 1.3
};

Result<RawNodes> readNodes(const Fields& tree, std::size_t features) {
  SLIP_TRY(const pickle::Array* array, tree.array("nodes"));
  RawNodes raw;
  SLIP_TRY(raw.left, pickle::fieldIntegers(*array, "left_child"));
  SLIP_TRY(raw.right, pickle::fieldIntegers(*array, "right_child"));
  SLIP_TRY(raw.feature, pickle::fieldIntegers(*array, "feature"));
  SLIP_TRY(raw.threshold, pickle::fieldReals(*array, "threshold"));
  if (array->type.field("missing_go_to_left") != nullptr) {
    SLIP_TRY(raw.missingLeft, pickle::fieldIntegers(*array, "missing_go_to_left"));
  }
  const auto count = static_cast<std::int64_t>(raw.left.size());
  if (count == 0) return tree.bad("nodes", "empty");
  // Children come after their parent in scikit-learn's files; holding them to it rules out cycles.
  for (std::int64_t i = 0; i < count; ++i) {
    if (raw.left[i] < 0) continue;
    const bool inside = raw.left[i] > i && raw.left[i] < count && raw.right[i] > i && raw.right[i] < count;
    if (!inside || raw.feature[i] < 0 || raw.feature[i] >= static_cast<std::int64_t>(features)) {
      return tree.bad("nodes", fmt::format("node {} has impossible children or feature", i));
    }
  }
  return raw;
}

}  // namespace

float floorToFloat(double threshold) {
  const float near = static_cast<float>(threshold);
  return static_cast<double>(near) > threshold ? std::nextafterf(near, -std::numeric_limits<float>::infinity()) : near;
}

void narrow(const double* from, std::size_t count, float* to) {
  for (std::size_t i = 0; i < count; ++i) to[i] = static_cast<float>(from[i]);
}

Status Forest::add(const Fields& tree, std::size_t features, std::span<const double> values, std::size_t width) {
  auto read = readNodes(tree, features);
  if (!read) return fail(read.error());
  const RawNodes& raw = *read;
  if (values.size() != raw.left.size() * width) return tree.bad("values", "their number does not fit the nodes");
  if (nodes_.size() + raw.left.size() + 2 > std::numeric_limits<std::uint32_t>::max() ||
      values_.size() + values.size() > std::numeric_limits<std::uint32_t>::max()) {
    return fail(Code::TooLarge, tree.place() + ": more than 4 billion tree nodes");
  }
  // Breadth first, so that siblings lie side by side and the upper levels share cache lines. A node that two parents name
  // would be copied for each: the count bounds that.
  const std::size_t limit = nodes_.size() + raw.left.size();
  roots_.push_back(static_cast<std::uint32_t>(nodes_.size()));
  std::vector<std::size_t> source{0};
  nodes_.emplace_back();
  for (std::size_t done = 0; done < source.size(); ++done) {
    const std::size_t from = source[done];
    Node& node = nodes_[roots_.back() + done];
    if (raw.left[from] < 0) {
      node = {0, -1, static_cast<std::uint32_t>(values_.size()), 0};
      const auto at = values.begin() + static_cast<std::ptrdiff_t>(from * width);
      values_.insert(values_.end(), at, at + static_cast<std::ptrdiff_t>(width));
      continue;
    }
    const bool missingLeft = !raw.missingLeft.empty() && raw.missingLeft[from] != 0;
    missing_ = missing_ || missingLeft;
    node = {floorToFloat(raw.threshold[from]), static_cast<std::int32_t>(raw.feature[from]),
            static_cast<std::uint32_t>(nodes_.size()), missingLeft ? 1U : 0U};
    if (nodes_.size() + 2 > limit) return tree.bad("nodes", "a node with two parents");
    source.push_back(static_cast<std::size_t>(raw.left[from]));
    source.push_back(static_cast<std::size_t>(raw.right[from]));
    nodes_.resize(nodes_.size() + 2);
  }
  return {};
}

const double* Forest::leafWithMissing(std::size_t tree, const float* row) const {
  const Node* node = &nodes_[roots_[tree]];
  while (node->feature >= 0) {
    const float v = row[node->feature];
    const bool left = std::isnan(v) ? node->missingLeft != 0 : v <= node->threshold;
    node = &nodes_[node->child + (left ? 0 : 1)];
  }
  return &values_[node->child];
}

}  // namespace slipway::sklearn
