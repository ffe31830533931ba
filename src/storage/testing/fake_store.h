// FakeStore: a web server in the test's process that holds files under /path and answers like S3 (ListObjectsV2, ranges,
// If-Match) and like a plain web server. Records requests; can refuse, fail and break off. Thread-safe.
//
//   FakeStore store;  store.put("bucket/iris/model.joblib", bytes);
//   ... fetch from store.url() ...   EXPECT_EQ(store.count("GET /bucket/iris/model.joblib"), 1);
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace slipway::storage::testing {

class FakeStore {
 public:
  FakeStore();
  ~FakeStore();
  std::string url() const;  // "http://127.0.0.1:port"
  void put(const std::string& path, std::string bytes, const std::string& contentType = "application/octet-stream");
  void redirect(const std::string& path, const std::string& to);
  void respond(const std::string& path, int status, const std::string& body);  // instead of what is stored there
  void failNext(int requests, int status);               // the next object reads answer with this status
  void breakNext(int requests, std::size_t afterBytes);  // the next object reads end in a broken connection
  void setPageSize(std::size_t keys);
  void ignoreRanges();

  struct Seen {
    std::string line;                          // "GET /bucket/key?query"
    std::string range, authorization, custom;  // custom: header X-Custom
  };
  std::vector<Seen> seen() const;
  std::size_t count(const std::string& linePrefix) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace slipway::storage::testing
