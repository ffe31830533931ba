// Decision trees in the form that is walked at prediction: 16-byte nodes, both children side by side, float thresholds.
// Shared by single trees, forests, gradient boosting and isolation forests.
#pragma once
#include <cstdint>
#include <vector>

#include "serving/engines/sklearn/fields.h"

namespace slipway::sklearn {

// Walks one tree or many over float32 rows, as scikit-learn does: left when x <= threshold.
class Forest {
 public:
  // Appends the tree in `tree` (class sklearn.tree._tree.Tree). Its leaves keep `width` values each, taken from `values`
  // (node_count * width numbers). Errors Invalid when the nodes do not form a tree over `features` columns.
  Status add(const Fields& tree, std::size_t features, std::span<const double> values, std::size_t width);

  std::size_t trees() const { return roots_.size(); }
  bool hasMissing() const { return missing_; }  // trained with missing values (scikit-learn 1.3 on)

  // The values of the leaf that `row` (float32 of x) falls into.
  const double* leaf(std::size_t tree, const float* row) const {
    const Node* node = &nodes_[roots_[tree]];
    while (node->feature >= 0) {
      const float v = row[node->feature];
      // A missing value fails the comparison: right, unless the node says left.
      const std::uint32_t right = v <= node->threshold ? 0 : 1;
      node = &nodes_[node->child + right];
    }
    return &values_[node->child];
  }
  // The same where x may hold NaN.
  const double* leafWithMissing(std::size_t tree, const float* row) const;
  std::size_t nodeCount() const { return nodes_.size(); }

 private:
  struct Node {
    float threshold;
    std::int32_t feature;  // < 0: a leaf
    std::uint32_t child;   // left child, the right one follows; of a leaf: where its values start
    std::uint32_t missingLeft;
  };
  std::vector<Node> nodes_;
  std::vector<std::uint32_t> roots_;
  std::vector<double> values_;
  bool missing_ = false;
};

// float32 of every value, as the tree classes cast their input.
void narrow(const double* from, std::size_t count, float* to);
// The largest float that is not above `threshold`: x <= threshold and x <= floorToFloat(threshold) agree for every float x.
float floorToFloat(double threshold);

}  // namespace slipway::sklearn
