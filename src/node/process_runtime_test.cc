#include "node/process_runtime.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <fstream>

#include "base/ids.h"
#include "node/shim/launch_file.h"
#include "node/shim/memory_watch.h"
#include "node/shim_binary.h"
#include "node/testing/node_exec_entry.h"
#include "node/testing/temp_folder.h"

namespace {
__attribute__((constructor)) void entry(int argc, char** argv) {
  int code = 0;
  if (slipway::node::testing::runIfProgram(argc, argv, &code)) ::_exit(code);
}
}  // namespace

namespace slipway::node {
namespace {
using namespace std::chrono_literals;
using testing::TempFolder;

class ProcessRuntimeTest : public ::testing::Test {
 protected:
  ProcessRuntimeTest() : runtime_(io_.get_executor(), {testing::selfPath(), "node-exec"}) {}
  ~ProcessRuntimeTest() override { EXPECT_TRUE(descendants(::getpid()).empty()) << "a process was left behind"; }

  template <class T>
  T run(Task<T> task) {
    auto future = boost::asio::co_spawn(io_, std::move(task), boost::asio::use_future);
    io_.restart();
    while (future.wait_for(0s) != std::future_status::ready) io_.run_one_for(5s);
    return future.get();
  }
  Launch launch(std::vector<std::string> argv, const std::string& name = "c") {
    Launch l;
    l.id = randomHex(32);
    l.argv = std::move(argv);
    l.env = {"PATH=/usr/bin:/bin"};
    l.folder = dir_ / name;
    std::filesystem::create_directories(l.folder);
    l.logPath = dir_ / (name + ".log");
    return l;
  }
  Launch shell(const std::string& script) { return launch({"/bin/sh", "-c", script}); }
  ContainerExit runToEnd(const Launch& l) {
    auto started = run(runtime_.start(l));
    if (!started) return ContainerExit{-1, 0, "", started.error().message, {}, {}, ""};
    return run(runtime_.wait(l.id));
  }
  std::string logOf(const Launch& l) { return readWholeFile(l.logPath).value_or(""); }
  std::string makeVolume(const std::string& name) {
    std::filesystem::create_directories(dir_ / name);
    return dir_ / name;
  }

  TempFolder dir_;
  boost::asio::io_context io_;
  ProcessRuntime runtime_;
};

TEST_F(ProcessRuntimeTest, RunsAProgramAndTellsItsExitCodeAndOutput) {
  const Launch l = shell("echo hello; echo oops >&2; exit 3");
  const ContainerExit e = runToEnd(l);
  EXPECT_EQ(e.exitCode, 3);
  EXPECT_EQ(e.reason, "Error");
  const std::string log = logOf(l);
  EXPECT_NE(log.find(" stdout F hello\n"), std::string::npos) << log;
  EXPECT_NE(log.find(" stderr F oops\n"), std::string::npos) << log;
}

// A platform that is killed between the two leaves a shim that has nobody to speak to.
TEST_F(ProcessRuntimeTest, AShimThatNobodyWaitsForStartsNothingAndSaysSo) {
  const Launch l = shell("echo ran > " + (dir_ / "ran"));
  ASSERT_TRUE(writeSpec(l));
  int fds[2];
  ASSERT_EQ(::pipe(fds), 0);
  ::close(fds[0]);
  const int pid = ::fork();
  if (pid == 0) {
    ::dup2(fds[1], 3);
    const std::string self = testing::selfPath();
    ::execl(self.c_str(), self.c_str(), "node-exec", "run", l.folder.c_str(), nullptr);
    ::_exit(1);
  }
  ::close(fds[1]);
  ::waitpid(pid, nullptr, 0);
  const auto exit = readExitRecord(l.folder);
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->reason, kNeverStarted);
  EXPECT_FALSE(std::filesystem::exists(dir_ / "ran"));
}

TEST_F(ProcessRuntimeTest, SaysWhichProgramIsMissing) {
  const Launch l = launch({"no-such-program"});
  EXPECT_EQ(runToEnd(l).message, "exec: \"no-such-program\": executable file not found in $PATH");
}

TEST_F(ProcessRuntimeTest, MountsVolumesWhereAskedAndCreatesNothingOnTheHost) {
  const std::string models = makeVolume("models");
  std::ofstream(models + "/a.txt") << "weights";
  std::ofstream(dir_ / "file.txt") << "one file";
  Launch l = shell(
      "cat /mnt/models/a.txt /slipway-test-root/deep/a.txt /etc/slipway-test/f.txt; echo; touch /mnt/models/x 2>&1; "
      "touch /slipway-test-root/deep/made; echo note > /dev/termination-log; ls /etc/passwd");
  l.mounts = {{models, "/mnt/models", true},
              {models, "/slipway-test-root/deep", false},
              {dir_ / "file.txt", "/etc/slipway-test/f.txt", true}};
  const ContainerExit e = runToEnd(l);
  EXPECT_EQ(e.exitCode, 0) << logOf(l) << e.message;
  const std::string log = logOf(l);
  EXPECT_NE(log.find("weightsweightsone file"), std::string::npos) << log;
  EXPECT_NE(log.find("Read-only file system"), std::string::npos) << log;
  EXPECT_NE(log.find("/etc/passwd"), std::string::npos) << log;
  EXPECT_TRUE(std::filesystem::exists(models + "/made"));
  EXPECT_FALSE(std::filesystem::exists("/slipway-test-root"));
  EXPECT_FALSE(std::filesystem::exists("/etc/slipway-test"));
  EXPECT_EQ(readWholeFile(l.folder + "/termination-log").value_or(""), "note\n");
}

TEST_F(ProcessRuntimeTest, AMemoryHogIsOOMKilledWith137) {
  Launch l = launch({testing::selfPath(), "test-program", "hog", "200"});
  l.memoryLimit = 100 << 20;
  const ContainerExit e = runToEnd(l);
  EXPECT_EQ(e.exitCode, 137) << logOf(l) << e.message;
  EXPECT_EQ(e.reason, "OOMKilled");
}

TEST_F(ProcessRuntimeTest, TerminateThenKillEndsEvenWhatIgnoresSigterm) {
  const Launch l = shell("trap '' TERM; (setsid sleep 300 &) ; echo ready; while true; do sleep 0.05; done");
  ASSERT_TRUE(run(runtime_.start(l)));
  while (logOf(l).find("ready") == std::string::npos) ::usleep(2000);
  runtime_.terminate(l.id);
  runtime_.kill(l.id);
  const ContainerExit e = run(runtime_.wait(l.id));
  EXPECT_EQ(e.exitCode, 137);
  EXPECT_EQ(e.reason, "Error");
}

TEST_F(ProcessRuntimeTest, SigtermLetsAProgramEndByItself) {
  const Launch l = shell("trap 'echo bye; exit 7' TERM; echo ready; while true; do sleep 0.05; done");
  ASSERT_TRUE(run(runtime_.start(l)));
  while (logOf(l).find("ready") == std::string::npos) ::usleep(2000);
  runtime_.terminate(l.id);
  EXPECT_EQ(run(runtime_.wait(l.id)).exitCode, 7);
  EXPECT_NE(logOf(l).find("bye"), std::string::npos);
}

TEST_F(ProcessRuntimeTest, ExecRunsInsideTheContainersView) {
  Launch l = shell("echo inside > /mnt/models/here; echo ready; exec sleep 300");
  l.mounts = {{makeVolume("v"), "/mnt/models", false}};
  l.env.push_back("COLOUR=blue");
  ASSERT_TRUE(run(runtime_.start(l)));
  while (logOf(l).find("ready") == std::string::npos) ::usleep(2000);
  auto r = run(runtime_.exec(l.id, {"/bin/sh", "-c", "cat /mnt/models/here; echo $COLOUR; exit 4"}, 10s));
  ASSERT_TRUE(r) << r.error().message;
  EXPECT_EQ(r->output, "inside\nblue\n");
  EXPECT_EQ(r->exitCode, 4);
  auto slow = run(runtime_.exec(l.id, {"sleep", "60"}, 50ms));
  ASSERT_FALSE(slow);
  EXPECT_EQ(slow.error().code, Code::Timeout);
  auto silent = run(runtime_.exec(l.id, {"/bin/sh", "-c", "exec >&- 2>&-; sleep 60"}, 50ms));
  ASSERT_FALSE(silent) << "a command that closes its output must still be ended in time";
  EXPECT_EQ(silent.error().code, Code::Timeout);
  runtime_.kill(l.id);
  run(runtime_.wait(l.id));
}

TEST_F(ProcessRuntimeTest, LogsAreRotatedAndBounded) {
  Launch l =
      shell("i=0; while [ $i -lt 3000 ]; do echo \"line $i of a log that is longer than it may be\"; i=$((i+1)); done");
  l.logMaxBytes = 20000;
  l.logMaxFiles = 3;
  EXPECT_EQ(runToEnd(l).exitCode, 0);
  EXPECT_TRUE(std::filesystem::exists(l.logPath + ".2"));
  EXPECT_FALSE(std::filesystem::exists(l.logPath + ".3"));
  EXPECT_LE(std::filesystem::file_size(l.logPath + ".1"), 40000U);
  EXPECT_NE(logOf(l).find("line 2999 "), std::string::npos);
}

// One runs beside every container: 500 of them must fit.
TEST_F(ProcessRuntimeTest, TheStaticShimRunsContainersInTwoMegabytes) {
  const std::vector<std::string> command = installShim(dir_.path());
  ASSERT_EQ(command.size(), 1U) << "the shim that this binary carries cannot be run";
  ProcessRuntime small(io_.get_executor(), command);
  const Launch l = shell("echo hi; exec sleep 60");
  const auto started = run(small.start(l));
  ASSERT_TRUE(started) << started.error().message;
  const auto record = readShimRecord(l.folder);
  ASSERT_TRUE(record);
  const std::string maps = readWholeFile(fmt::format("/proc/{}/smaps_rollup", record->pid), 65536).value_or("");
  const std::size_t pss = maps.find("\nPss:");
  ASSERT_NE(pss, std::string::npos);
  EXPECT_LT(std::atoi(maps.c_str() + pss + 5), 2048) << "KiB";
  auto inside = run(small.exec(l.id, {"/bin/sh", "-c", "echo inside"}, 5s));
  ASSERT_TRUE(inside);
  EXPECT_EQ(inside->output, "inside\n");
  small.kill(l.id);
  EXPECT_EQ(run(small.wait(l.id)).exitCode, 137);
  EXPECT_NE(logOf(l).find("stdout F hi"), std::string::npos);
  EXPECT_EQ(installShim(dir_.path()), command) << "written once";
}

}  // namespace
}  // namespace slipway::node
