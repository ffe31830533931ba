#include "base/metrics.h"

#include <fmt/format.h>

#include <bit>

namespace slipway {
namespace {

std::string renderLabels(const MetricRegistry::Labels& labels) {
  std::string out;
  for (const auto& [name, value] : labels) {
    if (!out.empty()) out += ',';
    out += name + "=\"";
    for (const char c : value) {
      if (c == '\\' || c == '"') out += '\\';
      if (c == '\n')
        out += "\\n";
      else
        out += c;
    }
    out += '"';
  }
  return out;
}

std::string braces(const std::string& labels) { return labels.empty() ? "" : "{" + labels + "}"; }

void renderSeries(std::string& out, const std::string& name, const std::string& labels, const Counter& c) {
  out += fmt::format("{}{} {}\n", name, braces(labels), c.value());
}

void renderSeries(std::string& out, const std::string& name, const std::string& labels, const Gauge& g) {
  out += fmt::format("{}{} {}\n", name, braces(labels), g.value());
}

void renderSeries(std::string& out, const std::string& name, const std::string& labels, const Histogram& h) {
  const std::string comma = labels.empty() ? "" : labels + ",";
  for (std::uint64_t us = 64; us <= (1ull << 28); us *= 2) {  // 64 us to 268 s
    out += fmt::format("{}_bucket{{{}le=\"{}\"}} {}\n", name, comma, static_cast<double>(us) / 1e6,
                       h.countUpTo(std::chrono::microseconds(us)));
  }
  const auto count = h.count();
  out += fmt::format("{}_bucket{{{}le=\"+Inf\"}} {}\n", name, comma, count);
  out += fmt::format("{}_sum{} {}\n{}_count{} {}\n", name, braces(labels), h.sumSeconds(), name, braces(labels), count);
}

const char* typeName(const Counter*) { return "counter"; }
const char* typeName(const Gauge*) { return "gauge"; }
const char* typeName(const Histogram*) { return "histogram"; }

}  // namespace

std::size_t Histogram::bucketOf(std::uint64_t micros) {
  if (micros < 4) return micros;
  const auto power = static_cast<std::size_t>(std::bit_width(micros)) - 1;  // 2^power <= micros
  const auto quarter = static_cast<std::size_t>(micros >> (power - 2)) & 3;
  return std::min(4 * (power - 1) + quarter, kBuckets - 1);
}

std::uint64_t Histogram::upperBound(std::size_t bucket) {
  if (bucket < 4) return bucket + 1;
  const auto power = bucket / 4 + 1;
  return (4 + bucket % 4 + 1) << (power - 2);
}

void Histogram::record(std::chrono::nanoseconds d) {
  const auto nanos = static_cast<std::uint64_t>(std::max<std::int64_t>(d.count(), 0));
  buckets_[bucketOf(nanos / 1000)].fetch_add(1, std::memory_order_relaxed);
  sumNanos_.fetch_add(nanos, std::memory_order_relaxed);
}

std::uint64_t Histogram::count() const {
  std::uint64_t n = 0;
  for (const auto& b : buckets_) n += b.load(std::memory_order_relaxed);
  return n;
}

double Histogram::quantile(double q) const {
  const auto total = count();
  if (total == 0) return 0;
  const auto wanted = static_cast<std::uint64_t>(q * static_cast<double>(total) + 0.999999);
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    seen += buckets_[i].load(std::memory_order_relaxed);
    if (seen >= wanted) return static_cast<double>(upperBound(i)) / 1e6;
  }
  return static_cast<double>(upperBound(kBuckets - 1)) / 1e6;
}

std::uint64_t Histogram::countUpTo(std::chrono::microseconds limit) const {
  const auto bound = static_cast<std::uint64_t>(limit.count());
  std::uint64_t n = 0;
  for (std::size_t i = 0; i < kBuckets && upperBound(i) <= bound; ++i) n += buckets_[i].load(std::memory_order_relaxed);
  return n;
}

template <class T>
std::shared_ptr<T> MetricRegistry::find(const std::string& name, const std::string& help, const Labels& labels) {
  std::lock_guard lock(mutex_);
  auto& family = families_[name];
  if (family.help.empty()) family.help = help;
  auto& series = family.series[renderLabels(labels)];
  if (auto* held = std::get_if<std::weak_ptr<T>>(&series)) {
    if (auto alive = held->lock()) return alive;
  }
  auto made = std::make_shared<T>();
  series = std::weak_ptr<T>(made);
  return made;
}

std::shared_ptr<Counter> MetricRegistry::counter(const std::string& name, const std::string& help, const Labels& labels) {
  return find<Counter>(name, help, labels);
}
std::shared_ptr<Gauge> MetricRegistry::gauge(const std::string& name, const std::string& help, const Labels& labels) {
  return find<Gauge>(name, help, labels);
}
std::shared_ptr<Histogram> MetricRegistry::histogram(const std::string& name, const std::string& help,
                                                     const Labels& labels) {
  return find<Histogram>(name, help, labels);
}

std::string MetricRegistry::render() {
  std::lock_guard lock(mutex_);
  std::string out;
  for (auto family = families_.begin(); family != families_.end();) {
    auto& [name, data] = *family;
    bool header = false;
    for (auto it = data.series.begin(); it != data.series.end();) {
      const bool alive = std::visit(
          [&](const auto& weak) {
            const auto held = weak.lock();
            if (!held) return false;
            if (!header) out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, data.help, name, typeName(held.get()));
            header = true;
            renderSeries(out, name, it->first, *held);
            return true;
          },
          it->second);
      it = alive ? std::next(it) : data.series.erase(it);
    }
    family = data.series.empty() ? families_.erase(family) : std::next(family);
  }
  return out;
}

}  // namespace slipway
