// Damaged and foreign files of xgboost, lightgbm and catboost: an error that names the file, never a crash; and how a format
// is told.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "serving/engines/catboost/catboost_model.h"
#include "serving/engines/engine.h"
#include "serving/engines/lightgbm/lightgbm_model.h"
#include "serving/engines/xgboost/xgboost_model.h"

namespace slipway::serving {
namespace {
namespace fs = std::filesystem;
using protocol::Tensor;

fs::path engines() {
  const char* dir = std::getenv("SLIPWAY_SOURCE_DIR");
  return (dir != nullptr ? fs::path(dir) : fs::current_path()) / "src/serving/engines";
}
std::string contentOf(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// What a loader says of these bytes; empty when it loads them and predicts.
using Load = std::string (*)(std::string_view);
std::string xgboostError(std::string_view bytes) {
  auto model = xgboost::parseXgboostModel(bytes, "m", {100'000, 200, 1000, 100});
  if (!model) return model.error().message;
  (void)(*model)->predict(std::vector<double>((*model)->facts().features, 1.0), 1);
  return {};
}
std::string lightgbmError(std::string_view bytes) {
  auto model = lightgbm::parseLightgbmModel(bytes, "m", {100'000, 200, 1000, 100});
  if (!model) return model.error().message;
  (void)(*model)->predict(std::vector<double>((*model)->facts().features, 1.0), 1);
  return {};
}
std::string catboostError(std::string_view bytes) {
  auto model = catboost::parseCatboostModel(bytes, "m", {100'000, 200, 1000, 100});
  if (!model) return model.error().message;
  (void)(*model)->raw({std::vector<double>((*model)->facts().columns, 1.0), {}, 1});
  return {};
}

struct Case {
  const char* folder;
  const char* file;
  Load load;
  double uncut;  // share of the file that a model can do without at its end
};
const Case kCases[] = {
    {"xgboost", "xgb32-multi-softprob.ubj", xgboostError, 0},
    {"xgboost", "xgb32-dart.json", xgboostError, 0},
    {"xgboost", "xgb17-dart.bst", xgboostError, 0.05},
    {"lightgbm", "lgb47-categorical.txt", lightgbmError, 0.6},  // importances and parameters follow the trees
    {"catboost", "cat12-ctr-mixed.cbm", catboostError, 0}};

TEST(TreeFiles, CutOffAnywhereTheyAreRefusedByName) {
  for (const Case& c : kCases) {
    const std::string bytes = contentOf(engines() / c.folder / "testdata" / c.file);
    ASSERT_GT(bytes.size(), 1000U) << c.file;
    ASSERT_EQ(c.load(bytes), "") << c.file;
    const auto needed = static_cast<std::size_t>(static_cast<double>(bytes.size()) * (1 - c.uncut));
    for (std::size_t size = 0; size < needed; size += 1 + bytes.size() / 400) {
      const std::string error = c.load(std::string_view(bytes).substr(0, size));
      EXPECT_TRUE(error.starts_with("m: ")) << c.file << " cut to " << size << ": " << error;
    }
  }
}

TEST(TreeFiles, SurviveAnyChangedByte) {
  std::mt19937 random(7);
  for (const Case& c : kCases) {
    const std::string bytes = contentOf(engines() / c.folder / "testdata" / c.file);
    for (int i = 0; i < 400; ++i) {
      std::string changed = bytes;
      for (int k = 0; k < 1 + i % 3; ++k) changed[random() % changed.size()] = static_cast<char>(random());
      (void)c.load(changed);
    }
  }
}

TEST(TreeFiles, SayWhatIsWrong) {
  EXPECT_EQ(xgboostError("{}"), "m: learner: missing");
  EXPECT_EQ(xgboostError("{\"a\": ["), "m: JSON, byte 7: the file ends too early");
  EXPECT_EQ(xgboostError("bs64"), "m: base64 text of a binary model: save it as .ubj or .json");
  EXPECT_NE(xgboostError(std::string(200, 'x')).find("is this an xgboost model?"), std::string::npos);
  EXPECT_EQ(lightgbmError("hello"), "m: not a LightGBM model: its text format starts with a line 'tree'");
  EXPECT_EQ(lightgbmError("tree\nnum_class=1\n"), "m: max_feature_idx: missing; is the file cut off?");
  EXPECT_NE(catboostError("PK..").find("a .cbm file starts with CBM1"), std::string::npos);
}

class Formats : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / fmt::format("slipway-formats-{}-{}", getpid(),
                                                      ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string platformOf(const fs::path& model, const std::string& as) {
    fs::copy_file(model, folder_ / as);
    auto loaded = modelLoader({})(folder_);
    fs::remove(folder_ / as);
    return loaded ? (*loaded)->metadata().platform : loaded.error().message;
  }
  fs::path folder_;
};

TEST_F(Formats, AreToldByExtensionAndFirstBytes) {
  const fs::path top = engines();
  EXPECT_EQ(platformOf(top / "lightgbm/testdata/lgb47-binary.bst", "model.bst"), "lightgbm");
  EXPECT_EQ(platformOf(top / "xgboost/testdata/xgb17-binary-logistic.bst", "model.bst"), "xgboost");
  EXPECT_EQ(platformOf(top / "xgboost/testdata/xgb32-dart.json", "model.bst"), "xgboost");
  EXPECT_EQ(platformOf(top / "xgboost/testdata/xgb32-binary-logistic.ubj", "model.ubj"), "xgboost");
  EXPECT_EQ(platformOf(top / "catboost/testdata/cat12-RMSE.cbm", "model.cbm"), "catboost");
  std::ofstream(folder_ / "model-settings.json") << "{}";  // MLServer's, no model
  EXPECT_EQ(platformOf(top / "xgboost/testdata/xgb32-dart.json", "model.json"), "xgboost");
}

TEST_F(Formats, RefuseInputsThatDoNotFit) {
  auto model = modelLoader({})(engines() / "xgboost/testdata/xgb32-dart.json");
  ASSERT_TRUE(model);
  const auto errorOf = [&](Tensor t) {
    const std::vector<Tensor> inputs{std::move(t)};
    const auto out = (*model)->infer(inputs);
    return out ? "" : fmt::format("{} {}", httpStatus(out.error().code), out.error().message);
  };
  EXPECT_EQ(errorOf(Tensor::of<double>("x", {1, 2}, std::vector<double>{1, 2})),
            "400 input 'x' has shape [1, 2]: 2 features came, the xgboost model expects 6");
  EXPECT_EQ(errorOf(Tensor::of<double>("x", {0, 6}, std::vector<double>{})),
            "400 input 'x' has no rows: at least one is needed");
  EXPECT_NE(errorOf(Tensor::of<double>("x", {1, 6}, std::vector<double>{1, 2, 3, 1e300, 5, 6})).find("row 0, feature 3 is"),
            std::string::npos);
}

TEST_F(Formats, TakeOneInputPerFeatureByName) {
  auto model = modelLoader({})(engines() / "lightgbm/testdata/lgb47-binary.bst");
  ASSERT_TRUE(model);
  std::vector<double> table{0.1, 2, 3, 4, 5, 6, -1, -2, -3, -4, -5, -6};
  std::vector<Tensor> columns;
  for (std::size_t c = 6; c-- > 0;)  // in any order
    columns.push_back(Tensor::of<double>(fmt::format("Column_{}", c), {2, 1}, std::vector<double>{table[c], table[6 + c]}));
  const std::vector<Tensor> whole{Tensor::of<double>("x", {2, 6}, table)};
  const auto byColumn = (*model)->infer(columns), atOnce = (*model)->infer(whole);
  ASSERT_TRUE(byColumn && atOnce);
  EXPECT_EQ((*byColumn)[0].data.view(), (*atOnce)[0].data.view());
  columns.back().name = "other";
  const auto refused = (*model)->infer(columns);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("no input named 'Column_0'"), std::string::npos) << refused.error().message;
}

TEST_F(Formats, CatboostAnswersLabelsOrProbabilities) {
  const auto file = engines() / "catboost/testdata/cat12-labels-text.cbm";
  auto labels = modelLoader({})(file);
  auto proba = modelLoader({.predictProba = true})(file);
  ASSERT_TRUE(labels && proba);
  const std::vector<Tensor> inputs{Tensor::of<double>("x", {1, 6}, std::vector<double>{2, 20, 0.2, 0, 0, 0})};
  const auto label = (*labels)->infer(inputs), p = (*proba)->infer(inputs);
  ASSERT_TRUE(label && p);
  EXPECT_EQ((*label)[0].shape, (protocol::Shape{1, 1}));
  const auto values = (*p)[0].values<double>();
  ASSERT_EQ(values.size(), 3U);
  EXPECT_NEAR(values[0] + values[1] + values[2], 1, 1e-12);
  // Classes are sorted by name, as the library sorts them.
  const auto best = static_cast<std::size_t>(std::max_element(values.begin(), values.end()) - values.begin());
  EXPECT_EQ((*label)[0].texts[0], std::vector<std::string>({"maybe", "no", "yes"})[best]);
}

}  // namespace
}  // namespace slipway::serving
