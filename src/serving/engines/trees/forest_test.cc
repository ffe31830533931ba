#include "serving/engines/trees/forest.h"

#include <gtest/gtest.h>

namespace slipway::trees {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

Split<float> leaf(float value) { return {value}; }
Split<float> node(float threshold, std::int64_t left, std::int64_t right, bool defaultLeft = false) {
  return {threshold, 0, left, right, defaultLeft};
}

float valueAt(const Forest<float>& forest, float v) {
  float out = -1;
  forest.walk(&v, [&out](std::size_t, float leaf) { out = leaf; });
  return out;
}

TEST(Forest, GoesLeftUpToTheThresholdAndBelowItForXgboost) {
  Forest<float> upTo(1), under(1);
  ASSERT_TRUE(upTo.add(std::vector{node(1, 1, 2), leaf(10), leaf(20)}));
  ASSERT_TRUE(under.add(std::vector{node(below(1.0F), 1, 2), leaf(10), leaf(20)}));
  EXPECT_EQ(valueAt(upTo, 1), 10);
  EXPECT_EQ(valueAt(under, 1), 20);
  EXPECT_EQ(valueAt(under, std::nextafter(1.0F, 0.0F)), 10);
  EXPECT_EQ(valueAt(upTo, kNan), 20);
}

TEST(Forest, NothingIsBelowMinusInfinity) {
  const float t = below(-std::numeric_limits<float>::infinity());
  EXPECT_FALSE(-std::numeric_limits<float>::infinity() <= t);
  EXPECT_TRUE(-0.0F <= below(std::numeric_limits<float>::denorm_min()));
  EXPECT_FALSE(0.0F <= below(0.0F));
}

TEST(Forest, SendsMissingWhereTheNodeSays) {
  Forest<float> forest(1);
  ASSERT_TRUE(forest.add(std::vector{node(1, 1, 2, true), leaf(10), leaf(20)}));
  EXPECT_EQ(valueAt(forest, kNan), 10);
  EXPECT_EQ(valueAt(forest, 5), 20);
  Split<float> zero = node(-1, 1, 2, true);
  zero.missing = Missing::Zero;
  Forest<float> zeros(1);
  ASSERT_TRUE(zeros.add(std::vector{zero, leaf(10), leaf(20)}));
  EXPECT_EQ(valueAt(zeros, 0), 10);
  EXPECT_EQ(valueAt(zeros, 0.5F), 20);
  Split<float> none = node(-1, 1, 2, true);
  none.missing = Missing::None;
  Forest<float> nones(1);
  ASSERT_TRUE(nones.add(std::vector{none, leaf(10), leaf(20)}));
  EXPECT_EQ(valueAt(nones, kNan), 20);  // NaN counts as 0
}

TEST(Forest, MembersOfASetGoTheirWay) {
  for (const Members members : {Members::Left, Members::Right}) {
    Forest<float> forest(1, members);
    const std::vector<std::uint32_t> words{1U << 0 | 1U << 3, 1U << 2};  // 0, 3, 34
    Split<float> split = node(0, 1, 2);
    split.categories = forest.addCategories(words);
    ASSERT_TRUE(forest.add(std::vector{split, leaf(10), leaf(20)}));
    const float in = members == Members::Left ? 10 : 20, out = 30 - in;
    EXPECT_EQ(valueAt(forest, 0), in);
    EXPECT_EQ(valueAt(forest, 3.7F), in);
    EXPECT_EQ(valueAt(forest, 34), in);
    EXPECT_EQ(valueAt(forest, 2), out);
    EXPECT_EQ(valueAt(forest, 64), out);
    EXPECT_EQ(valueAt(forest, -1), out);
    EXPECT_EQ(valueAt(forest, 1e30F), out);
    EXPECT_EQ(valueAt(forest, -0.5F), members == Members::Left ? in : out);
  }
}

TEST(Forest, RefusesWhatIsNoTree) {
  const auto error = [](std::vector<Split<float>> splits, Limits limits = {}) {
    const auto done = Forest<float>(1, Members::Left, limits).add(splits);
    return done ? "" : done.error().message;
  };
  EXPECT_EQ(error({}), "tree 0: it has no nodes");
  EXPECT_EQ(error({node(0, 1, 5), leaf(1)}), "tree 0, node 0: its children are not in the tree");
  EXPECT_EQ(error({node(0, 0, 0), leaf(1), leaf(2)}), "tree 0, node 0: a node with two parents");
  Split<float> far = node(0, 1, 2);
  far.feature = 1;
  EXPECT_EQ(error({far, leaf(1), leaf(2)}), "tree 0, node 0: feature 1 of 1");
  EXPECT_EQ(error({node(0, 1, 2), leaf(1), leaf(2)}, {2}), "more than 2 tree nodes");
  EXPECT_EQ(error({node(0, 1, 2), node(0, 3, 4), leaf(1), leaf(2), leaf(3)}, {100, 1}), "tree 0 is deeper than 1");
}

}  // namespace
}  // namespace slipway::trees
