// exec and attach with real processes: streams, exit codes, terminals, and what is left when a client goes.
#include "node/process_session.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <fstream>

#include "base/ids.h"
#include "node/loopback.h"
#include "node/process_runtime.h"
#include "node/shim/launch_file.h"
#include "node/shim/memory_watch.h"
#include "node/testing/node_exec_entry.h"
#include "node/testing/temp_folder.h"
#include "node/usage.h"

namespace slipway::node {
namespace {
using namespace std::chrono_literals;
using kube::ProcessSession;
using kube::SessionOptions;

struct Outcome {
  int code = -1;
  std::string out, err, failure;
};

Task<void> gather(net::ByteStream* from, std::string* into) {
  if (from == nullptr) co_return;
  std::string buffer(65536, '\0');
  for (;;) {
    const auto n = co_await from->read(buffer);
    if (!n || *n == 0) co_return;
    into->append(buffer, 0, *n);
  }
}

Task<Outcome> finish(std::unique_ptr<ProcessSession> session, std::string input) {
  using namespace boost::asio::experimental::awaitable_operators;
  Outcome outcome;
  if (session->in() != nullptr) {
    auto written = co_await session->in()->write(input);
    (void)written;
    session->in()->shutdownWrite();
  }
  auto code = co_await (session->wait() && gather(session->out(), &outcome.out) && gather(session->err(), &outcome.err));
  outcome.code = code.value_or(-1);
  co_return outcome;
}

Task<Outcome> runSession(Executor executor, std::string folder, SessionOptions options, std::string input) {
  auto session = co_await openSession(executor, folder, std::move(options));
  if (!session) co_return Outcome{-1, "", "", session.error().message};
  auto outcome = co_await finish(std::move(*session), std::move(input));
  co_return outcome;
}

class ProcessSessionTest : public ::testing::Test {
 protected:
  ProcessSessionTest() : runtime_(io_.get_executor(), {testing::selfPath(), "node-exec"}) {}
  ~ProcessSessionTest() override {
    stop();
    EXPECT_TRUE(descendants(::getpid()).empty()) << "a process was left behind";
  }
  void stop() {
    if (launch_.id.empty()) return;
    runtime_.kill(launch_.id);
    exit_ = run(runtime_.wait(launch_.id));
    launch_.id.clear();
  }
  template <class T>
  T run(Task<T> task) {
    auto future = boost::asio::co_spawn(io_, std::move(task), boost::asio::use_future);
    io_.restart();
    while (future.wait_for(0s) != std::future_status::ready) io_.run_one_for(5s);
    return future.get();
  }
  bool eventually(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + 10s;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      io_.restart();
      io_.run_for(5ms);
    }
    return true;
  }
  void start(const std::string& script, const std::function<void(Launch&)>& change = {}) {
    launch_.id = randomHex(32);
    launch_.argv = {"/bin/sh", "-c", script};
    launch_.env = {"PATH=/usr/bin:/bin", "OWN=container"};
    launch_.folder = dir_ / std::string(60, 'c');  // longer than a socket's path may be
    std::filesystem::create_directories(launch_.folder);
    launch_.logPath = dir_ / "c.log";
    std::filesystem::create_directories(dir_ / "volume");
    launch_.mounts = {{dir_ / "volume", "/mnt/volume", false}};
    launch_.workingDir = "/mnt/volume";
    if (change) change(launch_);
    const auto started = run(runtime_.start(launch_));
    ASSERT_TRUE(started) << started.error().message;
  }
  static SessionOptions exec(std::vector<std::string> command) {
    SessionOptions options;
    options.command = std::move(command);
    options.stdout_ = options.stderr_ = true;
    return options;
  }
  static SessionOptions shell(const std::string& script) { return exec({"/bin/sh", "-c", script}); }
  Outcome session(SessionOptions options, std::string input = "") {
    return run(runSession(io_.get_executor(), launch_.folder, std::move(options), std::move(input)));
  }
  std::unique_ptr<ProcessSession> open(SessionOptions options) {
    auto session = run(openSession(io_.get_executor(), launch_.folder, std::move(options)));
    EXPECT_TRUE(session) << session.error().message;
    return session ? std::move(*session) : nullptr;
  }
  bool logHas(const std::string& text) {
    return readWholeFile(launch_.logPath).value_or("").find(text) != std::string::npos;
  }

  testing::TempFolder dir_;
  boost::asio::io_context io_;
  ProcessRuntime runtime_;
  Launch launch_;
  ContainerExit exit_;
};

TEST_F(ProcessSessionTest, ExecRunsInTheContainersFilesEnvironmentAndFolder) {
  start("sleep 100");
  const Outcome o = session(shell("pwd; echo $OWN; echo oops >&2; touch here; exit 7"));
  EXPECT_EQ(o.code, 7) << o.failure;
  EXPECT_EQ(o.out, "/mnt/volume\ncontainer\n");
  EXPECT_EQ(o.err, "oops\n");
  EXPECT_TRUE(std::filesystem::exists(dir_ / "volume/here"));
}

TEST_F(ProcessSessionTest, ExecIsInsideTheContainersLimits) {
  start("sleep 100", [](Launch& l) { l.memoryLimit = 64 << 20; });
  if (readShimRecord(launch_.folder)->cgroup.empty()) GTEST_SKIP() << "no writable cgroup on this machine";
  const Outcome o = session(shell("cat /proc/self/cgroup"));
  EXPECT_NE(o.out.find("slipway/" + launch_.id), std::string::npos) << o.out;
}

TEST_F(ProcessSessionTest, ExecReadsItsInputToTheEnd) {
  start("sleep 100");
  SessionOptions options = exec({"wc", "-c"});
  options.stdin_ = true;
  EXPECT_EQ(session(options, std::string(3 << 20, 'x')).out, "3145728\n");
}

TEST_F(ProcessSessionTest, ExecIsTheContainersUserAndItsStreamsAreToo) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root starts programs as somebody else";
  start("echo by name > /dev/stdout; sleep 100", [](Launch& l) { l.security.user = l.security.group = 65534; });
  EXPECT_TRUE(eventually([&] { return logHas("F by name\n"); }));
  EXPECT_EQ(session(shell("id -u; echo more > /dev/stdout")).out, "65534\nmore\n");
  SessionOptions options = shell("echo typed > $(tty)");
  options.tty = options.stdin_ = true;
  options.stderr_ = false;
  EXPECT_NE(session(options).out.find("typed"), std::string::npos);
}

TEST_F(ProcessSessionTest, ExecTellsSignalsAndWhatCannotBeStarted) {
  start("sleep 100");
  EXPECT_EQ(session(shell("kill -9 $$")).code, 137);
  EXPECT_EQ(session(exec({"no-such-program"})).failure, "exec: \"no-such-program\": executable file not found in $PATH");
  EXPECT_EQ(session(exec({"/etc/passwd"})).failure, "exec: \"/etc/passwd\": permission denied");
}

TEST_F(ProcessSessionTest, ExecWithATerminalHasSizesAndAControllingTerminal) {
  start("sleep 100");
  SessionOptions options =
      shell("stty size; tty; test -t 0 && test -t 1 && echo $TERM > /dev/tty; read line; stty size; echo got $line");
  options.tty = options.stdin_ = true;
  options.stderr_ = false;
  auto session = open(options);
  ASSERT_TRUE(session);
  session->resize({120, 40});
  EXPECT_EQ(session->err(), nullptr);
  const Outcome o = run(finish(std::move(session), "hello\n"));
  EXPECT_EQ(o.code, 0);
  EXPECT_NE(o.out.find("40 120"), std::string::npos) << o.out;
  EXPECT_NE(o.out.find("/dev/pts/"), std::string::npos) << o.out;
  EXPECT_NE(o.out.find("xterm"), std::string::npos) << o.out;
  EXPECT_NE(o.out.find("got hello"), std::string::npos) << o.out;
}

// How many processes below this one run exactly these words. Counting by name, since others come and go on their own.
std::size_t running(const std::string& words) {
  std::string wanted = words + " ";
  std::replace(wanted.begin(), wanted.end(), ' ', '\0');
  const auto all = descendants(::getpid());
  return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [&](int pid) {
    return readWholeFile("/proc/" + std::to_string(pid) + "/cmdline").value_or("") == wanted;
  }));
}

TEST_F(ProcessSessionTest, AClientThatGoesTakesItsProcessesAlong) {
  start("sleep 100");
  auto session = open(shell("sleep 98 & setsid sleep 99 & wait"));
  ASSERT_TRUE(session);
  EXPECT_TRUE(eventually([&] { return running("sleep 98") == 1 && running("sleep 99") == 1; }));
  session.reset();
  EXPECT_TRUE(eventually([&] { return running("sleep 98") == 0 && running("sleep 99") == 0; }));
}

TEST_F(ProcessSessionTest, WhatAnEndedCommandLeavesBehindStaysAndDoesNotHoldTheSession) {
  start("sleep 100");
  EXPECT_EQ(session(shell("sleep 97 & echo started")).out, "started\n");
  EXPECT_TRUE(eventually([&] { return running("sleep 97") == 1; }));
  stop();  // and ends with the container
  EXPECT_TRUE(descendants(::getpid()).empty());
}

TEST_F(ProcessSessionTest, TheContainersEndEndsItsSessions) {
  start("sleep 100");
  auto session = open(shell("sleep 96"));
  ASSERT_TRUE(session);
  stop();
  EXPECT_EQ(run(finish(std::move(session), "")).code, 137);
}

TEST_F(ProcessSessionTest, AttachSeesOutputFromNowOnAndTheEnd) {
  start("read line; echo got $line; echo bad >&2", [](Launch& l) { l.openStdin = l.stdinOnce = true; });
  SessionOptions options;
  options.stdin_ = options.stdout_ = options.stderr_ = true;
  const Outcome o = session(options, "question\n");
  EXPECT_EQ(o.code, 0);
  EXPECT_EQ(o.out, "got question\n");
  EXPECT_EQ(o.err, "bad\n");
  EXPECT_TRUE(logHas("stdout F got question\n"));
}

TEST_F(ProcessSessionTest, StdinOnceEndsTheProgramsInputWithTheFirstClient) {
  start("cat; echo end", [](Launch& l) { l.openStdin = l.stdinOnce = true; });
  SessionOptions options;
  options.stdin_ = options.stdout_ = true;
  EXPECT_EQ(session(options, "a\nb\n").out, "a\nb\nend\n");
}

TEST_F(ProcessSessionTest, WithoutStdinOnceTheInputStaysOpenForTheNextClient) {
  start("while read line; do echo got $line; done", [](Launch& l) { l.openStdin = true; });
  for (const char* line : {"one", "two"}) {
    SessionOptions options;
    options.stdin_ = options.stdout_ = true;
    auto session = open(options);
    ASSERT_TRUE(session);
    auto written = run(session->in()->write(std::string(line) + "\n"));
    EXPECT_TRUE(written);
    EXPECT_TRUE(eventually([&] { return logHas(std::string("got ") + line); }));
  }
}

TEST_F(ProcessSessionTest, AProgramWithATerminalIsAttachedAsOne) {
  start("stty size; read line; stty size; echo got $line", [](Launch& l) { l.openStdin = l.tty = true; });
  SessionOptions options;
  options.stdin_ = options.stdout_ = options.tty = true;
  auto session = open(options);
  ASSERT_TRUE(session);
  session->resize({100, 30});
  auto written = run(session->in()->write("hello\n"));
  EXPECT_TRUE(written);
  std::string out;
  run([](ProcessSession* s, std::string* o) -> Task<bool> {
    co_await gather(s->out(), o);
    co_return true;
  }(session.get(), &out));
  EXPECT_NE(out.find("30 100"), std::string::npos) << out;
  EXPECT_NE(out.find("got hello"), std::string::npos) << out;
}

TEST_F(ProcessSessionTest, AnAttachedClientThatDoesNotReadHoldsTheProgramBackOnlyForAWhile) {
  start("for i in $(seq 40000); do echo line $i; done; echo done", {});
  SessionOptions options;
  options.stdout_ = true;
  auto session = open(options);
  ASSERT_TRUE(session);
  EXPECT_TRUE(eventually([&] { return logHas("F done\n"); }));
}

TEST_F(ProcessSessionTest, MoreSessionsThanTheLimitAreRefused) {
  start("sleep 100");
  std::vector<std::unique_ptr<ProcessSession>> open_;
  for (int i = 0; i < 64; ++i) open_.push_back(open(exec({"sleep", "95"})));
  EXPECT_EQ(session(exec({"true"})).failure, "too many sessions in this container at once");
  open_.clear();
  EXPECT_TRUE(eventually([&] { return session(exec({"true"})).code == 0; }));
}

TEST_F(ProcessSessionTest, ThereIsNoSessionWithWhatDoesNotRun) {
  std::filesystem::create_directories(dir_ / "nothing");
  const auto none = run(openSession(io_.get_executor(), dir_ / "nothing", exec({"true"})));
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::NotFound);
}

TEST_F(ProcessSessionTest, UsageIsMeasuredWithAndWithoutACgroup) {
  for (const std::int64_t limit : {std::int64_t{0}, std::int64_t{256} << 20}) {
    start("i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo done; sleep 100",
          [limit](Launch& l) { l.memoryLimit = limit; });
    ASSERT_TRUE(eventually([&] { return logHas("F done\n"); }));
    const auto counters = containerCounters(launch_.folder);
    ASSERT_TRUE(counters);
    EXPECT_GT(counters->cpuNanos, 10'000'000) << limit;
    EXPECT_GT(counters->memoryBytes, 100 << 10) << limit;
    EXPECT_LT(counters->memoryBytes, 200 << 20) << limit;
    stop();
    std::filesystem::remove(launch_.logPath);
  }
  EXPECT_FALSE(containerCounters(launch_.folder));
}

TEST(UsageMeter, RatesAreOverTheLastTwoSamplesAndAFirstOneCountsFromTheStart) {
  UsageMeter meter;
  const TimePoint start{1000s};
  meter.add("a", {2'000'000'000, 50}, start + 4s, start);
  EXPECT_EQ(meter.rate("a")->cpuNanosPerSecond, 500'000'000);
  meter.add("a", {9'000'000'000, 70}, start + 4500ms);  // too close
  EXPECT_EQ(meter.rate("a")->memoryBytes, 50);
  meter.add("a", {3'000'000'000, 60}, start + 6s);
  EXPECT_EQ(meter.rate("a")->cpuNanosPerSecond, 500'000'000);
  EXPECT_EQ(meter.rate("a")->memoryBytes, 60);
  EXPECT_EQ(meter.rate("a")->window, 2s);
  meter.add("a", {100, 60}, start + 8s);  // counters that went back never give a negative rate
  EXPECT_GE(meter.rate("a")->cpuNanosPerSecond, 0);
  meter.add("b", {1, 1}, start);
  EXPECT_FALSE(meter.rate("b"));
  meter.keepOnly({{"b", true}});
  EXPECT_EQ(meter.size(), 1u);
  EXPECT_GT(machineCounters().cpuNanos, 0);
  EXPECT_GT(machineCounters().memoryBytes, 0);
}

}  // namespace
}  // namespace slipway::node
