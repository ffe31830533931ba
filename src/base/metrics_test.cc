#include "base/metrics.h"

#include <gtest/gtest.h>

namespace slipway {
namespace {
using namespace std::chrono_literals;

TEST(Metrics, RendersPrometheusText) {
  MetricRegistry registry;
  auto hits = registry.counter("hits_total", "Hits.", {{"route", "a\"b"}});
  auto size = registry.gauge("size", "Size.");
  hits->add(3);
  size->set(-2);
  const auto text = registry.render();
  EXPECT_NE(text.find("# HELP hits_total Hits.\n# TYPE hits_total counter\nhits_total{route=\"a\\\"b\"} 3\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("size -2\n"), std::string::npos);
}

TEST(Metrics, ASeriesThatNobodyHoldsIsForgotten) {
  MetricRegistry registry;
  auto kept = registry.counter("c_total", "C.", {{"r", "1"}});
  {
    auto dropped = registry.counter("c_total", "C.", {{"r", "2"}});
  }
  EXPECT_EQ(registry.counter("c_total", "C.", {{"r", "1"}}), kept);
  EXPECT_EQ(registry.render().find("r=\"2\""), std::string::npos);
}

TEST(Histogram, QuantilesAreWithinAQuarter) {
  Histogram h;
  for (int i = 1; i <= 1000; ++i) h.record(std::chrono::microseconds(i * 10));
  EXPECT_EQ(h.count(), 1000u);
  EXPECT_NEAR(h.quantile(0.5), 0.005, 0.005 * 0.26);
  EXPECT_NEAR(h.quantile(0.99), 0.0099, 0.0099 * 0.26);
  EXPECT_NEAR(h.sumSeconds(), 5.005, 1e-6);
  EXPECT_EQ(h.countUpTo(1024us), 102u);
  h.record(100h);
  h.record(-1ns);
  EXPECT_EQ(h.count(), 1002u);
}

}  // namespace
}  // namespace slipway
