// LightGBM's text format: lines of key=value about the model, then blocks that start with "Tree=", each ended by an empty
// line. What follows "end of trees" (importances, parameters) does not matter for predicting.
#include <charconv>
#include <cstdlib>
#include <map>

#include "serving/engines/lightgbm/lightgbm_model.h"

namespace slipway::lightgbm {
namespace {
using trees::Missing;
using trees::Split;

using Keys = std::map<std::string_view, std::string_view>;

// The lines of a text; empty ones too.
class Lines {
 public:
  explicit Lines(std::string_view text) : text_(text) {}
  bool next(std::string_view& line) {
    if (at_ >= text_.size()) return false;
    const std::size_t end = std::min(text_.find('\n', at_), text_.size());
    line = text_.substr(at_, end - at_);
    if (line.ends_with('\r')) line.remove_suffix(1);
    at_ = end + 1;
    return true;
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

// Adds line "key=value" to `keys`; a line without '=' is a key alone.
void addLine(Keys& keys, std::string_view line) {
  const std::size_t equals = line.find('=');
  keys[line.substr(0, equals)] = equals == std::string_view::npos ? std::string_view() : line.substr(equals + 1);
}

struct Block {
  std::string place;  // "tree 3", for messages; empty for the head
  const Keys& keys;

  tl::unexpected<Error> bad(std::string_view key, std::string_view what) const {
    return fail(Code::Invalid, fmt::format("{}{}{}: {}", place, place.empty() ? "" : ", ", key, what));
  }
  bool has(std::string_view key) const { return keys.find(key) != keys.end(); }
  Result<std::string_view> text(std::string_view key) const {
    const auto found = keys.find(key);
    if (found == keys.end()) return bad(key, "missing; is the file cut off?");
    return found->second;
  }
  // Exactly `count` numbers with blanks between.
  template <class T>
  Result<std::vector<T>> numbers(std::string_view key, std::size_t count) const {
    SLIP_TRY(const std::string_view text, this->text(key));
    // Two bytes a number at least: a count that the line cannot hold takes no memory.
    if (count > text.size() / 2 + 1) return bad(key, fmt::format("{} numbers are expected; is the file cut off?", count));
    std::vector<T> out;
    out.reserve(count);
    const char* at = text.data();
    const char* end = at + text.size();
    while (at != end && *at == ' ') ++at;
    while (at != end) {
      T value{};
      const auto [stop, error] = std::from_chars(at, end, value);
      if (error == std::errc::invalid_argument || (error != std::errc() && std::is_integral_v<T>))
        return bad(key, fmt::format("'{}' is no number that fits",
                                    std::string_view(at, std::min<std::size_t>(20, static_cast<std::size_t>(end - at)))));
      // A double beyond the range is what strtod makes of it: zero, a denormal or infinity.
      if constexpr (std::is_floating_point_v<T>)
        if (error != std::errc()) value = std::strtod(std::string(at, stop).c_str(), nullptr);
      out.push_back(value);
      at = stop;
      while (at != end && *at == ' ') ++at;
      if (out.size() > count) break;
    }
    if (out.size() != count)
      return bad(key, fmt::format("{} numbers are expected, {} are there; is the file cut off?", count, out.size()));
    return out;
  }
  Result<std::int64_t> integer(std::string_view key, std::int64_t least, std::int64_t most) const {
    SLIP_TRY(const auto list, numbers<std::int64_t>(key, 1));
    if (list[0] < least || list[0] > most) return bad(key, fmt::format("{} is not between {} and {}", list[0], least, most));
    return list[0];
  }
};

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> out;
  std::size_t at = 0;
  while (at <= text.size()) {
    const std::size_t blank = std::min(text.find(' ', at), text.size());
    if (blank > at) out.emplace_back(text.substr(at, blank - at));
    at = blank + 1;
  }
  return out;
}

struct ObjectiveRow {
  std::string_view name;
  Transform transform;
};
// Names that the library writes, and aliases that older ones wrote.
constexpr ObjectiveRow kObjectives[] = {
    {"regression", Transform::Identity},
    {"regression_l2", Transform::Identity},
    {"regression_l1", Transform::Identity},
    {"huber", Transform::Identity},
    {"fair", Transform::Identity},
    {"quantile", Transform::Identity},
    {"mape", Transform::Identity},
    {"poisson", Transform::Exp},
    {"gamma", Transform::Exp},
    {"tweedie", Transform::Exp},
    {"binary", Transform::Sigmoid},
    {"multiclass", Transform::Softmax},
    {"multiclassova", Transform::Sigmoid},
    {"cross_entropy", Transform::Sigmoid},
    {"xentropy", Transform::Sigmoid},
    {"cross_entropy_lambda", Transform::Log1pExp},
    {"xentlambda", Transform::Log1pExp},
    {"lambdarank", Transform::Identity},
    {"rank_xendcg", Transform::Identity},
    {"none", Transform::Identity},
    {"null", Transform::Identity},
    {"custom", Transform::Identity},
    {"na", Transform::Identity},
};

Status readObjective(const Block& head, Facts& facts) {
  if (!head.has("objective")) return {};  // trained with an objective in Python: raw scores
  SLIP_TRY(const std::string_view text, head.text("objective"));
  facts.objective = std::string(text);
  const auto parts = words(text);
  const auto row = std::find_if(std::begin(kObjectives), std::end(kObjectives),
                                [&](const ObjectiveRow& r) { return !parts.empty() && r.name == parts[0]; });
  if (row == std::end(kObjectives))
    return fail(Code::Unimplemented, fmt::format("objective '{}' is not known", std::string(text.substr(0, 60))));
  facts.transform = row->transform;
  for (const std::string& part : parts) {
    if (part == "sqrt" && facts.transform == Transform::Identity) facts.transform = Transform::SignedSquare;
    if (!part.starts_with("sigmoid:")) continue;
    const auto [stop, error] = std::from_chars(part.data() + 8, part.data() + part.size(), facts.sigmoid);
    if (error != std::errc() || stop != part.data() + part.size() || !(facts.sigmoid > 0))
      return head.bad("objective", "sigmoid must be above 0");
  }
  return {};
}

Result<Facts> readHead(const Block& head, const trees::Limits& limits) {
  Facts facts;
  SLIP_TRY(const std::int64_t lastFeature,
           head.integer("max_feature_idx", 0, static_cast<std::int64_t>(limits.features) - 1));
  facts.features = static_cast<std::size_t>(lastFeature) + 1;
  SLIP_TRY(const std::int64_t classes, head.integer("num_class", 1, static_cast<std::int64_t>(limits.outputs)));
  facts.outputs = static_cast<std::size_t>(classes);
  if (head.has("num_tree_per_iteration")) {
    SLIP_TRY(const std::int64_t trees, head.integer("num_tree_per_iteration", 1, static_cast<std::int64_t>(limits.outputs)));
    facts.outputs = static_cast<std::size_t>(trees);
  }
  SLIP_TRY(const std::string_view names, head.text("feature_names"));
  facts.featureNames = words(names);
  if (facts.featureNames.size() != facts.features)
    return head.bad("feature_names", fmt::format("{} names for {} features", facts.featureNames.size(), facts.features));
  facts.averageOutput = head.has("average_output");
  SLIP_CHECK(readObjective(head, facts));
  return facts;
}

struct RawTree {
  std::vector<std::int64_t> left, right, feature;
  std::vector<double> threshold, value;
  std::vector<std::int32_t> decision;
};

// One split per inner node, then one per leaf. A child below zero is leaf ~child.
Status readSplits(const Block& block, const RawTree& raw, Content& content, std::vector<Split<double>>& splits) {
  const std::size_t inner = raw.left.size();
  const auto child = [inner](std::int64_t c) { return c >= 0 ? c : static_cast<std::int64_t>(inner) + ~c; };
  std::vector<std::int32_t> sets;
  SLIP_TRY(const std::int64_t count, block.integer("num_cat", 0, 1 << 24));
  if (count > 0 && inner > 0) {
    SLIP_TRY(const auto bounds, block.numbers<std::int64_t>("cat_boundaries", static_cast<std::size_t>(count) + 1));
    if (bounds[0] != 0 || !std::is_sorted(bounds.begin(), bounds.end()) || bounds.back() > (1LL << 31))
      return block.bad("cat_boundaries", "they must grow from 0");
    SLIP_TRY(const auto bits, block.numbers<std::uint32_t>("cat_threshold", static_cast<std::size_t>(bounds.back())));
    for (std::size_t i = 0; i + 1 < bounds.size(); ++i)
      sets.push_back(
          content.forest.addCategories({bits.data() + bounds[i], static_cast<std::size_t>(bounds[i + 1] - bounds[i])}));
  }
  splits.resize(inner + raw.value.size());
  for (std::size_t i = 0; i < inner; ++i) {
    Split<double>& s = splits[i];
    s.left = child(raw.left[i]);
    s.right = child(raw.right[i]);
    s.feature = raw.feature[i];
    s.threshold = raw.threshold[i];
    const int decision = raw.decision[i];
    s.defaultLeft = (decision & 2) != 0;
    const int missing = (decision >> 2) & 3;
    s.missing = missing == 0 ? Missing::None : missing == 1 ? Missing::Zero : Missing::Nan;
    if ((decision & 1) == 0) continue;
    if (!(s.threshold >= 0 && s.threshold < static_cast<double>(sets.size())))
      return block.bad("threshold", fmt::format("node {} names categories that are not there", i));
    s.categories = sets[static_cast<std::size_t>(s.threshold)];
  }
  for (std::size_t i = 0; i < raw.value.size(); ++i) splits[inner + i].threshold = raw.value[i];
  return {};
}

// The linear models of a tree's leaves, in the order of the file.
Result<std::vector<LinearLeaf>> readLinear(const Block& block, std::size_t leaves, std::size_t features) {
  std::vector<LinearLeaf> out(leaves);
  SLIP_TRY(const auto constants, block.numbers<double>("leaf_const", leaves));
  SLIP_TRY(const auto counts, block.numbers<std::int64_t>("num_features", leaves));
  std::size_t total = 0;
  for (const std::int64_t n : counts) {
    if (n < 0 || n > static_cast<std::int64_t>(features))
      return block.bad("num_features", fmt::format("{} of {} features", n, features));
    total += static_cast<std::size_t>(n);
  }
  std::vector<std::int64_t> which;
  std::vector<double> coefficients;
  if (total > 0) {
    SLIP_TRY(which, block.numbers<std::int64_t>("leaf_features", total));
    SLIP_TRY(coefficients, block.numbers<double>("leaf_coeff", total));
  }
  std::size_t at = 0;
  for (std::size_t i = 0; i < leaves; ++i) {
    out[i].constant = constants[i];
    for (std::int64_t n = 0; n < counts[i]; ++n, ++at) {
      if (which[at] < 0 || which[at] >= static_cast<std::int64_t>(features))
        return block.bad("leaf_features", fmt::format("feature {} of {}", which[at], features));
      out[i].terms.emplace_back(static_cast<std::uint32_t>(which[at]), coefficients[at]);
    }
  }
  return out;
}

Status readTree(const Block& block, Content& content, bool& anyLinear) {
  SLIP_TRY(const std::int64_t leaves, block.integer("num_leaves", 0, 1 << 30));
  const auto count = static_cast<std::size_t>(std::max<std::int64_t>(leaves, 1));
  const std::size_t inner = count - 1;
  RawTree raw;
  SLIP_TRY(raw.value, block.numbers<double>("leaf_value", count));
  if (inner > 0) {
    SLIP_TRY(raw.left, block.numbers<std::int64_t>("left_child", inner));
    SLIP_TRY(raw.right, block.numbers<std::int64_t>("right_child", inner));
    SLIP_TRY(raw.feature, block.numbers<std::int64_t>("split_feature", inner));
    SLIP_TRY(raw.threshold, block.numbers<double>("threshold", inner));
    raw.decision.resize(inner);
    if (block.has("decision_type")) {
      SLIP_TRY(raw.decision, block.numbers<std::int32_t>("decision_type", inner));
    }
  }
  std::vector<Split<double>> splits;
  SLIP_CHECK(readSplits(block, raw, content, splits));
  const bool linear = block.has("is_linear") && block.keys.at("is_linear") == "1";
  anyLinear = anyLinear || linear;
  std::vector<std::size_t> source;
  SLIP_CHECK(content.forest.add(splits, &source));
  if (linear) {
    SLIP_TRY(const auto models, readLinear(block, count, content.facts.features));
    for (const std::size_t s : source) content.linear.push_back(models[s - inner]);
  } else {  // its leaves are constants, whatever NaN comes
    for (const std::size_t s : source) content.linear.push_back({raw.value[s - inner], {}});
  }
  return {};
}

}  // namespace

Result<Content> readText(std::string_view text, const trees::Limits& limits) {
  Lines lines(text);
  std::string_view line;
  Keys head;
  if (!lines.next(line) || line != "tree")
    return fail(Code::Invalid, "not a LightGBM model: its text format starts with a line 'tree'");
  bool more = lines.next(line);
  for (; more && !line.starts_with("Tree="); more = lines.next(line))
    if (!line.empty()) addLine(head, line);
  SLIP_TRY(Facts facts, readHead({"", head}, limits));
  Content content(std::move(facts), limits);
  bool anyLinear = false;
  Keys keys;
  while (more && line.starts_with("Tree=")) {
    const std::string place = fmt::format("tree {}", content.forest.trees());
    keys.clear();
    while ((more = lines.next(line)) && !line.empty() && !line.starts_with("Tree=")) addLine(keys, line);
    // The library ends every tree with an empty line: without it the last number may be half there.
    if (!more) return fail(Code::Invalid, fmt::format("{}: the file ends inside it; is it cut off?", place));
    SLIP_CHECK(readTree({place, keys}, content, anyLinear));
    while (more && line.empty()) more = lines.next(line);
  }
  if (content.forest.trees() == 0) return fail(Code::Invalid, "it has no trees; is the file cut off?");
  if (!anyLinear) content.linear = {};
  if (const Block block{"", head}; block.has("tree_sizes")) {
    SLIP_TRY(const std::string_view sizes, block.text("tree_sizes"));
    const std::size_t expected = words(sizes).size();
    if (expected != content.forest.trees())
      return fail(Code::Invalid, fmt::format("{} trees are announced, {} are there; is the file cut off?", expected,
                                             content.forest.trees()));
  }
  if (content.forest.trees() % content.facts.outputs != 0)
    return fail(Code::Invalid,
                fmt::format("{} trees do not divide into {} outputs", content.forest.trees(), content.facts.outputs));
  return content;
}

}  // namespace slipway::lightgbm
