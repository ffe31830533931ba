#include "node/volumes.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "node/shim/launch_file.h"
#include "node/shim/mount_namespace.h"
#include "node/testing/temp_folder.h"

namespace slipway::node {
namespace {
namespace fs = std::filesystem;
using testing::TempFolder;

class VolumesTest : public ::testing::Test {
 protected:
  Result<VolumePlaces> setUp(Json volumes) {
    pod_["spec"]["volumes"] = std::move(volumes);
    return setUpVolumes({pod_, refs_, facts_, dir_ / "volumes", tokens_});
  }
  std::string text(const std::string& path) { return readWholeFile(dir_ / ("volumes/" + path)).value_or("(none)"); }
  int mode(const std::string& path) {
    struct stat info{};
    return ::stat((dir_ / ("volumes/" + path)).c_str(), &info) == 0 ? static_cast<int>(info.st_mode & 0777) : -1;
  }
  TempFolder dir_;
  Json pod_ = {{"metadata", {{"name", "p"}, {"namespace", "ns"}, {"labels", {{"a", "b"}}}}},
               {"spec", {{"containers", Json::array()}}}};
  References refs_;
  std::map<std::string, std::string> tokens_;
  PodFacts facts_{"127.20.0.2", "127.0.0.1", "n", 1000, 1 << 30};
};

TEST_F(VolumesTest, SecretsAndConfigMapsBecomeFilesWithTheirModes) {
  refs_.secrets["s"] = {{"data", {{"token", "aGk="}, {"other", "eA=="}}}};
  refs_.configMaps["c"] = {{"data", {{"k", "v"}}}, {"binaryData", {{"bin", "AAE="}}}};
  const auto places = setUp(Json::array(
      {{{"name", "s"},
        {"secret",
         {{"secretName", "s"}, {"defaultMode", 0400}, {"items", Json::array({{{"key", "token"}, {"path", "a/b"}}})}}}},
       {{"name", "c"}, {"configMap", {{"name", "c"}}}}}));
  ASSERT_TRUE(places) << places.error().message;
  EXPECT_EQ(text("s/a/b"), "hi");
  EXPECT_EQ(mode("s/a/b"), 0400);
  EXPECT_EQ(text("s/other"), "(none)");
  EXPECT_EQ(text("c/k"), "v");
  EXPECT_EQ(mode("c/k"), 0644);
  EXPECT_EQ(text("c/bin"), std::string("\0\1", 2));
  EXPECT_TRUE(places->at("s").readOnly);
}

TEST_F(VolumesTest, AnUpdateSwapsAllFilesInOneStep) {
  refs_.configMaps["c"] = {{"data", {{"a", "1"}, {"b", "1"}}}};
  const Json volumes = Json::array({{{"name", "c"}, {"configMap", {{"name", "c"}}}}});
  ASSERT_TRUE(setUp(volumes));
  const fs::path before = fs::read_symlink(dir_ / "volumes/c/..data");
  ASSERT_TRUE(setUp(volumes));
  EXPECT_EQ(fs::read_symlink(dir_ / "volumes/c/..data"), before) << "the same content is not written again";
  refs_.configMaps["c"] = {{"data", {{"a", "2"}, {"c", "2"}}}};
  ASSERT_TRUE(setUp(volumes));
  EXPECT_NE(fs::read_symlink(dir_ / "volumes/c/..data"), before);
  EXPECT_EQ(text("c/a"), "2");
  EXPECT_EQ(text("c/c"), "2");
  EXPECT_EQ(text("c/b"), "(none)");
  EXPECT_FALSE(fs::exists((dir_ / "volumes/c/") + before.string()));
}

TEST_F(VolumesTest, ProjectedVolumesJoinTheirSources) {
  refs_.configMaps["c"] = {{"data", {{"k", "v"}}}};
  const Json sources = Json::array(
      {{{"configMap", {{"name", "c"}}}},
       {{"downwardAPI", {{"items", Json::array({{{"path", "labels"}, {"fieldRef", {{"fieldPath", "metadata.labels"}}}}})}}}},
       {{"configMap", {{"name", "kube-root-ca.crt"}}}},
       {{"serviceAccountToken", {{"path", "token"}}}}});
  const Json volumes = Json::array({{{"name", "p"}, {"projected", {{"sources", sources}, {"defaultMode", 0640}}}}});
  EXPECT_EQ(setUp(volumes).error().message,
            "MountVolume.SetUp failed for volume \"p\" : configmap \"kube-root-ca.crt\" not found");
  refs_.configMaps["kube-root-ca.crt"] = {{"data", {{"ca.crt", "authority"}}}};
  EXPECT_EQ(setUp(volumes).error().message,
            "MountVolume.SetUp failed for volume \"p\" : no token for the pod's ServiceAccount (token)");
  tokens_["p/token"] = "signed";
  ASSERT_TRUE(setUp(volumes));
  EXPECT_EQ(text("p/k"), "v");
  EXPECT_EQ(text("p/labels"), "a=\"b\"");
  EXPECT_EQ(text("p/token"), "signed");
  EXPECT_EQ(text("p/ca.crt"), "authority");
  EXPECT_EQ(mode("p/token"), 0640);
}

TEST_F(VolumesTest, RefusesWithTheKubeletsWords) {
  refs_.claims["pvc"] = {{"spec", Json::object()}};
  const std::pair<Json, std::string> cases[] = {
      {{{"name", "v"}, {"secret", {{"secretName", "s"}}}},
       "MountVolume.SetUp failed for volume \"v\" : secret \"s\" not found"},
      {{{"name", "v"}, {"persistentVolumeClaim", {{"claimName", "pvc"}}}},
       "MountVolume.SetUp failed for volume \"v\" : persistentvolumeclaim \"pvc\" is not bound to a volume yet"},
      {{{"name", "v"}, {"persistentVolumeClaim", {{"claimName", "no"}}}},
       "MountVolume.SetUp failed for volume \"v\" : persistentvolumeclaim \"no\" not found"},
      {{{"name", "v"}, {"hostPath", {{"path", "/no/such"}, {"type", "Directory"}}}},
       "MountVolume.SetUp failed for volume \"v\" : hostPath type check failed: /no/such is not a directory"}};
  for (const auto& [volume, message] : cases) {
    const auto r = setUp(Json::array({volume}));
    ASSERT_FALSE(r) << message;
    EXPECT_EQ(r.error().message, message);
  }
  EXPECT_NE(setUp(Json::array({{{"name", "v"}, {"nfs", {{"server", "x"}}}}})).error().message.find("type nfs"),
            std::string::npos);
}

TEST_F(VolumesTest, ClaimsMountTheFolderOfTheirVolume) {
  refs_.claims["pvc"] = {{"spec", {{"volumeName", "pv"}}}};
  refs_.volumes["pv"] = {{"spec", {{"hostPath", {{"path", dir_ / "claim"}}}}}};
  const auto places = setUp(Json::array({{{"name", "v"}, {"persistentVolumeClaim", {{"claimName", "pvc"}}}}}));
  ASSERT_TRUE(places);
  EXPECT_EQ(places->at("v").path, dir_ / "claim");
  EXPECT_TRUE(fs::is_directory(dir_ / "claim"));
}

TEST_F(VolumesTest, SubPathsStayInsideTheVolume) {
  const auto places = setUp(Json::array({{{"name", "v"}, {"emptyDir", Json::object()}}}));
  ASSERT_TRUE(places);
  fs::create_symlink("/etc", dir_ / "volumes/v/out");
  auto mounts = [&](const std::string& sub) {
    const Json c = {{"name", "c"},
                    {"volumeMounts", Json::array({{{"name", "v"}, {"mountPath", "/mnt/x/"}, {"subPath", sub}}})}};
    return mountsOf(c, *places, {});
  };
  const auto good = mounts("a/b");
  ASSERT_TRUE(good) << good.error().message;
  EXPECT_EQ((*good)[0].source, fs::canonical(dir_ / "volumes/v/a/b").string());
  EXPECT_EQ((*good)[0].target, "/mnt/x");
  for (const char* bad : {"../x", "/etc", "out", "a/../../x"}) EXPECT_FALSE(mounts(bad)) << bad;
}

TEST(SubstituteMounts, ReplacesPathsAtTheirBordersLongestFirst) {
  Launch l;
  l.mounts = {{"/data/m", "/mnt/models", false}, {"/data/sub", "/mnt/models/sub", false}};
  l.argv = {"server",       "--model_dir=/mnt/models", "/mnt/models/sub/x",
            "/mnt/modelsX", "/other/mnt/models",       "s3://b/mnt/models"};
  l.env = {"DIRS=/mnt/models:/mnt/models/sub"};
  substituteMounts(&l);
  EXPECT_EQ(l.argv, (std::vector<std::string>{"server", "--model_dir=/data/m", "/data/sub/x", "/mnt/modelsX",
                                              "/other/mnt/models", "s3://b/mnt/models"}));
  EXPECT_EQ(l.env[0], "DIRS=/data/m:/data/sub");
}

}  // namespace
}  // namespace slipway::node
