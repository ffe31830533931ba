// From the JSON or UBJSON document of a model (xgboost 0.90 to 3.x) to its content.
#include <charconv>

#include "serving/engines/xgboost/document.h"
#include "serving/engines/xgboost/xgboost_model.h"

namespace slipway::xgboost {
namespace {
using trees::Split;

// "5E-1" until 3.0, "[5E-1]" or "[1E0,2E0]" from 3.1 on.
Result<std::vector<float>> readBaseScores(const Place& param) {
  SLIP_TRY(const std::string text, param.text("base_score"));
  std::vector<float> out;
  const char* at = text.data();
  const char* end = at + text.size();
  const bool list = at != end && *at == '[';
  if (list) ++at;
  while (at != end && *at != ']') {
    float value = 0;
    const auto [stop, error] = std::from_chars(at, end, value);
    if (error != std::errc()) return param.bad("base_score", fmt::format("'{}' is no number", text));
    out.push_back(value);
    at = stop;
    while (at != end && (*at == ',' || *at == ' ')) ++at;
  }
  if (out.empty() || (!list && out.size() != 1)) return param.bad("base_score", fmt::format("'{}' is no number", text));
  return out;
}

// The numbers of a key of a tree, one per node.
Result<const std::vector<double>*> perNode(const Place& tree, std::string_view key, std::size_t nodes) {
  SLIP_TRY(const std::vector<double>* numbers, tree.numbers(key));
  if (numbers->size() != nodes) return tree.bad(key, fmt::format("{} values for {} nodes", numbers->size(), nodes));
  return numbers;
}

bool isIndex(double value, std::size_t bound) { return value >= 0 && value < static_cast<double>(bound); }

// The sets of categories of a tree's categorical splits: node categories_nodes[i] has the categories_sizes[i] categories
// from categories_segments[i] on.
Status readCategories(const Place& tree, trees::Forest<float>& forest, std::vector<Split<float>>& splits) {
  if (!tree.has("categories_nodes")) return {};
  SLIP_TRY(const auto* nodes, tree.numbers("categories_nodes"));
  SLIP_TRY(const auto* segments, tree.numbers("categories_segments"));
  SLIP_TRY(const auto* sizes, tree.numbers("categories_sizes"));
  SLIP_TRY(const auto* categories, tree.numbers("categories"));
  if (segments->size() != nodes->size() || sizes->size() != nodes->size())
    return tree.bad("categories_segments", "its length differs from categories_nodes'");
  std::vector<std::uint32_t> words;
  for (std::size_t i = 0; i < nodes->size(); ++i) {
    const double begin = (*segments)[i], size = (*sizes)[i];
    if (!isIndex((*nodes)[i], splits.size())) return tree.bad("categories_nodes", "a node that is not there");
    if (!isIndex(begin, categories->size()) || !(size >= 1) || begin + size > static_cast<double>(categories->size()))
      return tree.bad("categories_segments", "it does not fit categories");
    words.clear();
    for (auto c = static_cast<std::size_t>(begin); c < static_cast<std::size_t>(begin + size); ++c) {
      const double category = (*categories)[c];
      if (!isIndex(category, 1U << 24)) return tree.bad("categories", fmt::format("{} is no category", category));
      const auto bit = static_cast<std::uint32_t>(category);
      if (words.size() <= bit / 32) words.resize(bit / 32 + 1);
      words[bit / 32] |= 1U << (bit % 32);
    }
    splits[static_cast<std::size_t>((*nodes)[i])].categories = forest.addCategories(words);
  }
  return {};
}

Status readTree(const Place& tree, Content& content) {
  SLIP_TRY(const Place param, tree.at("tree_param"));
  SLIP_TRY(const std::int64_t width, param.integerOr("size_leaf_vector", 1));
  if (width > 1)
    return fail(Code::Unimplemented,
                fmt::format("a tree with {} values per leaf (multi_strategy multi_output_tree) is not served: "
                            "train with multi_strategy=one_output_per_tree",
                            width));
  SLIP_TRY(const auto* left, tree.numbers("left_children"));
  const std::size_t nodes = left->size();
  SLIP_TRY(const auto* right, perNode(tree, "right_children", nodes));
  SLIP_TRY(const auto* feature, perNode(tree, "split_indices", nodes));
  SLIP_TRY(const auto* condition, perNode(tree, "split_conditions", nodes));
  SLIP_TRY(const auto* defaultLeft, perNode(tree, "default_left", nodes));
  std::vector<Split<float>> splits(nodes);
  const auto child = [nodes](double v) {
    return v >= 0 && v < static_cast<double>(nodes) ? static_cast<std::int64_t>(v) : -1;
  };
  for (std::size_t i = 0; i < nodes; ++i) {
    Split<float>& s = splits[i];
    const auto value = static_cast<float>((*condition)[i]);
    if ((*left)[i] == -1) {
      s.threshold = value;
      continue;
    }
    s.left = child((*left)[i]);
    s.right = child((*right)[i]);
    if (s.left < 0 || s.right < 0)
      return tree.bad("left_children", fmt::format("node {} has children that are not in the tree", i));
    s.threshold = trees::below(value);
    s.feature = isIndex((*feature)[i], content.facts.features) ? static_cast<std::int64_t>((*feature)[i]) : -1;
    s.defaultLeft = (*defaultLeft)[i] != 0;
  }
  SLIP_CHECK(readCategories(tree, content.forest, splits));
  return content.forest.add(splits);
}

Status readTrees(const Place& model, Content& content) {
  SLIP_TRY(const Place list, model.at("trees"));
  SLIP_TRY(const auto* groups, model.numbers("tree_info"));
  const std::size_t count = list.value().items.size();
  if (groups->size() != count) return model.bad("tree_info", fmt::format("{} values for {} trees", groups->size(), count));
  for (std::size_t i = 0; i < count; ++i) {
    if (!isIndex((*groups)[i], content.facts.outputs))
      return model.bad("tree_info", fmt::format("tree {} adds to output {} of {}", i, (*groups)[i], content.facts.outputs));
    content.groups.push_back(static_cast<std::uint32_t>((*groups)[i]));
    SLIP_TRY(const Place tree, list.item(i));
    SLIP_CHECK(readTree(tree, content));
  }
  return {};
}

Status readFloats(const Place& place, std::string_view key, std::size_t count, std::vector<float>& out) {
  SLIP_TRY(const auto* numbers, place.numbers(key));
  if (numbers->size() != count) return place.bad(key, fmt::format("{} values, but {} are expected", numbers->size(), count));
  out.assign(numbers->begin(), numbers->end());
  return {};
}

Status readBooster(const Place& booster, Content& content) {
  switch (content.facts.booster) {
    case Booster::Trees: {
      SLIP_TRY(const Place model, booster.at("model"));
      return readTrees(model, content);
    }
    case Booster::Dart: {
      SLIP_TRY(const Place trees, booster.at("gbtree"));
      SLIP_TRY(const Place model, trees.at("model"));
      SLIP_CHECK(readTrees(model, content));
      return readFloats(booster, "weight_drop", content.forest.trees(), content.treeWeights);
    }
    case Booster::Linear: {
      SLIP_TRY(const Place model, booster.at("model"));
      return readFloats(model, "weights", (content.facts.features + 1) * content.facts.outputs, content.linear);
    }
  }
  return {};
}

Status readNames(const Place& learner, Facts& facts) {
  const Value* names = learner.value().find("feature_names");
  if (names == nullptr || names->items.empty()) return {};
  if (names->items.size() != facts.features)
    return learner.bad("feature_names", fmt::format("{} names for {} features", names->items.size(), facts.features));
  for (const Value& name : names->items) facts.featureNames.push_back(name.text);
  return {};
}

std::string versionOf(const Place& root) {
  const Value* version = root.value().find("version");
  std::string out;
  if (version == nullptr) return out;
  for (const double part : version->numbers) out += fmt::format("{}{}", out.empty() ? "" : ".", part);
  return out.size() > 40 ? "" : out;
}

Result<Facts> readFacts(const Place& root, const Place& learner, const Place& booster, const Place& param) {
  Facts facts;
  facts.version = versionOf(root);
  SLIP_TRY(const std::string name, booster.text("name"));
  if (name == "dart") {
    facts.booster = Booster::Dart;
  } else if (name == "gblinear") {
    facts.booster = Booster::Linear;
  } else if (name != "gbtree") {
    return booster.bad("name", fmt::format("booster '{}' is not gbtree, dart or gblinear", name));
  }
  SLIP_TRY(const Place objective, learner.at("objective"));
  SLIP_TRY(const std::string objectiveName, objective.text("name"));
  SLIP_TRY(facts.objective, objectiveOf(objectiveName));
  SLIP_TRY(const std::int64_t features, param.integer("num_feature"));
  SLIP_TRY(const std::int64_t classes, param.integerOr("num_class", 0));
  SLIP_TRY(const std::int64_t targets, param.integerOr("num_target", 1));
  if (features < 0 || classes < 0 || targets < 0)
    return param.bad("num_feature, num_class and num_target cannot be below 0");
  facts.features = static_cast<std::size_t>(features);
  facts.outputs = static_cast<std::size_t>(std::max({classes, targets, std::int64_t{1}}));
  if (const Value* attributes = learner.value().find("attributes")) {
    if (const Value* best = attributes->find("best_iteration")) facts.bestIteration = best->text.substr(0, 20);
  }
  return facts;
}

}  // namespace

Result<Content> readDocument(const Place& root, const trees::Limits& limits) {
  SLIP_TRY(const Place learner, root.at("learner"));
  SLIP_TRY(const Place booster, learner.at("gradient_booster"));
  SLIP_TRY(const Place param, learner.at("learner_model_param"));
  SLIP_TRY(Facts facts, readFacts(root, learner, booster, param));
  SLIP_CHECK(checkFacts(facts, limits));
  SLIP_CHECK(readNames(learner, facts));
  Content content(std::move(facts), limits);
  SLIP_TRY(const auto baseScores, readBaseScores(param));
  SLIP_CHECK(setMargins(content, baseScores));
  SLIP_CHECK(readBooster(booster, content));
  return content;
}

}  // namespace slipway::xgboost
