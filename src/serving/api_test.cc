#include "serving/api.h"

#include <gtest/gtest.h>

#include <fstream>

#include "serving/testing/fake_model.h"

namespace slipway::serving {
namespace {
namespace fs = std::filesystem;

struct Folder {
  fs::path path;
  Folder() {
    std::string name = fs::temp_directory_path() / "slipway-serving-XXXXXX";
    path = mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path); }
  void file(const std::string& name, const std::string& text) const {
    fs::create_directories((path / name).parent_path());
    std::ofstream(path / name) << text;
  }
};

class ApiTest : public ::testing::Test {
 protected:
  ApiTest() : models(testing::loadRowSums, folder.path, "sums"), api(models, metrics, clock) {
    folder.file("model.sums", "2");
    EXPECT_TRUE(models.load("sums"));
  }
  net::Response call(const std::string& method, const std::string& target, std::string_view body = "",
                     net::Headers headers = {}) {
    net::Request request;
    request.method = method;
    request.target = target;
    request.headers = std::move(headers);
    net::Response response;
    api.answer(request, body, readers, response);
    return response;
  }
  std::string get(const std::string& target) {
    const auto r = call("GET", target);
    return fmt::format("{} {}", r.status, r.body.bytes());
  }
  std::string post(const std::string& target, std::string_view body = "") {
    const auto r = call("POST", target, body);
    return fmt::format("{} {}", r.status, r.body.bytes());
  }

  Folder folder;
  FakeClock clock;
  Metrics metrics;
  ModelRepository models;
  Readers readers;
  Api api;
};

constexpr const char* kV2Body = R"({"id":"7","inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[1,2,3,4]}]})";

TEST_F(ApiTest, AnswersHealthAndMetadata) {
  EXPECT_EQ(get("/"), R"(200 {"status":"alive"})");
  EXPECT_EQ(get("/v1/models"), R"(200 {"models":["sums"]})");
  EXPECT_EQ(get("/v1/models/sums"), R"(200 {"name":"sums","ready":true})");
  EXPECT_EQ(get("/v1/models/x"), R"(404 {"error":"Model with name x does not exist."})");
  EXPECT_EQ(get("/v2/health/live"), R"(200 {"live":true})");
  EXPECT_EQ(get("/v2/health/ready"), R"(200 {"ready":true})");
  EXPECT_EQ(get("/v2/models"), R"(200 {"models":["sums"]})");
  EXPECT_EQ(get("/v2/models/sums/ready"), R"(200 {"name":"sums","ready":true})");
  const std::string metadata =
      R"(200 {"name":"sums","versions":["1"],"platform":"fake","inputs":[{"name":"input-0","datatype":"FP64","shape":[-1,2]}],)"
      R"("outputs":[{"name":"output-0","datatype":"FP64","shape":[-1]}]})";
  EXPECT_EQ(get("/v2/models/sums"), metadata);
  EXPECT_EQ(get("/v2/models/sums/versions/1"), metadata);
  EXPECT_EQ(get("/v2/models/sums/versions/2"), R"(501 {"error":"Model versioning not supported yet."})");
  EXPECT_EQ(get("/v2").substr(0, 21), R"(200 {"name":"slipway")");
  EXPECT_EQ(get("/nothing").substr(0, 4), "404 ");
  EXPECT_EQ(get("/v2x").substr(0, 4), "404 ");
  EXPECT_EQ(get("/v2/models/sums/nothing").substr(0, 4), "404 ");
}

TEST_F(ApiTest, PredictsInV1) {
  EXPECT_EQ(post("/v1/models/sums:predict", R"({"instances":[[1,2],[3,4.5]]})"), R"(200 {"predictions":[3.0,7.5]})");
  EXPECT_EQ(post("/v1/models/%73ums:predict", R"({"inputs":[[1,2]]})"), R"(200 {"predictions":[3.0]})");
  EXPECT_EQ(post("/v1/models/x:predict", "{}"), R"(404 {"error":"Model with name x does not exist."})");
  EXPECT_EQ(post("/v1/models/sums:explain", "{}").substr(0, 4), "501 ");
  EXPECT_EQ(post("/v1/models/sums:predict", R"({"instances":[[1,2,3]]})"),
            R"(400 {"error":"input 'instances' has shape [1, 3], expected [-1, 2]"})");
  EXPECT_EQ(post("/v1/models/sums:predict", "{").substr(0, 43), R"(400 {"error":"Unrecognized request format: )");
}

TEST_F(ApiTest, PredictsInV2) {
  const std::string expected =
      R"(200 {"model_name":"sums","model_version":"1","id":"7","outputs":[{"name":"output-0","shape":[2],"datatype":"FP64","data":[3.0,7.0]}]})";
  EXPECT_EQ(post("/v2/models/sums/infer", kV2Body), expected);
  EXPECT_EQ(post("/v2/models/sums/versions/1/infer", kV2Body), expected);
  EXPECT_EQ(post("/v2/models/sums/versions/3/infer", kV2Body).substr(0, 4), "501 ");
  EXPECT_EQ(post("/v2/models/x/infer", kV2Body).substr(0, 4), "404 ");
}

TEST_F(ApiTest, MakesAUuidForARequestWithoutId) {
  const auto idOf = [&] {
    const auto r =
        call("POST", "/v2/models/sums/infer", R"({"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}]})");
    return nlohmann::json::parse(r.body.bytes())["id"].get<std::string>();
  };
  const std::string id = idOf();
  EXPECT_EQ(id.size(), 36U);
  EXPECT_EQ(id[14], '4');
  EXPECT_NE(id, idOf());
}

TEST_F(ApiTest, TakesAndGivesRawTensors) {
  const std::string json =
      R"({"parameters":{"binary_data_output":true},"inputs":[{"name":"x","shape":[1,2],"datatype":"FP64","parameters":{"binary_data_size":16}}]})";
  const double row[2] = {1.5, 2};
  net::Headers headers;
  headers.set("Inference-Header-Content-Length", std::to_string(json.size()));
  headers.set("Content-Type", "application/octet-stream");
  const std::string body = json + std::string(reinterpret_cast<const char*>(row), 16);
  const auto r = call("POST", "/v2/models/sums/infer", body, std::move(headers));
  ASSERT_EQ(r.status, 200) << r.body.bytes();
  const auto length = std::stoul(std::string(*r.headers.get("Inference-Header-Content-Length")));
  double sum = 0;
  ASSERT_EQ(r.body.bytes().size(), length + 8);
  std::memcpy(&sum, r.body.bytes().data() + length, 8);
  EXPECT_EQ(sum, 3.5);
  EXPECT_EQ(r.headers.get("Content-Type"), "application/octet-stream");
  net::Headers bare;
  bare.set("Content-Type", "application/octet-stream");
  EXPECT_EQ(call("POST", "/v2/models/sums/infer", body, std::move(bare)).status, 400);
  net::Headers wrong;
  wrong.set("Inference-Header-Content-Length", "12x");
  EXPECT_EQ(call("POST", "/v2/models/sums/infer", body, std::move(wrong)).status, 400);
}

TEST_F(ApiTest, RefusesTheWrongMethodAndSaysWhichOne) {
  const auto r = call("GET", "/v1/models/sums:predict");
  EXPECT_EQ(r.status, 405);
  EXPECT_EQ(r.headers.get("Allow"), "POST");
  EXPECT_EQ(call("POST", "/v2/health/live").status, 405);
}

TEST_F(ApiTest, LoadsAndUnloadsModelsWhileItRuns) {
  folder.file("second/model.sums", "1");
  EXPECT_EQ(post("/v2/repository/models/second/load"), R"(200 {"name":"second","load":true})");
  EXPECT_EQ(post("/v1/models/second:predict", R"({"instances":[[1],[2]]})"), R"(200 {"predictions":[1.0,2.0]})");
  EXPECT_EQ(post("/v2/repository/models/third/load").substr(0, 48), R"(503 {"error":"Model with name third is not ready)");
  EXPECT_EQ(post("/v2/repository/models/../load").substr(0, 4), "503 ");
  EXPECT_EQ(post("/v2/repository/models/%2E%2E/load").substr(0, 4), "503 ");
  EXPECT_EQ(
      post("/v2/repository/index"),
      R"(200 [{"name":"second","version":"1","state":"READY","reason":""},{"name":"sums","version":"1","state":"READY","reason":""}])");
  EXPECT_EQ(post("/v2/repository/models/second/unload"), R"(200 {"name":"second","unload":true})");
  EXPECT_EQ(post("/v2/repository/models/second/unload").substr(0, 4), "404 ");
  EXPECT_EQ(get("/v1/models/second").substr(0, 4), "404 ");
}

TEST_F(ApiTest, AFailedReloadLeavesTheOldModelServing) {
  folder.file("model.sums", "damaged");
  EXPECT_EQ(post("/v2/repository/models/sums/load").substr(0, 4), "503 ");
  EXPECT_EQ(post("/v1/models/sums:predict", R"({"instances":[[1,2]]})"), R"(200 {"predictions":[3.0]})");
}

TEST_F(ApiTest, IsNotReadyWhileItDrainsButStillPredicts) {
  api.beginDrain();
  EXPECT_EQ(get("/v2/health/ready"), R"(503 {"ready":false})");
  EXPECT_EQ(get("/v1/models/sums"), R"(503 {"name":"sums","ready":false})");
  EXPECT_EQ(get("/v2/health/live"), R"(200 {"live":true})");
  EXPECT_EQ(post("/v1/models/sums:predict", R"({"instances":[[1,2]]})"), R"(200 {"predictions":[3.0]})");
}

TEST_F(ApiTest, CountsPredictionsByModelAndOutcome) {
  post("/v2/models/sums/infer", kV2Body);
  post("/v2/models/sums/infer", "{");
  const std::string text = call("GET", "/metrics").body.bytes();
  EXPECT_NE(text.find("request_predict_seconds_count{model_name=\"sums\"} 1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("request_predict_seconds_bucket{model_name=\"sums\",le=\"0.005\"} 1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("slipway_predictions_total{model_name=\"sums\",code=\"4xx\"} 1\n"), std::string::npos) << text;
}

TEST(ModelFiles, TellsWhatIsThereWhenNoneOrSeveralFit) {
  constexpr std::string_view kExtensions[] = {".joblib", ".pkl"};
  const Folder folder;
  const auto errorNow = [&] { return findModelFile(folder.path, kExtensions).error().message; };
  EXPECT_EQ(errorNow(), fmt::format("no model file (*.joblib, *.pkl) in {}: it is empty", folder.path.string()));
  folder.file("a.txt", "");
  EXPECT_EQ(errorNow(), fmt::format("no model file (*.joblib, *.pkl) in {}: it holds a.txt", folder.path.string()));
  folder.file("model.pkl", "");
  EXPECT_EQ(findModelFile(folder.path, kExtensions)->filename(), "model.pkl");
  folder.file("b.joblib", "");
  EXPECT_EQ(errorNow(), fmt::format("{} holds 2 model files (b.joblib, model.pkl): keep one", folder.path.string()));
  EXPECT_EQ(findModelFile(folder.path / "nowhere", kExtensions).error().code, Code::NotFound);
}

}  // namespace
}  // namespace slipway::serving
