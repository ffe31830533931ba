// Decision trees in the form that is walked at prediction, shared by xgboost, lightgbm and scikit-learn: 12- or 16-byte
// nodes, breadth first, both children side by side. T is the type of a threshold and of a row's values: float where the
// library compares floats (xgboost, scikit-learn's trees), double where it compares doubles (lightgbm, histogram boosting).
// Built once by add(), then immutable and used by any number of threads.
//
//   Forest<float> forest(features);
//   SLIP_CHECK(forest.add(splits));                           // one per tree, in the order in which the library sums them
//   forest.walk(row, [&](std::size_t tree, float leaf) { sum += leaf; });
//
// A value goes left when it is <= the threshold. `v < t` is `v <= below(t)`, exactly, so xgboost's trees fit the same loop.
#pragma once
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "base/result.h"

namespace slipway::trees {

// What a node does with values that are no ordinary number. The libraries' words are given.
enum class Missing : std::uint8_t {
  Nan,   // NaN is missing and takes the default side (xgboost; lightgbm missing_type NaN; scikit-learn from 1.3 on)
  Zero,  // so are numbers as near to zero as 1e-35 (lightgbm missing_type Zero)
  None,  // NaN counts as 0.0 (lightgbm missing_type None)
};

// One node of a tree as a model file has it. Children are indices into the same list; a leaf has left < 0.
template <class T>
struct Split {
  T threshold = 0;  // of a leaf: its value
  std::int64_t feature = 0;
  std::int64_t left = -1, right = -1;
  bool defaultLeft = false;
  Missing missing = Missing::Nan;
  std::int32_t categories = -1;  // index that addCategories() gave: the split asks for a member of that set
};

// Which side the members of a set of categories take, and what counts as a category: xgboost's members go right and values
// below zero are none; lightgbm's go left and a value is cut to an integer first. Anything else is not a member.
enum class Members : std::uint8_t { Left, Right };

// The largest value below `t`: v < t and v <= below(t) agree for every v.
template <class T>
T below(T t) {
  return t == -std::numeric_limits<T>::infinity() ? std::numeric_limits<T>::quiet_NaN()
                                                  : std::nextafter(t, -std::numeric_limits<T>::infinity());
}

struct Limits {
  std::size_t nodes = 100'000'000;  // of all trees of a model
  std::size_t depth = 4096;
  std::size_t features = 10'000'000;
  std::size_t outputs = 100'000;
};

template <class T>
class Forest {
 public:
  // A node. `child` is the left child and the right one follows; of a leaf it is the leaf's number (leaves are numbered
  // through all trees, in breadth-first order) and `threshold` its value.
  struct Node {
    T threshold;
    std::uint32_t feature;  // low bits the column, high bits flags
    std::uint32_t child;
  };
  static constexpr std::uint32_t kLeaf = 1U << 31, kDefaultLeft = 1U << 30, kCategorical = 1U << 29, kZeroMissing = 1U << 28,
                                 kNanIsZero = 1U << 27, kColumn = kNanIsZero - 1;

  explicit Forest(std::size_t features, Members members = Members::Left, Limits limits = {})
      : features_(features), members_(members), limits_(limits) {}

  // Appends a tree whose root is splits[0]. `leaf`, when given, receives which split each new leaf came from. Errors Invalid
  // (children out of range, a node with two parents or none, a feature out of range), TooLarge.
  Status add(std::span<const Split<T>> splits, std::vector<std::size_t>* leaf = nullptr);
  // A set of categories as bits, category c in bit c % 32 of word c / 32; splits name it by the number returned.
  std::int32_t addCategories(std::span<const std::uint32_t> words);

  std::size_t trees() const { return roots_.size(); }
  std::size_t nodes() const { return nodes_.size(); }
  std::size_t leaves() const { return leaves_; }
  std::size_t features() const { return features_; }
  std::size_t categorySets() const { return sets_.size(); }

  // Calls visit(tree, value) for the leaf of each tree that `row` (features() values) falls into, in order.
  template <class Visit>
  void walk(const T* row, Visit&& visit) const {
    walkNodes(row, [&](std::size_t tree, const Node& leaf) { visit(tree, leaf.threshold); });
  }
  // The same with the whole leaf: child is its number.
  template <class Visit>
  void walkNodes(const T* row, Visit&& visit) const {
    const bool careful = special_ || (nanMatters_ && anyNan(row));
    const std::size_t count = roots_.size();
    if (careful) {
      for (std::size_t t = 0; t < count; ++t) visit(t, leafCareful(t, row));
      return;
    }
    for (std::size_t t = 0; t < count; ++t) visit(t, leafPlain(t, row));
  }
  // The leaf of one tree.
  const Node& leaf(std::size_t tree, const T* row) const {
    return special_ || nanMatters_ ? leafCareful(tree, row) : leafPlain(tree, row);
  }
  // The same when the row holds no NaN, or the caller knows that NaN may go right everywhere (as in scikit-learn
  // before 1.3).
  const Node& leafPlain(std::size_t tree, const T* row) const {
    const Node* node = &nodes_[roots_[tree]];
    std::uint32_t feature = node->feature;
    while (static_cast<std::int32_t>(feature) >= 0) {  // kLeaf is the sign
      const T v = row[feature & kColumn];
      // A NaN fails the comparison and goes right.
      node = &nodes_[node->child + (v <= node->threshold ? 0U : 1U)];
      feature = node->feature;
    }
    return *node;
  }
  const Node& leafCareful(std::size_t tree, const T* row) const;

 private:
  bool anyNan(const T* row) const {
    bool any = false;
    for (std::size_t i = 0; i < features_; ++i) any |= row[i] != row[i];
    return any;
  }
  bool goesLeft(const Node& node, T value) const;
  bool isMember(const Node& node, T value) const;

  struct Set {
    std::uint32_t begin, words;
  };
  std::vector<Node> nodes_;
  std::vector<std::uint32_t> roots_;
  std::vector<Set> sets_;
  std::vector<std::uint32_t> bits_;
  std::size_t features_;
  std::size_t leaves_ = 0;
  Members members_;
  Limits limits_;
  bool special_ = false;     // some node is categorical or takes zero for missing
  bool nanMatters_ = false;  // else NaN goes right everywhere, which is what the plain comparison does
};

extern template class Forest<float>;
extern template class Forest<double>;

}  // namespace slipway::trees
