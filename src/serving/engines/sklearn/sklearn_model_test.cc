#include "serving/engines/sklearn/sklearn_model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <thread>

#include "serving/engines/sklearn/estimator.h"
#include "serving/engines/sklearn/forest.h"
#include "serving/engines/sklearn/loader.h"
#include "serving/engines/sklearn/version.h"

namespace slipway::sklearn {
namespace {

std::string sourcePath(const std::string& name) {
  const char* dir = std::getenv("SLIPWAY_SOURCE_DIR");
  return std::string(dir != nullptr ? dir : ".") + "/" + name;
}
std::string testdata(const std::string& name) { return sourcePath("src/serving/engines/sklearn/testdata/" + name); }

SharedSklearnModel load(const std::string& name) {
  auto model = loadSklearnModel(testdata(name));
  EXPECT_TRUE(model) << (model ? "" : model.error().message);
  return model ? *model : nullptr;
}

std::string fileBytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string((std::istreambuf_iterator<char>(in)), {});
}

const std::vector<double> kSetosa = {5.1, 3.5, 1.4, 0.2};

TEST(SklearnModel, SaysWhatTheFileHolds) {
  const auto model = load("sk12-pipeline.joblib");
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(model->className(), "Pipeline");
  EXPECT_EQ(model->version(), "1.2.1");
  EXPECT_EQ(model->kind(), ModelKind::Classifier);
  EXPECT_EQ(model->features(), 4U);
  EXPECT_EQ(model->classes().size(), 3U);
  EXPECT_TRUE(model->canPredict());
  EXPECT_TRUE(model->hasProba());
  EXPECT_FALSE(model->canTransform());
}

TEST(SklearnModel, KeepsTheTypeOfLabels) {
  EXPECT_EQ(load("sk12-pipeline.joblib")->predict(kSetosa, 1)->type, LabelType::Int64);
  auto labels = load("sk19-forest-xz.joblib.xz")->predict(kSetosa, 1);
  ASSERT_TRUE(labels);
  EXPECT_EQ(labels->type, LabelType::Text);
  EXPECT_EQ(labels->texts, std::vector<std::string>{"a"});
}

TEST(SklearnModel, RefusesTheWrongNumberOfFeatures) {
  const auto model = load("sk12-pipeline.joblib");
  EXPECT_EQ(model->predict(std::vector<double>{1, 2, 3}, 1).error().message,
            "X has 3 features, but Pipeline is expecting 4 features as input.");
  EXPECT_FALSE(model->predict(std::vector<double>(7), 2));
  EXPECT_FALSE(model->predict({}, 0));
  EXPECT_FALSE(model->predict({}, std::size_t{1} << 62));
}

TEST(SklearnModel, NamesTheFirstMissingOrInfiniteValue) {
  const auto model = load("sk12-logistic-p2.pkl");
  std::vector<double> x = {1, 2, 3, 4, 5, std::nan(""), 7, 8};
  EXPECT_EQ(model->predict(x, 2).error().message,
            "Input X contains NaN. Row 1, column 1: LogisticRegression does not accept missing values");
  x[5] = std::numeric_limits<double>::infinity();
  EXPECT_EQ(model->predict(x, 2).error().message,
            "Input X contains infinity or a value too large for dtype('float64'). Row 1, column 1: inf");
  const auto forest = load("sk12-forest.joblib.gzip");
  x[5] = 1e39;
  EXPECT_NE(forest->predict(x, 2).error().message.find("too large for dtype('float32')"), std::string::npos);
}

TEST(SklearnModel, TakesMissingValuesWhereScikitLearnDoes) {
  const std::vector<double> x = {5.1, std::nan(""), 1.4, 0.2};
  EXPECT_FALSE(load("sk12-forest.joblib.gzip")->predict(x, 1));  // forests take them since 1.4
  EXPECT_TRUE(load("sk19-forest.joblib.gzip")->predict(x, 1));
}

TEST(SklearnModel, AnswersUnimplementedForAMethodItLacks) {
  auto answer = load("sk12-forest.joblib.gzip")->decisionFunction(kSetosa, 1);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::Unimplemented);
  EXPECT_EQ(answer.error().message, "'RandomForestClassifier' object has no attribute 'decision_function'");
}

TEST(SklearnModel, RefusesHostileFilesByName) {
  auto model = loadSklearnModel(sourcePath("tests/fuzz/corpus/pickle_fuzz/os-system"));
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().code, Code::Forbidden);
  EXPECT_EQ(
      model.error().message.find("os-system: class \"posix.system\" is not in the list of classes this server reads ("), 0U)
      << model.error().message;
  EXPECT_NE(model.error().message.find("the file was not executed"), std::string::npos);
  EXPECT_EQ(loadSklearnModel("/nonexistent/m.joblib").error().message, "m.joblib: no such file");
}

TEST(SklearnModel, RefusesWhatIsNotAModel) {
  EXPECT_EQ(parseSklearnModel("\x80\x02]q\x01.", "m.pkl").error().message,
            "m.pkl: the file: a scikit-learn estimator is expected, found a list");
  const std::string unfitted =
      "\x80\x02"
      "csklearn.svm\nSVC\n)\x81}b.";
  EXPECT_EQ(parseSklearnModel(unfitted, "m.pkl").error().message,
            "m.pkl: SVC: classes_: missing (was the model fitted before it was saved?)");
  EXPECT_EQ(parseSklearnModel("\x80\x02"
                              "csklearn.tree._tree\nTree\n)\x81}b.",
                              "m.pkl")
                .error()
                .code,
            Code::Unimplemented);
}

TEST(SklearnModel, EveryTruncationAndFlippedByteEndsWithAnAnswer) {
  const std::string whole = fileBytes(testdata("sk19-logistic-p4.pkl"));
  ASSERT_GT(whole.size(), 500U);
  for (std::size_t cut = 0; cut < whole.size(); ++cut) EXPECT_FALSE(parseSklearnModel(whole.substr(0, cut), "cut"));
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string changed = whole;
    changed[i] = static_cast<char>(changed[i] ^ 0x41);
    auto model = parseSklearnModel(changed, "changed");
    if (model && (*model)->features() == 4) (void)(*model)->predict(kSetosa, 1);
  }
}

// A pipeline that holds itself, and one list of estimators that names the same estimator again and again.
TEST(SklearnModel, BoundsModelsThatFoldIntoThemselves) {
  const std::string head = std::string("\x80\x02") + "csklearn.pipeline\nPipeline\nq\x01)\x81q\x02}X";
  const std::string self =
      head + std::string("\x05\0\0\0", 4) + "steps]X" + std::string("\x01\0\0\0", 4) + "ah\x02\x86" + "asb.";
  auto model = parseSklearnModel(self, "self");
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().code, Code::TooLarge) << model.error().message;
  pickle::Limits limits;
  limits.modelBytes = 1000;
  auto small = parseSklearnModel(fileBytes(testdata("sk19-forest.joblib.gzip")), "forest", limits);
  ASSERT_FALSE(small);
  EXPECT_NE(small.error().message.find("limit modelBytes"), std::string::npos) << small.error().message;
}

TEST(SklearnModel, PredictsFromManyThreads) {
  const auto model = load("sk19-forest.joblib.gzip");
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) right += model->predict(kSetosa, 1)->texts[0] == "a";
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(right, 800);
}

TEST(Forest, ThresholdsKeepTheirMeaningAsFloats) {
  for (const double t : {0.8, 1.75, 2.449999988079071, 2.45, -1e-40, 1e300, -1e300, 0.1}) {
    const float f = floorToFloat(t);
    EXPECT_LE(static_cast<double>(f), t);
    EXPECT_GT(static_cast<double>(std::nextafterf(f, std::numeric_limits<float>::infinity())), t);
  }
}

TEST(Version, ReadsTheFirstTwoParts) {
  EXPECT_EQ(parseVersion("1.2.1"), (Version{1, 2}));
  EXPECT_EQ(parseVersion("0.24.dev0"), (Version{0, 24}));
  EXPECT_EQ(parseVersion(""), (Version{0, 0}));
}

TEST(Estimator, SoftmaxAndExpitDoNotOverflow) {
  double v[] = {1000, 999, -1000};
  softmaxRow(v, 3);
  EXPECT_NEAR(v[0] + v[1] + v[2], 1, 1e-15);
  EXPECT_EQ(expit(-800), 0);
  EXPECT_EQ(expit(800), 1);
}

TEST(ClassTable, NamesEveryFamilyOnce) {
  std::set<std::string_view> names;
  for (const Family& f : families()) EXPECT_TRUE(names.insert(f.className).second) << f.className;
  EXPECT_GE(names.size(), 90U);
}

}  // namespace
}  // namespace slipway::sklearn
