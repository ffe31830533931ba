#include "serving/metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

namespace slipway::serving {
namespace {
std::string escapeLabel(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out;
}

void appendProcess(std::string& out) {
  const auto to = std::back_inserter(out);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
  fmt::format_to(to,
                 "# HELP process_cpu_seconds_total CPU time used.\n# TYPE process_cpu_seconds_total "
                 "counter\nprocess_cpu_seconds_total {}\n",
                 seconds(usage.ru_utime) + seconds(usage.ru_stime));
  std::ifstream statm("/proc/self/statm");
  std::uint64_t pages = 0, resident = 0;
  if (statm >> pages >> resident)
    fmt::format_to(to,
                   "# HELP process_resident_memory_bytes Resident memory.\n# TYPE process_resident_memory_bytes "
                   "gauge\nprocess_resident_memory_bytes {}\n",
                   resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)));
}
}  // namespace

void Histogram::observe(double seconds) {
  std::size_t i = 0;
  while (i < kBounds.size() && seconds > kBounds[i]) ++i;
  counts_[i].fetch_add(1, std::memory_order_relaxed);
  nanoseconds_.fetch_add(static_cast<std::uint64_t>(seconds * 1e9), std::memory_order_relaxed);
}

void Histogram::write(std::string& out, const char* name, const std::string& labels) const {
  const auto to = std::back_inserter(out);
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < kBounds.size(); ++i) {
    total += counts_[i].load(std::memory_order_relaxed);
    fmt::format_to(to, "{}_bucket{{{},le=\"{}\"}} {}\n", name, labels, kBounds[i], total);
  }
  total += counts_.back().load(std::memory_order_relaxed);
  fmt::format_to(to, "{0}_bucket{{{1},le=\"+Inf\"}} {2}\n{0}_count{{{1}}} {2}\n{0}_sum{{{1}}} {3}\n", name, labels, total,
                 static_cast<double>(nanoseconds_.load(std::memory_order_relaxed)) / 1e9);
}

ModelMetrics& Metrics::of(std::string_view model) {
  const std::lock_guard lock(mutex_);
  const auto found = models_.find(model);
  if (found != models_.end()) return *found->second;
  auto& row = models_[models_.size() < maxModels_ ? std::string(model) : "other"];
  if (!row) row = std::make_unique<ModelMetrics>();
  return *row;
}

std::string Metrics::text() const {
  std::string out;
  const std::lock_guard lock(mutex_);
  const auto histogram = [&](const char* name, const char* help, Histogram ModelMetrics::* member) {
    fmt::format_to(std::back_inserter(out), "# HELP {0} {1}\n# TYPE {0} histogram\n", name, help);
    for (const auto& [model, row] : models_)
      ((*row).*member).write(out, name, fmt::format("model_name=\"{}\"", escapeLabel(model)));
  };
  histogram("request_preprocess_seconds", "Time to read a request.", &ModelMetrics::preprocess);
  histogram("request_predict_seconds", "Time in the model.", &ModelMetrics::predict);
  histogram("request_postprocess_seconds", "Time to write a reply.", &ModelMetrics::postprocess);
  out += "# HELP slipway_predictions_total Answers to prediction requests.\n# TYPE slipway_predictions_total counter\n";
  for (const auto& [model, row] : models_)
    for (const auto& [code, count] :
         {std::pair("2xx", &row->ok), std::pair("4xx", &row->refused), std::pair("5xx", &row->failed)})
      fmt::format_to(std::back_inserter(out), "slipway_predictions_total{{model_name=\"{}\",code=\"{}\"}} {}\n",
                     escapeLabel(model), code, count->load(std::memory_order_relaxed));
  appendProcess(out);
  return out;
}

}  // namespace slipway::serving
