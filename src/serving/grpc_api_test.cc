#include "serving/grpc_api.h"

#include <gtest/gtest.h>

#include <fstream>

#include "data/gzip.h"
#include "data/protobuf_wire.h"
#include "net/testing/run.h"
#include "serving/content_coding.h"
#include "serving/testing/fake_model.h"

namespace slipway::serving {
namespace {
namespace fs = std::filesystem;
using protobuf::appendBytes;
using protobuf::appendNumber;

std::string text(std::uint32_t field, std::string_view value) {
  std::string out;
  appendBytes(out, field, value);
  return out;
}

// A ModelInferRequest with one FP64 input of shape [1, 2].
std::string inferRequest(double a, double b, std::string_view model = "sums") {
  const double values[] = {a, b};
  std::string input = text(1, "x") + text(2, "FP64") + text(3, "\1\2");
  input += text(5, text(7, {reinterpret_cast<const char*>(values), sizeof values}));
  return text(1, model) + text(3, "42") + text(5, input);
}

class GrpcApiTest : public ::testing::Test {
 protected:
  GrpcApiTest()
      : folder(makeFolder()),
        models(testing::loadRowSums, folder, "sums"),
        api(models, metrics, clock),
        grpc(api, models, options()) {
    std::ofstream(folder / "model.sums") << 2;
    EXPECT_TRUE(models.load("sums"));
  }
  ~GrpcApiTest() override { fs::remove_all(folder); }
  static fs::path makeFolder() {
    std::string name = fs::temp_directory_path() / "slipway-grpc-XXXXXX";
    return mkdtemp(name.data());
  }
  GrpcOptions options() {
    GrpcOptions o;
    o.clock = &clock;
    o.infer = [this](std::string message) -> Task<Result<std::string>> { co_return api.inferGrpc(message); };
    o.watchInterval = std::chrono::milliseconds(1);
    return o;
  }
  static net::Request request(const std::string& path) {
    net::Request r;
    r.method = "POST";
    r.target = path;
    r.version = "HTTP/2";
    r.headers.set("content-type", "application/grpc");
    return r;
  }
  // "0 <message>" or "<status> <text>".
  std::string call(const std::string& method, std::string_view message) {
    std::string body;
    net::grpc::appendFrame(body, message, false);
    net::Response r;
    if (!grpc.service().answer(request(method), body, {}, r)) return "no unary method";
    if (!r.body.trailers())
      return std::string(r.headers.getOr("grpc-status", "?")) + " " + std::string(r.headers.getOr("grpc-message", ""));
    return std::string(r.body.trailers()->getOr("grpc-status", "?")) + " " + r.body.bytes().substr(5);
  }
  std::string infer(const std::string& method, std::string_view message) {
    return call("/inference.GRPCInferenceService/" + method, message);
  }

  fs::path folder;
  SystemClock clock;
  Metrics metrics;
  ModelRepository models;
  Api api;
  GrpcApi grpc;
};

TEST_F(GrpcApiTest, TellsHealthAndMetadata) {
  EXPECT_EQ(infer("ServerLive", ""), "0 \x08\x01");
  EXPECT_EQ(infer("ServerReady", ""), "0 \x08\x01");
  EXPECT_EQ(infer("ModelReady", text(1, "sums")), "0 \x08\x01");
  EXPECT_EQ(infer("ModelReady", text(1, "x")), "5 Model with name x does not exist.");
  EXPECT_EQ(infer("ModelReady", text(1, "sums") + text(2, "3")),
            "12 model_version '3': Model versioning not supported yet.");
  const auto metadata = infer("ModelMetadata", text(1, "sums") + text(2, "1"));
  EXPECT_NE(metadata.find("input-0"), std::string::npos);
  EXPECT_NE(metadata.find("FP64"), std::string::npos);
  EXPECT_EQ(infer("ServerMetadata", "").substr(0, 11), "0 " + text(1, "slipway"));
  api.beginDrain();
  EXPECT_EQ(infer("ServerReady", ""), "0 ");
}

TEST_F(GrpcApiTest, PredictsAndRefuses) {
  const double sum = 3;
  const auto answer = infer("ModelInfer", inferRequest(1, 2));
  EXPECT_NE(answer.find({reinterpret_cast<const char*>(&sum), 8}), std::string::npos);
  EXPECT_NE(answer.find(text(3, "42")), std::string::npos);
  EXPECT_EQ(infer("ModelInfer", inferRequest(1, 2, "x")), "5 Model with name x does not exist.");
  EXPECT_EQ(infer("ModelInfer", inferRequest(1, 2) + text(2, "9")),
            "12 model_version '9': Model versioning not supported yet.");
  EXPECT_EQ(infer("ModelInfer", "\xff"), "3 ModelInferRequest is not a valid protobuf message");
  EXPECT_EQ(infer("ModelInfer", inferRequest(1, 2) + text(6, text(1, "z"))),
            "3 output 'z' does not exist; this model has output-0");
  EXPECT_NE(metrics.text().find("sums"), std::string::npos);
}

TEST_F(GrpcApiTest, LoadsAndUnloadsInBothSpellings) {
  fs::create_directories(folder / "other");
  std::ofstream(folder / "other/model.sums") << 3;
  EXPECT_EQ(infer("RepositoryModelLoad", text(1, "other")), "0 " + text(1, "other") + "\x10\x01");
  EXPECT_NE(infer("RepositoryIndex", "").find("other"), std::string::npos);
  EXPECT_EQ(infer("RepositoryModelUnload", text(1, "repo") + text(2, "other")), "0 " + text(1, "other") + "\x10\x01");
  EXPECT_EQ(infer("RepositoryModelUnload", text(2, "other")), "5 Model with name other does not exist.");
  const auto missing = infer("RepositoryModelLoad", text(1, "nope"));
  EXPECT_TRUE(missing.starts_with("14 Model with name nope is not ready: ")) << missing;
  EXPECT_EQ(infer("RepositoryIndex", "").find("nope"), std::string::npos) << "a name without files is no model";
  fs::create_directories(folder / "bad");
  std::ofstream(folder / "bad/model.sums") << "x";
  EXPECT_TRUE(infer("RepositoryModelLoad", text(1, "bad")).starts_with("14 Model with name bad is not ready: "));
  EXPECT_NE(infer("RepositoryIndex", "").find("UNAVAILABLE"), std::string::npos);
  std::string readyOnly;
  appendNumber(readyOnly, 2, 1);
  EXPECT_EQ(infer("RepositoryIndex", readyOnly).find("UNAVAILABLE"), std::string::npos);
  EXPECT_NE(infer("RepositoryIndex", readyOnly).find("sums"), std::string::npos);
  EXPECT_EQ(infer("RepositoryIndex", "").find("other"), std::string::npos);
}

TEST_F(GrpcApiTest, ChecksHealthByServiceAndModel) {
  const std::string check = "/grpc.health.v1.Health/Check";
  EXPECT_EQ(call(check, ""), "0 \x08\x01");
  EXPECT_EQ(call(check, text(1, "inference.GRPCInferenceService")), "0 \x08\x01");
  EXPECT_EQ(call(check, text(1, "sums")), "0 \x08\x01");
  EXPECT_EQ(call(check, text(1, "x")), "5 'x' is no service and no model of this server");
  api.beginDrain();
  EXPECT_EQ(call(check, ""), "0 \x08\x02");
}

// The messages of a streamed answer, then its status.
Task<std::vector<std::string>> streamed(const GrpcApi* grpc, net::Request request, std::vector<std::string> messages,
                                        std::function<void(std::size_t)> after = nullptr) {
  std::string body;
  for (const auto& m : messages) net::grpc::appendFrame(body, m, false);
  request.body = net::Body(std::move(body));
  auto response = co_await grpc->service().stream(std::move(request));
  std::vector<std::string> out;
  for (;;) {
    auto chunk = co_await response.body.read();
    if (!chunk || chunk->empty()) break;
    out.push_back(chunk->substr(5));
    if (after) after(out.size());
  }
  const net::Headers& end = response.body.trailers() ? *response.body.trailers() : response.headers;
  out.push_back(std::string(end.getOr("grpc-status", "?")));
  co_return out;
}

TEST_F(GrpcApiTest, AStreamGoesOnAfterARequestThatFails) {
  net::testing::run([this](Executor) -> Task<void> {
    auto out = co_await streamed(&grpc, request("/inference.GRPCInferenceService/ModelStreamInfer"),
                                 {inferRequest(1, 2), inferRequest(1, 2, "x"), inferRequest(3, 4)});
    EXPECT_EQ(out.size(), 4u);
    if (out.size() != 4) co_return;
    EXPECT_EQ(out[0][0], '\x12');  // infer_response
    EXPECT_EQ(out[1], text(1, "Model with name x does not exist."));
    EXPECT_EQ(out[2][0], '\x12');
    EXPECT_EQ(out[3], "0");
  });
}

TEST_F(GrpcApiTest, WatchTellsEachChange) {
  net::testing::run([this](Executor) -> Task<void> {
    auto out = co_await streamed(&grpc, request("/grpc.health.v1.Health/Watch"), {text(1, "sums")}, [this](std::size_t n) {
      if (n == 1) models.unload("sums");
      if (n == 2) (void)models.load("sums");
      if (n == 3) api.beginDrain();
    });
    EXPECT_EQ(out, (std::vector<std::string>{"\x08\x01", "\x08\x03", "\x08\x01", "\x08\x02", "14"}));
  });
}

TEST_F(GrpcApiTest, ReflectionDescribesEveryService) {
  net::testing::run([this](Executor) -> Task<void> {
    for (const char* version : {"v1", "v1alpha"}) {
      auto out = co_await streamed(
          &grpc, request(fmt::format("/grpc.reflection.{}.ServerReflection/ServerReflectionInfo", version)),
          {text(7, ""), text(4, "inference.GRPCInferenceService"), text(3, "inference.proto"),
           text(4, "inference.ModelInferRequest.InferInputTensor"), text(4, "no.such.Thing")});
      EXPECT_EQ(out.size(), 6u);
      if (out.size() != 6) co_return;
      for (const char* service : {"inference.GRPCInferenceService", "grpc.health.v1.Health",
                                  "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"})
        EXPECT_NE(out[0].find(service), std::string::npos) << service;
      for (const int i : {1, 2, 3})
        EXPECT_NE(out[static_cast<std::size_t>(i)].find("ModelStreamInfer"), std::string::npos) << i;
      EXPECT_NE(out[4].find("symbol 'no.such.Thing' is not known"), std::string::npos);
      EXPECT_EQ(out[5], "0");
    }
  });
}

TEST(ContentCoding, UnpacksWithinTheLimitAndNamesTheRest) {
  const std::string raw(100'000, 'x');
  const std::string packed = gzip(raw);
  const auto good = decodeContent({{"content-encoding", "gzip"}}, packed, 200'000);
  ASSERT_TRUE(good);
  EXPECT_EQ(good->view(), raw);
  EXPECT_EQ(decodeContent({{"Content-Encoding", "gzip"}}, packed, 50'000).error().code, Code::TooLarge);
  EXPECT_EQ(decodeContent({{"Content-Encoding", "gzip"}}, "nonsense", 50'000).error().code, Code::BadRequest);
  EXPECT_EQ(decodeContent({{"Content-Encoding", "br"}}, packed, 50'000).error().code, Code::UnsupportedMedia);
  EXPECT_EQ(decodeContent({}, packed, 10)->view(), packed);
}

TEST(ContentCoding, PacksWhatIsWorthItForClientsThatTakeIt) {
  const auto sent = [](std::string accept, std::size_t size) {
    auto r = net::Response::text(200, std::string(size, 'x'));
    encodeContent(net::Headers{{"Accept-Encoding", accept}}, r);
    return std::string(r.headers.getOr("content-encoding", "plain"));
  };
  EXPECT_EQ(sent("gzip, deflate", 5000), "gzip");
  EXPECT_EQ(sent("deflate, gzip;q=0.5", 5000), "gzip");
  EXPECT_EQ(sent("gzip;q=0", 5000), "plain");
  EXPECT_EQ(sent("deflate", 5000), "plain");
  EXPECT_EQ(sent("gzip", 100), "plain");
}

}  // namespace
}  // namespace slipway::serving
