// Metrics: counters, gauges and histograms that cost a relaxed atomic to touch, and their Prometheus text form.
// Thread-safe. A series lives as long as someone holds its pointer: keep it where you count, look nothing up on a hot path.
//
//   auto hits = registry.counter("slipway_cache_hits_total", "Cache hits.", {{"cache", "models"}});
//   hits->add();
#pragma once
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace slipway {

class Counter {
 public:
  void add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

class Gauge {
 public:
  void set(std::int64_t v) { value_.store(v, std::memory_order_relaxed); }
  void add(std::int64_t n) { value_.fetch_add(n, std::memory_order_relaxed); }
  std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

// Durations in log-linear buckets: four per power of two of a microsecond, so a quantile is within 25 % from 1 us to 1 h.
class Histogram {
 public:
  void record(std::chrono::nanoseconds d);
  std::uint64_t count() const;
  double sumSeconds() const { return static_cast<double>(sumNanos_.load(std::memory_order_relaxed)) / 1e9; }
  // Upper bound, in seconds, of the bucket that holds the q-quantile (0 < q <= 1); 0 when nothing was recorded.
  double quantile(double q) const;
  std::uint64_t countUpTo(std::chrono::microseconds limit) const;  // exact for powers of two

 private:
  static constexpr std::size_t kBuckets = 4 * 33;
  static std::size_t bucketOf(std::uint64_t micros);
  static std::uint64_t upperBound(std::size_t bucket);  // in microseconds, exclusive
  std::array<std::atomic<std::uint64_t>, kBuckets> buckets_{};
  std::atomic<std::uint64_t> sumNanos_{0};
};

class MetricRegistry {
 public:
  using Labels = std::vector<std::pair<std::string, std::string>>;
  // The series of that name and labels, made on first use. One name has one type and one help text.
  std::shared_ptr<Counter> counter(const std::string& name, const std::string& help, const Labels& labels = {});
  std::shared_ptr<Gauge> gauge(const std::string& name, const std::string& help, const Labels& labels = {});
  std::shared_ptr<Histogram> histogram(const std::string& name, const std::string& help, const Labels& labels = {});
  // Prometheus text format 0.0.4; forgets series that nobody holds any more.
  std::string render();

 private:
  using Series = std::variant<std::weak_ptr<Counter>, std::weak_ptr<Gauge>, std::weak_ptr<Histogram>>;
  struct Family {
    std::string help;
    std::map<std::string, Series> series;  // by rendered labels: `a="b",c="d"`
  };
  template <class T>
  std::shared_ptr<T> find(const std::string& name, const std::string& help, const Labels& labels);
  std::mutex mutex_;
  std::map<std::string, Family> families_;
};

}  // namespace slipway
