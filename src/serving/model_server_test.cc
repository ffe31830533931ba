#include "serving/model_server.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <fstream>

#include "net/client.h"
#include "serving/testing/fake_model.h"

namespace slipway::serving {
namespace {
namespace fs = std::filesystem;

class RunningServer {
 public:
  explicit RunningServer(ModelServerOptions options = {}) {
    std::string name = fs::temp_directory_path() / "slipway-server-XXXXXX";
    folder_ = mkdtemp(name.data());
    std::ofstream(folder_ / "model.sums") << 2;
    options.modelName = "sums";
    options.modelDir = folder_;
    options.address = "127.0.0.1";
    options.port = 0;
    server_ = std::make_unique<ModelServer>(options, testing::loadRowSums);
    const auto started = server_->start();
    EXPECT_TRUE(started) << (started ? "" : started.error().message);
    thread_ = std::thread([this] { server_->run(); });
  }
  ~RunningServer() {
    stop();
    fs::remove_all(folder_);
  }
  void stop() {
    server_->stop();
    if (thread_.joinable()) thread_.join();
  }
  std::uint16_t port() const { return server_->port(); }

  std::pair<int, std::string> send(std::string method, std::string target, std::string body) {
    boost::asio::io_context loop;
    net::HttpClient client(loop.get_executor());
    std::pair<int, std::string> out;
    const auto work = [&]() -> Task<void> {
      net::Request request;
      request.method = method;
      request.target = target;
      request.body = net::Body(body);
      auto response = co_await client.send(net::Origin{"127.0.0.1", port()}, std::move(request));
      if (!response) {
        out = {0, response.error().message};
        co_return;
      }
      auto text = co_await response->body.readAll(1 << 20);
      out = {response->status, text ? *text : text.error().message};
      client.closeIdle();
    };
    auto done = boost::asio::co_spawn(loop, work, boost::asio::use_future);
    loop.run();
    done.get();
    return out;
  }

 private:
  fs::path folder_;
  std::unique_ptr<ModelServer> server_;
  std::thread thread_;
};

TEST(ModelServer, PredictsOverHttp) {
  RunningServer server;
  EXPECT_EQ(server.send("POST", "/v1/models/sums:predict", R"({"instances":[[1,2]]})"),
            std::pair(200, std::string(R"({"predictions":[3.0]})")));
  EXPECT_EQ(server.send("GET", "/v2/health/ready", "").first, 200);
}

TEST(ModelServer, TakesLargeBodiesAndRefusesThoseOverTheLimit) {
  ModelServerOptions options;
  options.maxBodyBytes = 4 << 20;
  RunningServer server(options);
  std::string rows = "{\"instances\":[[1,2]";
  while (rows.size() < (3 << 20)) rows += ",[1,2]";
  EXPECT_EQ(server.send("POST", "/v1/models/sums:predict", rows + "]}").first, 200);
  while (rows.size() < (5 << 20)) rows += ",[1,2]";
  EXPECT_EQ(server.send("POST", "/v1/models/sums:predict", rows + "]}").first, 413);
  EXPECT_EQ(server.send("GET", "/", "").first, 200);
}

TEST(ModelServer, ServesFromSeveralWorkersOnOnePort) {
  ModelServerOptions options;
  options.workers = 3;
  RunningServer server(options);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(server.send("GET", "/v2/models/sums/ready", "").first, 200);
}

TEST(ModelServer, StopsWhenAsked) {
  RunningServer server;
  server.stop();
  EXPECT_EQ(server.send("GET", "/", "").first, 0);
}

TEST(ModelServer, SaysWhyItCannotStart) {
  ModelServerOptions options;
  options.modelDir = "/nowhere/at/all";
  options.modelName = "x";
  const auto started = ModelServer(options, testing::loadRowSums).start();
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().message.find("/nowhere/at/all"), std::string::npos);
}

}  // namespace
}  // namespace slipway::serving
