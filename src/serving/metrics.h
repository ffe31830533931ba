// Metrics of the model server in Prometheus' text form, under the names of KServe's servers: request_preprocess_seconds
// (parse), request_predict_seconds and request_postprocess_seconds (write), each a histogram by model_name; and counters of
// answers. Thread-safe; recording takes no lock once a model has its row.
//
//   ModelMetrics& m = metrics.of("iris");  m.predict.observe(0.00002);
//   std::string text = metrics.text();
#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace slipway::serving {

class Histogram {
 public:
  // Bounds in seconds: those of Python's client, which KServe's dashboards expect, and finer ones below 5 ms.
  static constexpr std::array<double, 18> kBounds{.00001, .000025, .0001, .001, .005, .01, .025, .05, .075,
                                                  .1,     .25,     .5,    .75,  1,    2.5, 5,    7.5, 10};
  void observe(double seconds);
  void write(std::string& out, const char* name, const std::string& labels) const;

 private:
  std::array<std::atomic<std::uint64_t>, kBounds.size() + 1> counts_{};
  std::atomic<std::uint64_t> nanoseconds_{0};
};

struct ModelMetrics {
  Histogram preprocess, predict, postprocess;
  std::atomic<std::uint64_t> ok{0}, refused{0}, failed{0};  // answers 2xx, 4xx, 5xx
};

class Metrics {
 public:
  explicit Metrics(std::size_t maxModels = 1000) : maxModels_(maxModels) {}
  // The row of a model, made on first use and kept. Past maxModels all further names share one row, "other".
  ModelMetrics& of(std::string_view model);
  std::string text() const;

 private:
  std::size_t maxModels_;
  mutable std::mutex mutex_;
  std::map<std::string, std::unique_ptr<ModelMetrics>, std::less<>> models_;
};

}  // namespace slipway::serving
