// The binary layout of xgboost up to 1.7 ("binf" in front when a Python or C API save made it, nothing when older tools
// did): little-endian structs one after another. xgboost 3.1 and later cannot read it. No categorical splits, one value per
// leaf.
//
//   learner parameters, 136 bytes: float base_score; uint32 features; int32 classes, has_attributes, has_metrics;
//                                  uint32 major, minor, targets; 26 reserved words
//   text objective, text booster           (a text is a uint64 length and its bytes)
//   booster gbtree, dart: 160 bytes, of which the first int32 is the number of trees; then per tree
//     148 bytes: int32 roots, nodes, deleted, depth; uint32 features; int32 leaf vector size; 31 reserved words
//     per node 20 bytes: int32 parent, left, right; uint32 feature with default-left as the high bit; float threshold or
//     value per node 16 bytes of statistics
//   int32 output of each tree; for dart a uint64 count and a float weight of each tree
//   booster gblinear: 136 bytes; a uint64 count and the float weights
//   when has_attributes: a uint64 count and pairs of texts
#include <cmath>
#include <cstring>

#include "serving/engines/xgboost/xgboost_model.h"

namespace slipway::xgboost {
namespace {
using trees::Split;

class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : bytes_(bytes) {}

  std::size_t left() const { return bytes_.size() - at_; }
  Status need(std::size_t count, std::string_view what) const {
    if (left() >= count) return {};
    return fail(Code::Invalid, fmt::format("binary model: the file ends at byte {}, inside {}", bytes_.size(), what));
  }
  // T from `offset` bytes on; the caller has checked with need().
  template <class T>
  T peek(std::size_t offset) const {
    T out;
    std::memcpy(&out, bytes_.data() + at_ + offset, sizeof(T));
    return out;
  }
  void skip(std::size_t count) { at_ += count; }
  Result<std::string> text(std::string_view what) {
    SLIP_TRY(const std::size_t size, count(1, what));
    std::string out(bytes_.substr(at_, size));
    skip(size);
    return out;
  }
  // A uint64 count of things of `each` bytes that follow.
  Result<std::size_t> count(std::size_t each, std::string_view what) {
    SLIP_CHECK(need(8, what));
    const auto value = peek<std::uint64_t>(0);
    skip(8);
    if (value > left() / each)
      return fail(Code::Invalid, fmt::format("binary model: {} in {}, but {} bytes are left", value, what, left()));
    return static_cast<std::size_t>(value);
  }
  Result<std::vector<float>> floats(std::string_view what) {
    SLIP_TRY(const std::size_t n, count(4, what));
    std::vector<float> out(n);
    std::memcpy(out.data(), bytes_.data() + at_, n * 4);
    skip(n * 4);
    return out;
  }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
};

constexpr std::size_t kLearner = 136, kForest = 160, kTree = 148, kNode = 20, kStatistics = 16, kLinear = 136;

Status readTree(Bytes& in, Content& content) {
  SLIP_CHECK(in.need(kTree, "the parameters of a tree"));
  const auto nodes = in.peek<std::int32_t>(4);
  const auto width = in.peek<std::int32_t>(20);
  in.skip(kTree);
  if (width > 1) return fail(Code::Unimplemented, fmt::format("a tree with {} values per leaf is not served", width));
  if (nodes < 1)
    return fail(Code::Invalid, fmt::format("binary model: tree {} has {} nodes", content.forest.trees(), nodes));
  const auto count = static_cast<std::size_t>(nodes);
  SLIP_CHECK(in.need(count * (kNode + kStatistics), fmt::format("tree {}", content.forest.trees())));
  std::vector<Split<float>> splits(count);
  for (std::size_t i = 0; i < count; ++i) {
    Split<float>& s = splits[i];
    const std::size_t at = i * kNode;
    const auto value = in.peek<float>(at + 16);
    s.left = in.peek<std::int32_t>(at + 4);
    if (s.left < 0) {
      s.threshold = value;
      continue;
    }
    const auto feature = in.peek<std::uint32_t>(at + 12);
    s.right = in.peek<std::int32_t>(at + 8);
    s.feature = feature & 0x7FFFFFFFU;
    s.defaultLeft = (feature >> 31) != 0;
    s.threshold = trees::below(value);
  }
  in.skip(count * (kNode + kStatistics));
  return content.forest.add(splits);
}

Status readTrees(Bytes& in, Content& content) {
  SLIP_CHECK(in.need(kForest, "the parameters of the trees"));
  const auto trees = in.peek<std::int32_t>(0);
  in.skip(kForest);
  if (trees < 0 || static_cast<std::size_t>(trees) > in.left() / (kTree + kNode + kStatistics))
    return fail(Code::Invalid, fmt::format("binary model: {} trees, but {} bytes are left", trees, in.left()));
  const auto count = static_cast<std::size_t>(trees);
  for (std::size_t i = 0; i < count; ++i) SLIP_CHECK(readTree(in, content));
  SLIP_CHECK(in.need(count * 4, "the outputs of the trees"));
  for (std::size_t i = 0; i < count; ++i) {
    const auto group = in.peek<std::int32_t>(i * 4);
    if (group < 0 || static_cast<std::size_t>(group) >= content.facts.outputs)
      return fail(Code::Invalid,
                  fmt::format("binary model: tree {} adds to output {} of {}", i, group, content.facts.outputs));
    content.groups.push_back(static_cast<std::uint32_t>(group));
  }
  in.skip(count * 4);
  if (content.facts.booster != Booster::Dart || count == 0) return {};
  SLIP_TRY(content.treeWeights, in.floats("the weights of the trees"));
  if (content.treeWeights.size() != count)
    return fail(Code::Invalid, fmt::format("binary model: {} weights for {} trees", content.treeWeights.size(), count));
  return {};
}

Status readLinear(Bytes& in, Content& content) {
  SLIP_CHECK(in.need(kLinear, "the parameters of the linear booster"));
  in.skip(kLinear);
  SLIP_TRY(content.linear, in.floats("the weights"));
  const std::size_t expected = (content.facts.features + 1) * content.facts.outputs;
  if (content.linear.size() != expected)
    return fail(Code::Invalid,
                fmt::format("binary model: {} weights, but {} are expected", content.linear.size(), expected));
  return {};
}

// Only best_iteration matters, for people; damaged attributes do not make a model unusable.
void readAttributes(Bytes& in, Facts& facts) {
  const auto count = in.count(16, "the attributes");
  for (std::size_t i = 0; count && i < *count; ++i) {
    const auto key = in.text("an attribute");
    if (!key) return;
    const auto value = in.text("an attribute");
    if (!value) return;
    if (*key == "best_iteration") facts.bestIteration = value->substr(0, 20);
  }
}

}  // namespace

Result<Content> readLegacy(std::string_view bytes, const trees::Limits& limits) {
  if (bytes.starts_with("binf")) bytes.remove_prefix(4);
  Bytes in(bytes);
  SLIP_CHECK(in.need(kLearner, "the first parameters: is this an xgboost model?"));
  float baseScore = in.peek<float>(0);
  Facts facts;
  facts.features = in.peek<std::uint32_t>(4);
  const auto classes = in.peek<std::int32_t>(8);
  const bool hasAttributes = in.peek<std::int32_t>(12) != 0;
  const auto major = in.peek<std::uint32_t>(20), minor = in.peek<std::uint32_t>(24);
  const auto targets = in.peek<std::int32_t>(28);
  in.skip(kLearner);
  facts.outputs = static_cast<std::size_t>(std::max({classes, targets, 1}));
  if (major >= 1) facts.version = fmt::format("{}.{}", major, minor);
  SLIP_TRY(const std::string objective, in.text("the objective's name: is this an xgboost model?"));
  SLIP_TRY(const std::string booster, in.text("the booster's name: is this an xgboost model?"));
  if (booster != "gbtree" && booster != "dart" && booster != "gblinear")
    return fail(Code::Invalid,
                "neither JSON, UBJSON nor a binary xgboost model: save it with Booster.save_model(\"model.ubj\")");
  facts.booster = booster == "dart" ? Booster::Dart : booster == "gblinear" ? Booster::Linear : Booster::Trees;
  SLIP_TRY(facts.objective, objectiveOf(objective));
  SLIP_CHECK(checkFacts(facts, limits));
  // Before 1.0 base_score was stored as the margin; the library turns it back and forth, which can cost a last bit.
  if (major < 1 && !objective.starts_with("multi:")) transformRow(facts.objective.transform, {&baseScore, 1});
  Content content(std::move(facts), limits);
  SLIP_CHECK(setMargins(content, {&baseScore, 1}));
  SLIP_CHECK(content.facts.booster == Booster::Linear ? readLinear(in, content) : readTrees(in, content));
  if (hasAttributes) readAttributes(in, content.facts);
  return content;
}

}  // namespace slipway::xgboost
