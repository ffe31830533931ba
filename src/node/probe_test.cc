#include "node/probe.h"

#include <gtest/gtest.h>

namespace slipway::node {
namespace {
using namespace std::chrono_literals;

constexpr TimePoint kStart{std::chrono::hours(1)};

TEST(Probe, ReadsDefaultsPortsByNameAndHandlers) {
  const Json container = {{"ports", Json::array({{{"name", "http"}, {"containerPort", 8080}}})}};
  const ProbeSpec spec =
      probeSpecOf({{"httpGet", {{"port", "http"}, {"path", "v2/health/ready"}}}, {"failureThreshold", 0}}, container);
  EXPECT_EQ(spec.action, ProbeSpec::Action::HttpGet);
  EXPECT_EQ(spec.port, 8080);
  EXPECT_EQ(spec.path, "/v2/health/ready");
  EXPECT_EQ(spec.period, 10s);
  EXPECT_EQ(spec.timeout, 1s);
  EXPECT_EQ(spec.failureThreshold, 1) << "at least one";
  EXPECT_EQ(probeSpecOf({{"tcpSocket", {{"port", 9000}}}}, container).port, 9000);
}

TEST(Probe, IsEagerUntilTheFirstSuccessThenKeepsItsPeriod) {
  ProbeSpec spec;
  ProbeTracker tracker(spec, ProbeKind::Readiness, kStart);
  TimePoint now = tracker.nextAt();
  EXPECT_EQ(now, kStart);
  EXPECT_EQ(tracker.record(false, now), ProbeVerdict::Unchanged);
  EXPECT_LE(tracker.nextAt() - now, 20ms);
  int tries = 0;
  for (; now < kStart + 9s; ++tries) {
    now = tracker.nextAt();
    EXPECT_NE(tracker.record(false, now), ProbeVerdict::Failure) << "extra tries must not count";
  }
  EXPECT_LT(tries, 40);
  now = tracker.nextAt();
  EXPECT_EQ(tracker.record(true, now), ProbeVerdict::Success);
  EXPECT_EQ((tracker.nextAt() - kStart) % 10s, 0s);
}

TEST(Probe, ThresholdsAndInitialDelayAreTheKubelets) {
  ProbeSpec spec;
  spec.initialDelay = 5s;
  spec.period = 2s;
  spec.failureThreshold = 3;
  spec.successThreshold = 1;
  ProbeTracker tracker(spec, ProbeKind::Liveness, kStart);
  EXPECT_EQ(tracker.nextAt(), kStart + 5s);
  EXPECT_EQ(tracker.record(false, kStart + 5s), ProbeVerdict::Unchanged);
  EXPECT_EQ(tracker.nextAt(), kStart + 7s) << "liveness is never eager";
  EXPECT_EQ(tracker.record(false, kStart + 7s), ProbeVerdict::Unchanged);
  EXPECT_EQ(tracker.record(true, kStart + 9s), ProbeVerdict::Success);
  EXPECT_EQ(tracker.record(false, kStart + 11s), ProbeVerdict::Unchanged);
  EXPECT_EQ(tracker.record(false, kStart + 13s), ProbeVerdict::Unchanged);
  EXPECT_EQ(tracker.record(false, kStart + 15s), ProbeVerdict::Failure);
}

}  // namespace
}  // namespace slipway::node
