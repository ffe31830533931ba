#include "node/pod_state.h"

#include <gtest/gtest.h>

#include <random>

namespace slipway::node {
namespace {
using namespace std::chrono_literals;
using CPhase = ContainerState::Phase;

constexpr TimePoint kStart{std::chrono::hours(1)};

PodPlan planWith(std::size_t init, std::size_t main, RestartPolicy policy = RestartPolicy::Always) {
  PodPlan plan;
  plan.restartPolicy = policy;
  for (std::size_t i = 0; i < init; ++i) plan.init.push_back({.name = "i" + std::to_string(i)});
  for (std::size_t i = 0; i < main; ++i) plan.main.push_back({.name = "m" + std::to_string(i)});
  return plan;
}

PodState readyState(const PodPlan& plan) {
  PodState state = initialState(plan);
  state.sandboxReady = true;
  return state;
}

void run(ContainerState& c, TimePoint now, bool started = true) {
  if (c.exit) c.previous = c.exit;
  c.exit.reset();
  ++c.instance;
  c.phase = CPhase::Running;
  c.startedTick = now;
  c.started = c.ready = started;
}

void end(const PodPlan& plan, ContainerState& c, int code, TimePoint now) {
  ContainerExit e;
  e.exitCode = code;
  noteExit(plan, c, e, now);
}

Action start(bool init, std::size_t i) { return {ActionKind::Start, init, i, Duration{0}}; }
using Actions = std::vector<Action>;

TEST(PodState, SetsUpBeforeItStartsAnything) {
  const PodPlan plan = planWith(0, 1);
  PodState state = initialState(plan);
  EXPECT_EQ(decide(plan, state, kStart).actions, Actions({{ActionKind::Setup, false, 0, Duration{0}}}));
  state.retryAt = kStart + 5s;
  const Decision d = decide(plan, state, kStart);
  EXPECT_TRUE(d.actions.empty());
  EXPECT_EQ(d.wakeAt, kStart + 5s);
}

TEST(PodState, InitContainersRunOneAfterTheOther) {
  const PodPlan plan = planWith(2, 2);
  PodState state = readyState(plan);
  EXPECT_EQ(decide(plan, state, kStart).actions, Actions({start(true, 0)}));
  run(state.init[0], kStart);
  EXPECT_TRUE(decide(plan, state, kStart).actions.empty());
  end(plan, state.init[0], 0, kStart);
  EXPECT_EQ(decide(plan, state, kStart).actions, Actions({start(true, 1)}));
  run(state.init[1], kStart);
  end(plan, state.init[1], 0, kStart);
  EXPECT_EQ(decide(plan, state, kStart).actions, Actions({start(false, 0), start(false, 1)}));
}

TEST(PodState, ASidecarLetsTheNextStartOnceItHasStarted) {
  PodPlan plan = planWith(2, 1);
  plan.init[0].sidecar = true;
  PodState state = readyState(plan);
  run(state.init[0], kStart, false);
  EXPECT_TRUE(decide(plan, state, kStart).actions.empty());
  state.init[0].started = true;
  EXPECT_EQ(decide(plan, state, kStart).actions, Actions({start(true, 1)}));
  run(state.init[1], kStart);
  end(plan, state.init[1], 0, kStart);
  run(state.main[0], kStart);
  end(plan, state.init[0], 1, kStart);
  EXPECT_EQ(decide(plan, state, kStart).actions, Actions({start(true, 0)})) << "a sidecar is restarted beside the rest";
}

TEST(PodState, BackOffIs0Then10sDoublingTo5Minutes) {
  const PodPlan plan = planWith(0, 1);
  PodState state = readyState(plan);
  TimePoint now = kStart;
  std::vector<long> waits;
  for (int i = 0; i < 9; ++i) {
    run(state.main[0], now);
    now += 1s;
    end(plan, state.main[0], 1, now);
    waits.push_back(std::chrono::duration_cast<std::chrono::seconds>(state.main[0].backoff).count());
    const Decision d = decide(plan, state, now);
    EXPECT_EQ(d.actions.empty(), waits.back() > 0);
    now = state.main[0].retryAt;
    EXPECT_EQ(decide(plan, state, now).actions, Actions({start(false, 0)}));
  }
  EXPECT_EQ(waits, (std::vector<long>{0, 10, 20, 40, 80, 160, 300, 300, 300}));
}

TEST(PodState, TenHealthyMinutesForgetTheBackOff) {
  const PodPlan plan = planWith(0, 1);
  PodState state = readyState(plan);
  for (int i = 0; i < 4; ++i) {
    run(state.main[0], kStart);
    end(plan, state.main[0], 1, kStart + 1s);
  }
  EXPECT_EQ(state.main[0].backoff, 40s);
  run(state.main[0], kStart);
  end(plan, state.main[0], 1, kStart + 10min);
  EXPECT_EQ(state.main[0].backoff, 0s);
}

struct PhaseCase {
  RestartPolicy policy;
  std::vector<int> exits;  // -1: still running
  PodPhase phase;
};
class PodPhaseTest : public ::testing::TestWithParam<PhaseCase> {};

TEST_P(PodPhaseTest, FollowsPolicyAndExitCodes) {
  const PhaseCase& c = GetParam();
  const PodPlan plan = planWith(0, c.exits.size(), c.policy);
  PodState state = readyState(plan);
  for (std::size_t i = 0; i < c.exits.size(); ++i) {
    run(state.main[i], kStart);
    if (c.exits[i] >= 0) end(plan, state.main[i], c.exits[i], kStart + 1s);
  }
  EXPECT_STREQ(phaseName(phaseOf(plan, state)), phaseName(c.phase));
}

INSTANTIATE_TEST_SUITE_P(Table, PodPhaseTest,
                         ::testing::Values(PhaseCase{RestartPolicy::Always, {0, 0}, PodPhase::Running},
                                           PhaseCase{RestartPolicy::Never, {0, 0}, PodPhase::Succeeded},
                                           PhaseCase{RestartPolicy::Never, {0, 1}, PodPhase::Failed},
                                           PhaseCase{RestartPolicy::Never, {0, -1}, PodPhase::Running},
                                           PhaseCase{RestartPolicy::OnFailure, {0, 1}, PodPhase::Running},
                                           PhaseCase{RestartPolicy::OnFailure, {0, 0}, PodPhase::Succeeded},
                                           PhaseCase{RestartPolicy::Always, {-1, -1}, PodPhase::Running}));

TEST(PodState, AFailedInitContainerFailsAPodThatIsNeverRestarted) {
  const PodPlan plan = planWith(1, 1, RestartPolicy::Never);
  PodState state = readyState(plan);
  run(state.init[0], kStart);
  end(plan, state.init[0], 1, kStart);
  EXPECT_EQ(phaseOf(plan, state), PodPhase::Failed);
  EXPECT_TRUE(decide(plan, state, kStart).actions.empty());
}

TEST(PodState, StoppingIsSigtermThenKillThenFinishSidecarsLast) {
  PodPlan plan = planWith(1, 1);
  plan.init[0].sidecar = true;
  PodState state = readyState(plan);
  run(state.init[0], kStart);
  run(state.main[0], kStart);
  state.stopGrace = 30s;
  EXPECT_EQ(decide(plan, state, kStart).actions, Actions({{ActionKind::Stop, false, 0, 30s}}));
  state.main[0].stopping = true;
  state.main[0].granted = 30s;
  state.main[0].killAt = kStart + 30s;
  EXPECT_EQ(decide(plan, state, kStart + 1s).wakeAt, kStart + 30s);
  EXPECT_EQ(decide(plan, state, kStart + 30s).actions, Actions({{ActionKind::Kill, false, 0, 0s}}));
  end(plan, state.main[0], 137, kStart + 30s);
  EXPECT_EQ(decide(plan, state, kStart + 30s).actions, Actions({{ActionKind::Stop, true, 0, 30s}}));
  end(plan, state.init[0], 0, kStart + 31s);
  EXPECT_EQ(decide(plan, state, kStart + 31s).actions, Actions({{ActionKind::Finish, false, 0, 0s}}));
}

TEST(PodState, AShorterGraceTakesEffectAtOnce) {
  const PodPlan plan = planWith(0, 1);
  PodState state = readyState(plan);
  run(state.main[0], kStart);
  state.main[0].stopping = true;
  state.main[0].granted = 30s;
  state.main[0].killAt = kStart + 30s;
  state.stopGrace = 1s;
  EXPECT_EQ(decide(plan, state, kStart).actions, Actions({{ActionKind::Stop, false, 0, 1s}}));
}

TEST(PodState, SidecarsGetWhatIsLeftOfTheGraceAndTwoSecondsAtLeast) {
  PodPlan plan = planWith(2, 1);
  plan.init[0].sidecar = plan.init[1].sidecar = true;
  PodState state = readyState(plan);
  for (ContainerState* c : {&state.init[0], &state.init[1], &state.main[0]}) run(*c, kStart);
  state.stopGrace = 30s;
  state.stopBy = kStart + 30s;
  end(plan, state.main[0], 0, kStart + 20s);
  EXPECT_EQ(decide(plan, state, kStart + 20s).actions, Actions({{ActionKind::Stop, true, 1, 10s}})) << "the last one first";
  end(plan, state.init[1], 0, kStart + 29s);
  EXPECT_EQ(decide(plan, state, kStart + 29s).actions, Actions({{ActionKind::Stop, true, 0, 2s}}));
}

TEST(PodState, AContainerWaitsForThePostStartHookOfTheOneBefore) {
  PodPlan plan = planWith(1, 2);
  plan.init[0].sidecar = true;
  PodState state = readyState(plan);
  run(state.init[0], kStart);
  state.init[0].hookPending = true;
  EXPECT_TRUE(decide(plan, state, kStart).actions.empty());
  EXPECT_EQ(phaseOf(plan, state), PodPhase::Pending);
  state.init[0].hookPending = false;
  EXPECT_EQ(decide(plan, state, kStart).actions, Actions({start(false, 0), start(false, 1)}));
  plan.main[0].hasPostStart = true;
  EXPECT_EQ(decide(plan, state, kStart).actions, Actions({start(false, 0)}));
  run(state.main[0], kStart);
  state.main[0].hookPending = true;
  EXPECT_TRUE(decide(plan, state, kStart).actions.empty());
  state.main[0].hookPending = false;
  EXPECT_EQ(decide(plan, state, kStart).actions, Actions({start(false, 1)}));
}

TEST(PodState, APodPastItsDeadlineIsEndedAndStaysFailed) {
  const PodPlan plan = planWith(0, 1);
  PodState state = readyState(plan);
  run(state.main[0], kStart);
  state.expiresAt = kStart + 60s;
  EXPECT_EQ(decide(plan, state, kStart).wakeAt, kStart + 60s);
  EXPECT_EQ(decide(plan, state, kStart + 60s).actions, Actions({{ActionKind::Expire, false, 0, 0s}}));
  state.failure = PodFailure{"DeadlineExceeded", "m", 5s};
  EXPECT_EQ(phaseOf(plan, state), PodPhase::Failed);
  EXPECT_EQ(decide(plan, state, kStart + 60s).actions, Actions({{ActionKind::Stop, false, 0, 5s}}));
  end(plan, state.main[0], 137, kStart + 61s);
  EXPECT_TRUE(decide(plan, state, kStart + 62s).actions.empty()) << "neither restarted nor removed";
}

// Whatever containers do: the order of init containers, the restart policy and the end of a stopped pod hold.
TEST(PodState, InvariantsHoldOverRandomLives) {
  for (unsigned seed = 1; seed <= 400; ++seed) {
    std::mt19937 random(seed);
    auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
    PodPlan plan = planWith(static_cast<std::size_t>(pick(4)), static_cast<std::size_t>(1 + pick(3)),
                            static_cast<RestartPolicy>(pick(3)));
    for (ContainerPlan& c : plan.init) c.sidecar = pick(3) == 0;
    PodState state = initialState(plan);
    TimePoint now = kStart;
    bool finished = false;
    for (int step = 0; step < 200 && !finished; ++step) {
      if (step == 150) state.stopGrace = std::chrono::seconds(pick(10));
      const Decision d = decide(plan, state, now);
      const bool initialised = initDone(plan, state);
      for (const Action& a : d.actions) {
        if (a.kind == ActionKind::Setup) state.sandboxReady = true;
        if (a.kind == ActionKind::Finish) finished = true;
        if (a.kind == ActionKind::Setup || a.kind == ActionKind::Finish) continue;
        ContainerState& c = a.init ? state.init[a.index] : state.main[a.index];
        if (a.kind == ActionKind::Start) {
          ASSERT_NE(c.phase, CPhase::Running) << "seed " << seed;
          ASSERT_FALSE(state.stopGrace) << "seed " << seed;
          ASSERT_LE(c.retryAt, now) << "seed " << seed;
          if (!a.init) ASSERT_TRUE(initialised) << "seed " << seed;
          if (plan.restartPolicy == RestartPolicy::Never && !(a.init && plan.init[a.index].sidecar))
            ASSERT_EQ(c.instance, -1) << "seed " << seed;
          run(c, now, pick(2) == 0);
        }
        if (a.kind == ActionKind::Stop) {
          c.stopping = true;
          c.granted = state.stopGrace.value_or(a.grace);
          c.killAt = now + std::chrono::duration_cast<TimePoint::duration>(a.grace);
        }
        if (a.kind == ActionKind::Kill) end(plan, c, 137, now);
      }
      int plainRunning = 0;
      for (std::size_t i = 0; i < state.init.size(); ++i)
        plainRunning += !plan.init[i].sidecar && state.init[i].phase == CPhase::Running;
      ASSERT_LE(plainRunning, 1) << "seed " << seed;
      for (auto* list : {&state.init, &state.main})
        for (ContainerState& c : *list) {
          if (c.phase != CPhase::Running) continue;
          if (pick(4) == 0) c.started = c.ready = true;
          if (pick(8) == 0) c.unhealthy = true;
          if (pick(6) == 0) end(plan, c, pick(2), now);
        }
      now += std::chrono::seconds(pick(20));
    }
    EXPECT_TRUE(finished) << "seed " << seed;
  }
}

}  // namespace
}  // namespace slipway::node
