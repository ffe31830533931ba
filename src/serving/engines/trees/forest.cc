#include "serving/engines/trees/forest.h"

namespace slipway::trees {

namespace {
constexpr double kZeroThreshold = 1e-35;  // lightgbm's: what is nearer to zero counts as zero

template <class T>
std::uint32_t flagsOf(const Split<T>& split) {
  using F = Forest<T>;
  std::uint32_t flags = split.defaultLeft ? F::kDefaultLeft : 0U;
  if (split.categories >= 0) flags |= F::kCategorical;
  if (split.missing == Missing::Zero) flags |= F::kZeroMissing;
  if (split.missing == Missing::None) flags |= F::kNanIsZero;
  return flags;
}
}  // namespace

template <class T>
std::int32_t Forest<T>::addCategories(std::span<const std::uint32_t> words) {
  sets_.push_back({static_cast<std::uint32_t>(bits_.size()), static_cast<std::uint32_t>(words.size())});
  bits_.insert(bits_.end(), words.begin(), words.end());
  return static_cast<std::int32_t>(sets_.size() - 1);
}

template <class T>
Status Forest<T>::add(std::span<const Split<T>> splits, std::vector<std::size_t>* leaf) {
  if (splits.empty()) return fail(Code::Invalid, fmt::format("tree {}: it has no nodes", roots_.size()));
  const auto bad = [this](std::size_t node, std::string_view what) {
    return fail(Code::Invalid, fmt::format("tree {}, node {}: {}", roots_.size() - 1, node, what));
  };
  if (nodes_.size() + splits.size() > limits_.nodes || bits_.size() > limits_.nodes)
    return fail(Code::TooLarge, fmt::format("more than {} tree nodes", limits_.nodes));
  const std::size_t base = nodes_.size();
  // Breadth first: siblings lie side by side and the upper levels of a tree share cache lines. A node that two parents name
  // would be copied for each; the number of nodes bounds that, so that cycles end too.
  roots_.push_back(static_cast<std::uint32_t>(base));
  std::vector<std::uint32_t> source{0};
  std::size_t levelEnd = 1, depth = 0;
  nodes_.emplace_back();
  for (std::size_t done = 0; done < source.size(); ++done) {
    if (done == levelEnd) {
      levelEnd = source.size();
      if (++depth > limits_.depth)
        return fail(Code::TooLarge, fmt::format("tree {} is deeper than {}", roots_.size() - 1, limits_.depth));
    }
    const std::size_t from = source[done];
    const Split<T>& split = splits[from];
    if (split.left < 0) {
      nodes_[base + done] = {split.threshold, kLeaf, static_cast<std::uint32_t>(leaves_++)};
      if (leaf != nullptr) leaf->push_back(from);
      continue;
    }
    const auto count = static_cast<std::int64_t>(splits.size());
    if (split.left >= count || split.right < 0 || split.right >= count) return bad(from, "its children are not in the tree");
    if (split.feature < 0 || split.feature >= static_cast<std::int64_t>(std::min<std::size_t>(features_, kColumn)))
      return bad(from, fmt::format("feature {} of {}", split.feature, features_));
    if (split.categories >= 0 && static_cast<std::size_t>(split.categories) >= sets_.size())
      return bad(from, "its categories are missing");
    if (source.size() + 2 > splits.size()) return bad(from, "a node with two parents");
    const std::uint32_t flags = flagsOf(split);
    // The number of a set is stored in the bits of the threshold, which a categorical node does not have.
    T threshold = split.threshold;
    if (split.categories >= 0) {
      threshold = static_cast<T>(split.categories);
      if (static_cast<std::int32_t>(threshold) != split.categories)
        return fail(Code::TooLarge, "too many categorical splits");
    }
    nodes_[base + done] = {threshold, static_cast<std::uint32_t>(split.feature) | flags,
                           static_cast<std::uint32_t>(base + source.size())};
    special_ = special_ || (flags & (kCategorical | kZeroMissing)) != 0;
    nanMatters_ = nanMatters_ || (flags & (kDefaultLeft | kNanIsZero)) != 0;
    source.push_back(static_cast<std::uint32_t>(split.left));
    source.push_back(static_cast<std::uint32_t>(split.right));
    nodes_.resize(nodes_.size() + 2);
  }
  return {};
}

template <class T>
bool Forest<T>::isMember(const Node& node, T value) const {
  const bool cut = members_ == Members::Left;  // lightgbm: -0.5 is category 0
  if (!(cut ? value > -1 : value >= 0) || value >= static_cast<T>(2147483648.0)) return false;
  const auto category = static_cast<std::uint32_t>(static_cast<std::int64_t>(value));
  const Set set = sets_[static_cast<std::size_t>(node.threshold)];
  const std::uint32_t word = category / 32;
  return word < set.words && ((bits_[set.begin + word] >> (category % 32)) & 1U) != 0;
}

template <class T>
bool Forest<T>::goesLeft(const Node& node, T value) const {
  const bool nan = value != value;
  if ((node.feature & kCategorical) != 0) {
    if (nan && members_ == Members::Right) return (node.feature & kDefaultLeft) != 0;  // lightgbm: NaN is in no set
    return isMember(node, value) == (members_ == Members::Left);
  }
  if ((node.feature & kZeroMissing) != 0) {
    if (nan || std::abs(static_cast<double>(value)) <= kZeroThreshold) return (node.feature & kDefaultLeft) != 0;
  } else if (nan) {
    if ((node.feature & kNanIsZero) == 0) return (node.feature & kDefaultLeft) != 0;
    value = 0;
  }
  return value <= node.threshold;
}

template <class T>
const typename Forest<T>::Node& Forest<T>::leafCareful(std::size_t tree, const T* row) const {
  const Node* node = &nodes_[roots_[tree]];
  while ((node->feature & kLeaf) == 0)
    node = &nodes_[node->child + (goesLeft(*node, row[node->feature & kColumn]) ? 0U : 1U)];
  return *node;
}

template class Forest<float>;
template class Forest<double>;

}  // namespace slipway::trees
