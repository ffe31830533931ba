// TestApi: the embedded API server in a test: in-memory SQLite, namespaces default, kube-system and kserve, no sockets.
//
//   asio::io_context io;
//   TestApi api(io);                                   // garbage collection and namespace lifecycle run on io
//   auto pod = api.await(api.client().create(kinds::kPod, object));
#pragma once
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <optional>

#include "apiserver/local_client.h"
#include "apiserver/server.h"

namespace slipway::apiserver {

struct TestApiOptions {
  std::shared_ptr<const Catalog> catalog;  // null: Catalog::builtin()
  std::vector<Admission> admissions;
  std::shared_ptr<Clock> clock;
  std::string path = ":memory:";
  bool roles = false;  // with the bootstrap cluster roles
  std::string caPem;   // published as kube-root-ca.crt; with it pods get their kube-api-access volume
  HttpOptions http;    // its tokens are replaced by those of http() and of user bob, group dev
};

class TestApi {
 public:
  static constexpr const char* kOldSecret = "0123456789abcdef0123456789abcdef";  // of HS256 tokens
  explicit TestApi(boost::asio::io_context& io, TestApiOptions options = {});
  ~TestApi();  // stops the server's background tasks; run the io_context no more afterwards

  LocalClient& client() { return server_->client(); }
  Registry& registry() { return server_->registry(); }
  ApiServer& server() { return *server_; }

  // One HTTP request of the administrator (token "admin-token") against the server's handler.
  net::Response http(std::string method, std::string target, std::string body = "",
                     std::vector<std::pair<std::string, std::string>> headers = {});

  // Runs the io_context until the task is done and returns its value.
  template <class T>
  T await(Task<T> task) {
    std::optional<T> out;
    std::exception_ptr error;
    boost::asio::co_spawn(io_, std::move(task), [&](std::exception_ptr e, T value) {
      error = e;
      out.emplace(std::move(value));
    });
    runUntil([&] { return out.has_value(); });
    if (error) std::rethrow_exception(error);
    return std::move(*out);
  }
  // Runs the io_context until done() holds or `limit` passed; whether it does.
  bool runUntil(std::function<bool()> done, std::chrono::milliseconds limit = std::chrono::seconds(20));
  // Runs until get(kind, key) is NotFound, or `limit` passed.
  bool waitGone(Kind kind, kube::Key key);
  // The object now, or null Json.
  Json find(Kind kind, kube::Key key);

 private:
  boost::asio::io_context& io_;
  std::unique_ptr<ApiServer> server_;
};

}  // namespace slipway::apiserver
