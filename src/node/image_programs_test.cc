#include "node/image_programs.h"

#include <gtest/gtest.h>

#include "node/podman.h"

namespace slipway::node {
namespace {

using Words = std::vector<std::string>;

TEST(ImagePrograms, KnowsTheServingRuntimesByAnyRegistryAndTag) {
  const ImagePrograms images = ImagePrograms::defaults();
  for (const char* image :
       {"kserve/sklearnserver:v0.15.0", "docker.io/kserve/sklearnserver", "kserve/sklearnserver@sha256:abc",
        "kserve/xgbserver:latest", "kserve/lgbserver:latest", "slipway/catboostserver:latest", "kserve/predictiveserver"})
    EXPECT_EQ(images.find(image), (Words{"slipway", "model-server"})) << image;
  EXPECT_EQ(images.find("kserve/storage-initializer:latest"), (Words{"slipway", "storage-init"}));
  EXPECT_FALSE(images.find("nginx:latest"));
}

TEST(ImagePrograms, TheConfigMapWinsAndItsMistakesAreNamed) {
  std::vector<std::string> warnings;
  const Json cm = {{"data", {{"images", "# mine\n*sklearnserver:* = /usr/bin/my-server --x 'a b'\nnonsense\n"}}}};
  const ImagePrograms images = ImagePrograms::fromConfigMap(cm, &warnings);
  EXPECT_EQ(images.find("kserve/sklearnserver:latest"), (Words{"/usr/bin/my-server", "--x", "a b"}));
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_NE(warnings[0].find("data.images line 3"), std::string::npos) << warnings[0];
}

TEST(ImagePrograms, ChoosesProgramCommandPodmanOrSaysWhatIsMissing) {
  const ImagePrograms images = ImagePrograms::defaults();
  const Json known = {{"name", "c"}, {"image", "kserve/sklearnserver:latest"}, {"args", {"--model_name=iris"}}};
  EXPECT_EQ(programFor(known, images, "/self", false)->argv, (Words{"/self", "model-server", "--model_name=iris"}));
  const Json local = {{"name", "c"}, {"image", "local"}, {"command", {"sh", "-c"}}, {"args", {"true"}}};
  EXPECT_EQ(programFor(local, images, "/self", false)->argv, (Words{"sh", "-c", "true"}));
  const Json foreign = {{"name", "c"}, {"image", "nginx"}};
  EXPECT_TRUE(programFor(foreign, images, "/self", true)->podman);
  EXPECT_EQ(programFor(foreign, images, "/self", false).error().message,
            "image \"nginx\" has no local program: add it to ConfigMap kserve/slipway-images or install podman");
  EXPECT_EQ(programFor({{"name", "c"}, {"image", "local"}}, images, "/self", true).error().code, Code::Invalid);
}

TEST(ImagePrograms, PodmanGetsVolumesLimitsAndNoSecretValues) {
  Launch l;
  l.id = std::string(64, 'a');
  l.folder = "/d";
  l.env = {"TOKEN=secret", "PATH=/bin"};
  l.mounts = {{"/src", "/mnt/models", true}};
  l.memoryLimit = 1 << 20;
  l.cpuMillis = 1500;
  const Json c = {{"image", "nginx"}, {"command", {"sh"}}, {"args", {"-c", "echo $(TOKEN)"}}};
  const Launch p = podmanLaunch(l, c, {{"TOKEN", "secret"}});
  std::string all;
  for (const std::string& a : p.argv) all += a + "|";
  for (const char* part : {"--volume|/src:/mnt/models:ro|", "--memory|1048576|", "--cpus|1.500|", "--env|TOKEN|",
                           "--entrypoint|[\"sh\"]|nginx|-c|"})
    EXPECT_NE(all.find(part), std::string::npos) << all;
  EXPECT_EQ(all.find("TOKEN=secret"), std::string::npos);
  EXPECT_TRUE(p.mounts.empty());
}

TEST(ImagePrograms, PodmanGetsTheSecurityContextAndExecGoesThroughIt) {
  Launch l;
  l.podUid = "u";
  l.container = "c";
  l.security.user = 7;
  l.security.groups = {8};
  l.security.readOnlyRoot = l.security.noNewPrivileges = true;
  const Json c = {{"image", "nginx"}, {"securityContext", {{"capabilities", {{"drop", {"ALL"}}, {"add", {"NET_ADMIN"}}}}}}};
  const Launch p = podmanLaunch(l, c, {});
  std::string all;
  for (const std::string& a : p.argv) all += a + "|";
  for (const char* part : {"--name|slipway-u-c|", "--user|7:0|", "--group-add|8|", "--read-only|",
                           "--security-opt|no-new-privileges|", "--cap-drop|ALL|", "--cap-add|NET_ADMIN|", "--pull=never|"})
    EXPECT_NE(all.find(part), std::string::npos) << part << " in " << all;
  EXPECT_EQ(p.security, Security{}) << "podman itself is not confined";
  EXPECT_EQ(p.execPrefix, (std::vector<std::string>{"podman", "exec", "-i", "slipway-u-c"}));
  EXPECT_FALSE(p.privateFiles);
}

TEST(ImagePrograms, PullSecretsBecomeOneAuthFile) {
  // {"auths":{"r.example":{"auth":"YTpi"}}} and {"old.example":{"auth":"Yzpk"}}
  const Json a = {{"data", {{".dockerconfigjson", "eyJhdXRocyI6eyJyLmV4YW1wbGUiOnsiYXV0aCI6IllUcGkifX19"}}}};
  const Json b = {{"data", {{".dockercfg", "eyJvbGQuZXhhbXBsZSI6eyJhdXRoIjoiWXpwayJ9fQ=="}}}};
  EXPECT_EQ(authFileText({a, b, Json()}), R"({"auths":{"old.example":{"auth":"Yzpk"},"r.example":{"auth":"YTpi"}}})");
  EXPECT_EQ(authFileText({{{"data", {{"x", "eA=="}}}}}), "");
}

TEST(ImagePrograms, APullsOutputTellsTheImagesUserOrWhatWentWrong) {
  EXPECT_EQ(imageUserIn("sha256:abc\nuser=1000\n"), "1000");
  EXPECT_EQ(imageUserIn("user=\n"), "");
  EXPECT_FALSE(imageUserIn("nouser=x\n"));
  const Json never = {{"image", "i"}, {"imagePullPolicy", "Never"}};
  EXPECT_EQ(pullFailure(never, ""), "Container image \"i\" is not present with pull policy of Never");
  EXPECT_EQ(pullFailure({{"image", "i"}}, "Trying\nError: unauthorized\n"), "Error: unauthorized");
}

TEST(ImagePrograms, GlobsMatchAnyRun) {
  EXPECT_TRUE(globMatches("*a*b", "xxaxxab"));
  EXPECT_FALSE(globMatches("*a*b", "xxaxxabc"));
  EXPECT_TRUE(globMatches("", ""));
  EXPECT_TRUE(globMatches("***", "x"));
}

}  // namespace
}  // namespace slipway::node
