// Compares what our engines answer with what xgboost, lightgbm and catboost answered: on the files in their testdata/
// (always), and on fresh ones that tests/e2e/tree_fixtures.py makes (SLIPWAY_TREE_FIXTURES names their folder). With
// SLIPWAY_VERBOSE=1 it prints the table of docs/model-formats.md.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "data/json.h"
#include "serving/engines/engine.h"

namespace slipway::serving {
namespace {
namespace fs = std::filesystem;
using protocol::DataType;
using protocol::Tensor;

double numberOf(const Json& v) { return v.is_null() ? std::nan("") : v.get<double>(); }

Tensor inputOf(const Json& fixture) {
  const auto rows = fixture.at("rows").get<std::int64_t>();
  const Json& x = fixture.at("x");
  const auto columns = static_cast<std::int64_t>(x.size()) / rows;
  if (!x.empty() && x[0].is_string()) return Tensor::ofTexts("x", {rows, columns}, x.get<std::vector<std::string>>());
  std::vector<double> values;
  values.reserve(x.size());
  for (const Json& v : x) values.push_back(numberOf(v));
  return Tensor::of<double>("x", {rows, columns}, values);
}

struct Comparison {
  double largest = 0;  // relative for values beyond 1
  std::size_t same = 0, values = 0;
};

Comparison compare(const Tensor& got, const Json& wanted) {
  Comparison c;
  if (got.type == DataType::Bytes) {
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const bool same = i < got.texts.size() && wanted[i].is_string() && got.texts[i] == wanted[i].get<std::string>();
      c.same += same;
      c.largest = same ? c.largest : HUGE_VAL;
      ++c.values;
    }
    return c;
  }
  const auto values = protocol::toDoubles(got);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const double want = numberOf(wanted[i]), have = values && i < values->size() ? (*values)[i] : HUGE_VAL;
    const bool same = want == have || (std::isnan(want) && std::isnan(have));
    const double distance = same ? 0 : std::abs(want - have) / std::max(1.0, std::abs(want));
    c.same += same;
    c.largest = std::max(c.largest, std::isnan(distance) ? HUGE_VAL : distance);
    ++c.values;
  }
  return c;
}

void compareModel(const fs::path& folder, const Json& fixture, const std::string& what, double allowed) {
  auto model = modelLoader({})(folder / textAt(fixture, "file"));
  ASSERT_TRUE(model) << what << ": " << model.error().message;
  const std::vector<Tensor> inputs{inputOf(fixture)};
  const auto out = (*model)->infer(inputs);
  ASSERT_TRUE(out) << what << ": " << out.error().message;
  const Tensor& got = (*out)[0];
  const std::string dtype = textAt(fixture, "dtype");
  EXPECT_EQ(got.type, dtype == "float32"   ? DataType::Fp32
                      : dtype == "float64" ? DataType::Fp64
                      : dtype == "int64"   ? DataType::Int64
                                           : DataType::Bytes)
      << what;
  EXPECT_EQ(got.elements(), fixture.at("values").size()) << what;
  EXPECT_EQ(got.type, (*model)->metadata().outputs[0].type) << what;
  EXPECT_EQ(got.shape.size(), (*model)->metadata().outputs[0].shape.size()) << what;
  const Comparison c = compare(got, fixture.at("values"));
  EXPECT_LE(c.largest, allowed) << what << ": " << c.same << " of " << c.values << " equal";
  if (std::getenv("SLIPWAY_VERBOSE") != nullptr)
    std::printf("| %s | %s | %.2g | %zu of %zu |\n", textAt(fixture, "framework").c_str(), textAt(fixture, "case").c_str(),
                c.largest, c.same, c.values);
}

int compareFolder(const fs::path& folder) {
  std::set<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder))
    if (fs::exists(entry.path().string() + ".json")) files.insert(entry.path());
  for (const fs::path& file : files) {
    std::ifstream in(file.string() + ".json");
    const auto fixture = parseJson(std::string((std::istreambuf_iterator<char>(in)), {}));
    const std::string what = file.filename().string();
    if (!fixture) {
      ADD_FAILURE() << what << ": " << fixture.error().message;
      continue;
    }
    // xgboost and lightgbm: to the last bit. catboost's own answers vary in the last bits between its evaluators.
    compareModel(folder, *fixture, what, what.starts_with("cat") ? 1e-12 : 0);
  }
  return static_cast<int>(files.size());
}

fs::path engines() {
  const char* dir = std::getenv("SLIPWAY_SOURCE_DIR");
  return (dir != nullptr ? fs::path(dir) : fs::current_path()) / "src/serving/engines";
}

TEST(TreeFixtures, AnswerAsXgboostDid) { EXPECT_GE(compareFolder(engines() / "xgboost/testdata"), 10); }
TEST(TreeFixtures, AnswerAsLightgbmDid) { EXPECT_GE(compareFolder(engines() / "lightgbm/testdata"), 6); }
TEST(TreeFixtures, AnswerAsCatboostDid) { EXPECT_GE(compareFolder(engines() / "catboost/testdata"), 6); }
TEST(TreeFixtures, AnswerAsFreshModelsDid) {
  const char* folder = std::getenv("SLIPWAY_TREE_FIXTURES");
  if (folder == nullptr) GTEST_SKIP() << "SLIPWAY_TREE_FIXTURES names no folder of tests/e2e/tree_fixtures.py";
  const int models = compareFolder(folder);
  EXPECT_GT(models, 0);
  std::printf("%d models compared\n", models);
}

}  // namespace
}  // namespace slipway::serving
