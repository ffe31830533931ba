#include "serving/engines/sklearn_engine.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

namespace slipway::serving {
namespace {
using protocol::DataType;
using protocol::Tensor;
namespace fs = std::filesystem;

fs::path iris() {
  const char* top = std::getenv("SLIPWAY_SOURCE_DIR");
  return (top != nullptr ? fs::path(top) : fs::current_path()) / "src/serving/engines/sklearn/testdata/sk12-logistic-p4.pkl";
}

class SklearnEngine : public ::testing::Test {
 protected:
  std::unique_ptr<Model> model(bool proba = false) const {
    auto loaded = loadSklearn(iris(), proba);
    EXPECT_TRUE(loaded) << (loaded ? "" : loaded.error().message);
    return loaded ? std::move(*loaded) : nullptr;
  }
  Tensor rows(std::int64_t count, std::int64_t columns, float value = 1) const {
    return Tensor::of<float>("x", {count, columns}, std::vector<float>(static_cast<std::size_t>(count * columns), value));
  }
  std::string errorOf(std::vector<Tensor> inputs) const {
    const auto out = model()->infer(inputs);
    return out ? "no error" : fmt::format("{} {}", httpStatus(out.error().code), out.error().message);
  }
};

TEST_F(SklearnEngine, AnswersAsKServesServerDoes) {
  const auto m = model();
  ASSERT_TRUE(m);
  const auto columns = m->metadata().inputs[0].shape[1];
  const std::vector<Tensor> inputs{rows(2, columns)};
  const auto out = m->infer(inputs);
  ASSERT_TRUE(out) << out.error().message;
  EXPECT_EQ((*out)[0].name, "output-0");
  EXPECT_EQ((*out)[0].shape, (protocol::Shape{2}));
  EXPECT_EQ((*out)[0].type, m->metadata().outputs[0].type);
}

TEST_F(SklearnEngine, AnswersWithProbabilitiesWhenAsked) {
  const auto m = model(true);
  const std::vector<Tensor> inputs{rows(3, m->metadata().inputs[0].shape[1])};
  const auto out = m->infer(inputs);
  ASSERT_TRUE(out);
  ASSERT_EQ((*out)[0].shape.size(), 2U);
  double sum = 0;
  for (const double p : (*out)[0].values<double>()) sum += p;
  EXPECT_NEAR(sum, 3, 1e-12);
}

TEST_F(SklearnEngine, RefusesInputsThatDoNotFitNamingTensorAndFix) {
  const auto columns = model()->metadata().inputs[0].shape[1];
  EXPECT_EQ(
      errorOf({rows(1, columns + 1)}),
      fmt::format(
          "400 input 'x' has shape [1, {}]: X has {} features, but LogisticRegression is expecting {} features as input",
          columns + 1, columns + 1, columns));
  EXPECT_EQ(errorOf({rows(0, columns)}), "400 input 'x' has no rows: at least one is needed");
  EXPECT_EQ(errorOf({Tensor::of<float>("x", {columns}, std::vector<float>(static_cast<std::size_t>(columns)))}),
            fmt::format("400 input 'x' has shape [{0}], expected two dimensions: [rows, {0}]", columns));
  EXPECT_NE(errorOf({rows(1, columns, std::nanf(""))}).find("400 Input X contains NaN"), std::string::npos);
  EXPECT_NE(errorOf({rows(1, columns), rows(1, columns)}).find("2 inputs came, expected one"), std::string::npos);
  EXPECT_NE(errorOf({Tensor::ofTexts("x", {1, columns}, std::vector<std::string>(static_cast<std::size_t>(columns), "a"))})
                .find("datatype BYTES"),
            std::string::npos);
}

}  // namespace
}  // namespace slipway::serving
