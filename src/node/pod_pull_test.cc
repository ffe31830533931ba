// Images that run with podman: a script in podman's place notes how it is called.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "node/shim/launch_file.h"
#include "node/testing/agent_fixture.h"

namespace slipway::node {
namespace {
using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;
namespace fs = std::filesystem;

class PodPull : public testing::AgentFixture {
 protected:
  void SetUp() override {
    fs::create_directories(bin_ / "bin");
    std::ofstream(bin_ / "bin/podman") << fmt::format(R"(#!/bin/sh
cd {}
echo "$@" >> calls
case "$1 $2" in
  "image exists") [ -e present ] ;;
  "image inspect") cat user ;;
  "pull -q")
    if [ -e broken ]; then echo "Error: unauthorized" >&2; exit 125; fi
    touch present; for last; do :; done; cp "$4" auth 2>/dev/null; echo sha256:1 ;;
  "run --rm") exec sleep 300 ;;
  "exec -i") shift 3; exec "$@" ;;
esac
)",
                                                      bin_.path());
    fs::permissions(bin_ / "bin/podman", fs::perms::all);
    note("user", "1000\n");
    path_ = std::getenv("PATH");
    ::setenv("PATH", (bin_ / "bin" + ":" + path_).c_str(), 1);
    AgentFixture::SetUp();
  }
  void TearDown() override {
    AgentFixture::TearDown();
    ::setenv("PATH", path_.c_str(), 1);
  }
  void note(const std::string& name, const std::string& text) { std::ofstream(bin_ / name) << text; }
  std::string calls() const { return readWholeFile(bin_ / "calls").value_or(""); }
  Json container(Json more = Json::object()) {
    Json c = {{"name", "main"}, {"image", "registry.example/app:1"}, {"imagePullPolicy", "IfNotPresent"}};
    c.update(more);
    return c;
  }
  std::string waiting(const char* field) { return textAt(at(containerStatus("p"), "state", "waiting"), field); }

  testing::TempFolder bin_;
  std::string path_;
};

TEST_F(PodPull, AnAbsentImageIsPulledWithThePodsSecretsAndRun) {
  // {"auths":{"registry.example":{"auth":"YTpi"}}}
  api_.put({{"apiVersion", "v1"},
            {"kind", "Secret"},
            {"metadata", {{"name", "pull"}, {"namespace", "ns"}}},
            {"data", {{".dockerconfigjson", "eyJhdXRocyI6eyJyZWdpc3RyeS5leGFtcGxlIjp7ImF1dGgiOiJZVHBpIn19fQ=="}}}});
  create("p", {{"imagePullSecrets", Json::array({{{"name", "pull"}}})}, {"containers", Json::array({container()})}});
  const auto ran = [&] { return calls().find("run --rm --replace --pull=never --name slipway-") != std::string::npos; };
  ASSERT_TRUE(loop_.until([&] { return ready("p") && ran(); })) << pod("p").dump(1) << calls();
  EXPECT_THAT(calls(), HasSubstr("image exists registry.example/app:1\npull -q --authfile "));
  EXPECT_EQ(readWholeFile(bin_ / "auth").value_or(""), R"({"auths":{"registry.example":{"auth":"YTpi"}}})");
  EXPECT_TRUE(loop_.until([&] { return hasEvent("Pulled", "Successfully pulled image \"registry.example/app:1\" in "); }));
  for (const auto& entry : fs::recursive_directory_iterator(dir_.path()))
    EXPECT_NE(entry.path().filename(), "auth.json") << "the secret goes with the pull";
}

TEST_F(PodPull, APresentImageIsPulledAgainOnlyWhenThePolicyIsAlways) {
  note("present", "");
  create("p", {{"containers", Json::array({container()})}});
  ASSERT_TRUE(loop_.until([&] { return ready("p"); })) << pod("p").dump(1);
  EXPECT_THAT(calls(), Not(HasSubstr("pull -q")));
  create("q", {{"containers", Json::array({container({{"imagePullPolicy", "Always"}})})}});
  ASSERT_TRUE(loop_.until([&] { return ready("q"); })) << pod("q").dump(1);
  EXPECT_THAT(calls(), HasSubstr("pull -q registry.example/app:1"));
}

TEST_F(PodPull, AFailedPullSaysWhyBacksOffAndGoesOnWhenItWorks) {
  note("broken", "");
  create("p", {{"containers", Json::array({container()})}});
  ASSERT_TRUE(loop_.until([&] { return waiting("reason") == "ImagePullBackOff"; })) << pod("p").dump(1);
  EXPECT_EQ(waiting("message"), "Error: unauthorized");
  EXPECT_TRUE(loop_.until(
      [&] { return hasEvent("Failed", "Failed to pull image \"registry.example/app:1\": Error: unauthorized"); }));
  fs::remove(bin_ / "broken");
  EXPECT_TRUE(loop_.until([&] { return ready("p"); })) << pod("p").dump(1);
}

TEST_F(PodPull, NeverMeansNever) {
  create("p", {{"containers", Json::array({container({{"imagePullPolicy", "Never"}})})}});
  ASSERT_TRUE(loop_.until([&] { return waiting("message") != ""; }));
  EXPECT_EQ(waiting("message"), "Container image \"registry.example/app:1\" is not present with pull policy of Never");
  EXPECT_THAT(calls(), Not(HasSubstr("pull -q")));
}

TEST_F(PodPull, ProbesRunInsideTheImageAndItsRootUserIsHeldToThePolicy) {
  note("present", "");
  const Json probe = {{"exec", {{"command", {"touch", bin_ / "probed"}}}}};
  create("p", {{"containers", Json::array({container({{"readinessProbe", probe}})})}});
  ASSERT_TRUE(loop_.until([&] { return ready("p"); })) << pod("p").dump(1);
  EXPECT_THAT(calls(), HasSubstr("exec -i slipway-"));
  EXPECT_TRUE(fs::exists(bin_ / "probed"));
  remove("p", 0);
  ASSERT_TRUE(loop_.until([&] { return pod("p").is_null(); }));
  note("user", "\n");
  create("p", {{"securityContext", {{"runAsNonRoot", true}}}, {"containers", Json::array({container()})}});
  ASSERT_TRUE(loop_.until([&] { return waiting("reason") == "CreateContainerConfigError"; })) << pod("p").dump(1);
  EXPECT_THAT(waiting("message"), HasSubstr("container has runAsNonRoot and image will run as root"));
}

TEST_F(PodPull, ThePodsEndEndsAPullThatHangs) {
  std::ofstream(bin_ / "bin/podman") << "#!/bin/sh\n[ \"$1\" = pull ] && exec sleep 300\nexit 1\n";
  create("p", {{"containers", Json::array({container()})}});
  ASSERT_TRUE(loop_.until([&] { return descendants(::getpid()).size() >= 2; }));
  remove("p", 0);
  EXPECT_TRUE(loop_.until([&] { return pod("p").is_null() && descendants(::getpid()).empty(); }));
}

}  // namespace
}  // namespace slipway::node
