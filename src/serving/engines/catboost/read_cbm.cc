// The .cbm file: "CBM1", a uint32 size, a flatbuffer of the model, then the parts it names: "static_provider_v1" holds the
// CTR tables (a uint32 count; each a uint32 size and a flatbuffer). Field numbers below are those of catboost's schema
// (catboost/libs/model/flatbuffers/*.fbs, 1.2).
#include <bit>
#include <cmath>
#include <map>

#include "data/json.h"
#include "serving/engines/catboost/catboost_model.h"
#include "serving/engines/catboost/flat.h"

namespace slipway::catboost {
namespace {

tl::unexpected<Error> damaged(std::string_view what) {
  return fail(Code::Invalid, fmt::format("damaged catboost model: {}", what));
}

// What the tables of the file mean while it is read.
struct Features {
  std::map<std::int32_t, std::uint32_t> floatSlot;  // the file's float index -> our slot
  std::map<std::int32_t, std::uint32_t> category;   // the file's categorical index -> ours
};

Status addColumn(Facts& facts, std::int32_t flat, std::string_view name, const trees::Limits& limits) {
  if (flat < 0 || static_cast<std::size_t>(flat) >= limits.features) return damaged(fmt::format("feature number {}", flat));
  const auto column = static_cast<std::size_t>(flat);
  if (facts.columns <= column) facts.columns = column + 1;
  if (facts.names.size() <= column) facts.names.resize(column + 1);
  facts.names[column] = std::string(name);
  return {};
}

Status readFeatures(FlatTable trees, Content& content, Features& features, const trees::Limits& limits) {
  const FlatVector floats = trees.vector(5, 4);
  for (std::uint32_t i = 0; i < floats.count; ++i) {
    const FlatTable f = trees.element(floats, i);
    const auto column = f.scalar<std::int32_t>(2, -1);
    SLIP_CHECK(addColumn(content.facts, column, f.text(4), limits));
    const FlatVector borders = f.vector(3, 4);
    if (borders.count == 0) continue;  // not used by the trees
    const auto nan = f.scalar<std::int8_t>(5, 0);
    if (nan < 0 || nan > 2) return damaged("treatment of missing values");
    const bool hasNan = f.scalar<std::uint8_t>(0, 0) != 0;
    const auto slot = static_cast<std::uint32_t>(content.floats.size());
    content.floats.push_back(
        {static_cast<std::size_t>(column), hasNan ? static_cast<NanTreatment>(nan) : NanTreatment::AsIs});
    features.floatSlot[f.scalar<std::int32_t>(1, -1)] = slot;
    for (std::uint32_t b = 0; b < borders.count; ++b)
      content.tests.push_back({slot, false, f.element<float>(borders, b), 0});
  }
  const FlatVector categories = trees.vector(4, 4);
  for (std::uint32_t i = 0; i < categories.count; ++i) {
    const FlatTable f = trees.element(categories, i);
    const auto column = f.scalar<std::int32_t>(1, -1);
    SLIP_CHECK(addColumn(content.facts, column, f.text(2), limits));
    features.category[f.scalar<std::int32_t>(0, -1)] = static_cast<std::uint32_t>(content.categories.size());
    content.categories.push_back({static_cast<std::size_t>(column)});
  }
  for (const auto& [field, kind] : {std::pair{12U, "text"}, std::pair{18U, "embedding"}}) {
    if (trees.vector(field, 4).count > 0)
      return fail(Code::Unimplemented, fmt::format("a model with {} features is not served: train it without them", kind));
  }
  if (trees.vector(13, 4).count > 0)
    return fail(Code::Unimplemented, "a model with features estimated from texts or embeddings is not served");
  const FlatVector oneHot = trees.vector(6, 4);
  for (std::uint32_t i = 0; i < oneHot.count; ++i) {
    const FlatTable f = trees.element(oneHot, i);
    const auto category = features.category.find(f.scalar<std::int32_t>(0, -1));
    if (category == features.category.end()) return damaged("a one-hot feature that is not categorical");
    const FlatVector values = f.vector(1, 4);
    for (std::uint32_t v = 0; v < values.count; ++v)
      content.tests.push_back({category->second, true, 0, f.element<std::uint32_t>(values, v)});
  }
  return {};
}

// A TFeatureCombination. Its words, type and classifier are the key under which its table is found.
Result<Projection> readProjection(FlatTable base, const Features& features) {
  Projection out;
  if (!base.has(0)) return damaged("a CTR without its features");
  const FlatTable p = base.table(0);
  const FlatVector categories = p.vector(0, 4), floats = p.vector(1, 8), oneHot = p.vector(2, 8);
  out.key = {static_cast<std::uint32_t>(base.scalar<std::int8_t>(1, 0)), base.scalar<std::uint32_t>(2, 0), categories.count,
             floats.count};
  for (std::uint32_t i = 0; i < categories.count; ++i) {
    const auto index = p.element<std::int32_t>(categories, i);
    const auto found = features.category.find(index);
    if (found == features.category.end()) return damaged("a CTR of a feature that is not categorical");
    out.categories.push_back(found->second);
    out.key.push_back(static_cast<std::uint32_t>(index));
  }
  struct Split {
    std::int32_t index;
    std::uint32_t value;
  };
  for (std::uint32_t i = 0; i < floats.count; ++i) {
    const auto split = p.element<Split>(floats, i);
    const auto found = features.floatSlot.find(split.index);
    if (found == features.floatSlot.end()) return damaged("a CTR of a float feature that is not there");
    out.bits.push_back({found->second, false, std::bit_cast<float>(split.value), 0});
    out.key.insert(out.key.end(), {static_cast<std::uint32_t>(split.index), split.value});
  }
  for (std::uint32_t i = 0; i < oneHot.count; ++i) {
    const auto split = p.element<Split>(oneHot, i);
    const auto found = features.category.find(split.index);
    if (found == features.category.end()) return damaged("a CTR of a one-hot feature that is not there");
    out.bits.push_back({found->second, true, 0, split.value});
    out.key.insert(out.key.end(), {static_cast<std::uint32_t>(split.index), split.value});
  }
  return out;
}

Status readCtrs(FlatTable trees, Content& content, const Features& features) {
  const FlatVector list = trees.vector(7, 4);
  for (std::uint32_t i = 0; i < list.count; ++i) {
    const FlatTable feature = trees.element(list, i);
    if (!feature.has(0) || !feature.table(0).has(0)) return damaged("a CTR without its description");
    const FlatTable model = feature.table(0), base = model.table(0);
    Ctr ctr;
    SLIP_TRY(ctr.projection, readProjection(base, features));
    const auto type = base.scalar<std::int8_t>(1, 0);
    if (type < 0 || type > 5) return damaged(fmt::format("CTR type {}", type));
    ctr.type = static_cast<CtrType>(type);
    ctr.targetBorder = model.scalar<std::uint32_t>(1, 0);
    ctr.priorNumerator = model.scalar<float>(2, 0);
    ctr.priorDenominator = model.scalar<float>(3, 1);
    ctr.shift = model.scalar<float>(4, 0);
    ctr.scale = model.scalar<float>(5, 1);
    const auto slot = static_cast<std::uint32_t>(content.floats.size() + content.ctrs.size());
    const FlatVector borders = feature.vector(1, 4);
    for (std::uint32_t b = 0; b < borders.count; ++b)
      content.tests.push_back({slot, false, feature.element<float>(borders, b), 0});
    content.ctrs.push_back(std::move(ctr));
  }
  return {};
}

Result<CtrTable> readTable(std::string_view bytes, const Features& features) {
  FlatBytes flat(bytes);
  const FlatTable root = FlatTable::root(flat);
  CtrTable table;
  if (!root.has(0)) return damaged("a CTR table without its description");
  SLIP_TRY(Projection projection, readProjection(root.table(0), features));
  table.key = std::move(projection.key);
  const auto type = static_cast<CtrType>(root.table(0).scalar<std::int8_t>(1, 0));
  table.denominator = root.scalar<std::int32_t>(3, 0);
  const auto classes = root.scalar<std::int32_t>(4, 0);
  const std::string_view index = root.bytesOf(root.vector(1, 1)), blob = root.bytesOf(root.vector(2, 1));
  const bool perClass = type == CtrType::Borders || type == CtrType::Buckets;
  const bool mean = type == CtrType::BinarizedTargetMeanValue || type == CtrType::FloatTargetMeanValue;
  if (flat.bad() || (perClass && (classes < 2 || classes > 1'000'000))) return damaged("a CTR table");
  table.width = perClass ? static_cast<std::uint32_t>(classes) : mean ? 2 : 1;
  constexpr std::size_t kBucket = 12;  // a uint64 hash and a uint32 row
  const std::size_t buckets = index.size() / kBucket;
  if (index.size() % kBucket != 0 || !std::has_single_bit(buckets)) return damaged("the index of a CTR table");
  table.counts.resize(blob.size() / 4);
  std::memcpy(table.counts.data(), blob.data(), table.counts.size() * 4);
  const std::size_t rows = table.counts.size() / table.width;
  std::size_t used = 0;
  table.hashes.resize(buckets);
  table.rows.resize(buckets);
  for (std::size_t i = 0; i < buckets; ++i) {
    std::memcpy(&table.hashes[i], index.data() + i * kBucket, 8);
    std::memcpy(&table.rows[i], index.data() + i * kBucket + 8, 4);
    if (table.hashes[i] == ~std::uint64_t{0}) continue;
    ++used;
    if (table.rows[i] >= rows) return damaged("a CTR table names counters that are not there");
  }
  if (used == buckets) return damaged("a CTR table without a free place");
  return table;
}

class Parts {
 public:
  explicit Parts(std::string_view bytes) : bytes_(bytes) {}
  Result<std::uint32_t> size() {
    if (bytes_.size() - at_ < 4) return damaged("the file is cut off inside its CTR tables");
    std::uint32_t out = 0;
    std::memcpy(&out, bytes_.data() + at_, 4);
    at_ += 4;
    return out;
  }
  Result<std::string_view> block() {
    SLIP_TRY(const std::uint32_t n, size());
    if (n > bytes_.size() - at_) return damaged("the file is cut off inside its CTR tables");
    at_ += n;
    return bytes_.substr(at_ - n, n);
  }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
};

Status readTables(std::string_view bytes, Content& content, const Features& features) {
  Parts parts(bytes);
  SLIP_TRY(const std::uint32_t count, parts.size());
  for (std::uint32_t i = 0; i < count; ++i) {
    SLIP_TRY(const std::string_view block, parts.block());
    SLIP_TRY(CtrTable table, readTable(block, features));
    content.tables.push_back(std::move(table));
  }
  return {};
}

// Each CTR's table by its key.
Status connect(Content& content) {
  std::map<std::vector<std::uint32_t>, std::size_t> byKey;
  for (std::size_t i = 0; i < content.tables.size(); ++i) byKey[content.tables[i].key] = i;
  for (Ctr& ctr : content.ctrs) {
    const auto found = byKey.find(ctr.projection.key);
    if (found == byKey.end()) return damaged("a CTR without its table: was the model saved with its CTR data?");
    ctr.table = found->second;
    if (ctr.type == CtrType::Buckets && ctr.targetBorder >= content.tables[ctr.table].width)
      return damaged("a CTR of a class that is not there");
  }
  return {};
}

Status readOblivious(FlatTable trees, Content& content) {
  std::uint64_t split = 0, leaf = 0;
  for (const std::uint32_t depth : content.sizes) {
    if (depth > 30) return damaged(fmt::format("a tree of depth {}", depth));
    content.starts.push_back(static_cast<std::uint32_t>(split));
    content.leafStarts.push_back(leaf);
    split += depth;
    leaf += (std::uint64_t{1} << depth) * content.facts.dimensions;
    if (split > content.splits.size() || leaf > content.leaves.size())
      return damaged("its splits or leaves do not fit its trees");
  }
  return {};
}

Status readStepwise(FlatTable trees, Content& content) {
  const FlatVector steps = trees.vector(10, 4), leafIds = trees.vector(11, 4);
  if (steps.count != content.splits.size() || leafIds.count != steps.count)
    return damaged("its nodes do not fit its splits");
  for (std::uint32_t i = 0; i < steps.count; ++i) {
    const auto both = trees.element<std::uint32_t>(steps, i);
    content.steps.emplace_back(static_cast<std::uint16_t>(both & 0xFFFF), static_cast<std::uint16_t>(both >> 16));
    content.nodeLeaf.push_back(trees.element<std::uint32_t>(leafIds, i));
  }
  std::uint64_t at = 0;
  for (const std::uint32_t size : content.sizes) {
    content.starts.push_back(static_cast<std::uint32_t>(at));
    if (size == 0 || at + size > steps.count) return damaged("its trees do not fit its nodes");
    for (std::uint64_t i = at; i < at + size; ++i) {
      const auto [left, right] = content.steps[i];
      if (i + std::max(left, right) >= at + size) return damaged(fmt::format("node {} has children outside its tree", i));
      // A node at which a walk can end must have values.
      if ((left == 0 || right == 0) && std::uint64_t{content.nodeLeaf[i]} + content.facts.dimensions > content.leaves.size())
        return damaged(fmt::format("node {} has values that are not there", i));
    }
    at += size;
  }
  return {};
}

Status readTrees(FlatTable trees, Content& content, const trees::Limits& limits) {
  const auto dimensions = trees.scalar<std::int32_t>(0, 0);
  if (dimensions < 1 || static_cast<std::size_t>(dimensions) > limits.outputs)
    return damaged(fmt::format("{} dimensions", dimensions));
  content.facts.dimensions = static_cast<std::size_t>(dimensions);
  const FlatVector splits = trees.vector(1, 4), sizes = trees.vector(2, 4), leaves = trees.vector(8, 8),
                   bias = trees.vector(16, 8);
  if (splits.count > limits.nodes) return fail(Code::TooLarge, fmt::format("more than {} tree nodes", limits.nodes));
  const bool stepwise = trees.vector(10, 4).count > 0;
  for (std::uint32_t i = 0; i < splits.count; ++i) {
    const auto split = trees.element<std::uint32_t>(splits, i);
    content.splits.push_back(split);
    // A leaf of a non-symmetric tree has no split of its own; its number is never used.
    if (split >= content.tests.size() && !stepwise)
      return damaged(fmt::format("split {} of {}", split, content.tests.size()));
  }
  for (std::uint32_t i = 0; i < sizes.count; ++i) content.sizes.push_back(trees.element<std::uint32_t>(sizes, i));
  content.leaves.resize(leaves.count);
  for (std::uint32_t i = 0; i < leaves.count; ++i) content.leaves[i] = trees.element<double>(leaves, i);
  content.scale = trees.scalar<double>(14, 1);
  content.bias.assign(content.facts.dimensions, trees.scalar<double>(15, 0));
  if (bias.count > 0) {
    if (bias.count != content.facts.dimensions) return damaged("its biases do not fit its dimensions");
    for (std::uint32_t i = 0; i < bias.count; ++i) content.bias[i] = trees.element<double>(bias, i);
  }
  SLIP_CHECK(stepwise ? readStepwise(trees, content) : readOblivious(trees, content));
  for (std::size_t i = 0; i < content.steps.size(); ++i) {
    const auto [left, right] = content.steps[i];
    if ((left != 0 || right != 0) && content.splits[i] >= content.tests.size())
      return damaged(fmt::format("split {} of {}", content.splits[i], content.tests.size()));
  }
  return {};
}

// The keys of the file that tell what kind of model it is.
void readInfo(FlatTable core, Facts& facts) {
  const FlatVector list = core.vector(2, 4);
  for (std::uint32_t i = 0; i < list.count; ++i) {
    const FlatTable pair = core.element(list, i);
    const std::string_view key = pair.text(0), value = pair.text(1);
    if (key == "params") {
      if (const auto json = parseJson(value)) facts.loss = textAt(at(*json, "loss_function"), "type");
    } else if (key == "class_params") {
      const auto json = parseJson(value);
      if (!json || !at(*json, "class_names").is_array()) continue;
      facts.classType = textAt(*json, "class_label_type");
      for (const Json& name : at(*json, "class_names"))
        facts.classNames.push_back(name.is_string() ? name.get<std::string>() : dumpJson(name));
    } else if (key == "binclass_probability_threshold") {
      try {
        facts.probabilityBorder = std::stod(std::string(value));
      } catch (const std::exception&) {
      }
    }
  }
  // Trained on probabilities: the library answers the classes 0 and 1, which the file does not name.
  if (facts.loss == "CrossEntropy" && facts.classNames.empty()) {
    facts.classNames = {"0", "1"};
    facts.classType = "Integer";
  }
  const std::size_t classes = facts.dimensions == 1 ? 2 : facts.dimensions;
  if (facts.classNames.size() != classes) {  // a regression, or classes that do not fit: raw values are answered
    facts.classNames.clear();
    facts.classType.clear();
  }
  if (!(facts.probabilityBorder > 0 && facts.probabilityBorder < 1)) facts.probabilityBorder = 0.5;
}

}  // namespace

Result<Content> readCbm(std::string_view bytes, const trees::Limits& limits) {
  if (!bytes.starts_with("CBM1"))
    return fail(Code::Invalid, "not a catboost model: a .cbm file starts with CBM1. Save it with save_model(\"model.cbm\")");
  if (bytes.size() < 8) return damaged("the file is cut off");
  std::uint32_t size = 0;
  std::memcpy(&size, bytes.data() + 4, 4);
  if (size > bytes.size() - 8) return damaged(fmt::format("the file is cut off: {} bytes of {}", bytes.size() - 8, size));
  FlatBytes flat(bytes.substr(8, size));
  const FlatTable core = FlatTable::root(flat);
  if (!core.has(1)) return damaged("it has no trees");
  const FlatTable trees = core.table(1);
  Content content;
  Features features;
  SLIP_CHECK(readFeatures(trees, content, features, limits));
  SLIP_CHECK(readCtrs(trees, content, features));
  SLIP_CHECK(readTrees(trees, content, limits));
  readInfo(core, content.facts);
  const FlatVector parts = core.vector(3, 4);
  for (std::uint32_t i = 0; i < parts.count; ++i) {
    const std::string_view part = core.textElement(parts, i);
    if (part != "static_provider_v1")
      return fail(Code::Unimplemented, fmt::format("model part '{}' is not served", std::string(part.substr(0, 60))));
    SLIP_CHECK(readTables(bytes.substr(8 + size), content, features));
  }
  if (flat.bad()) return damaged("an offset points outside the file");
  if (content.facts.columns == 0) return damaged("it has no features");
  content.facts.names.resize(content.facts.columns);
  SLIP_CHECK(connect(content));
  return content;
}

}  // namespace slipway::catboost
