#include "controllers/serving/pod_admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controllers/serving/testing/samples.h"
#include "data/base64.h"
#include "objects/serving/keys.h"

namespace slipway::isvc {
namespace {

using ::testing::HasSubstr;
using testing::parsed;

Json podWith(const std::string& uri, const Json& annotations = Json::object()) {
  Json pod = parsed(
      R"({"metadata": {"name": "iris-1", "namespace": "models", "labels": {"serving.kserve.io/inferenceservice": "iris"}},
    "spec": {"containers": [{"name": "kserve-container", "image": "x"}]}})");
  pod["metadata"]["annotations"] = annotations;
  if (!uri.empty()) pod["metadata"]["annotations"][std::string(kSourceUri)] = uri;
  return pod;
}

Json secret(const char* name, const std::map<std::string, std::string>& data, const Json& annotations = Json::object()) {
  Json out = Json::object();
  out["metadata"] = {{"name", name}, {"annotations", annotations}};
  for (const auto& [key, value] : data) out["data"][key] = base64Encode(value);
  return out;
}

std::string env(const Json& container, const char* name) {
  for (const Json& entry : at(container, "env").is_array() ? at(container, "env") : Json::array()) {
    if (textAt(entry, "name") != name) continue;
    const Json& reference = at(entry, "valueFrom", "secretKeyRef");
    return reference.is_object() ? textAt(reference, "name") + "/" + textAt(reference, "key") : textAt(entry, "value");
  }
  return "(unset)";
}

Json admitted(Json pod, const CredentialFacts& facts = {}, const ServingConfig& config = {}) {
  Status ok = admitServingPod(pod, facts, config, BuildOptions{});
  EXPECT_TRUE(ok) << ok.error().message;
  return pod;
}

TEST(PodAdmission, FetchesTheModelBeforeTheServerStarts) {
  Json pod = admitted(podWith("s3://models/iris"));
  const Json& init = pod["spec"]["initContainers"][0];
  EXPECT_EQ(init["args"], parsed(R"(["s3://models/iris", "/mnt/models"])"));
  EXPECT_EQ(init["terminationMessagePolicy"], "FallbackToLogsOnError");
  EXPECT_EQ(pod["spec"]["containers"][0]["volumeMounts"][0],
            parsed(R"({"name": "kserve-provision-location", "mountPath": "/mnt/models", "readOnly": true})"));
}

TEST(PodAdmission, DoneTwiceChangesNothingMore) {
  for (const char* uri : {"s3://models/iris", "pvc://claim/a/b", "oci://registry/model:1"}) {
    Json once = admitted(podWith(uri));
    EXPECT_EQ(admitted(once), once) << uri;
  }
}

TEST(PodAdmission, MountsAClaimInsteadOfCopyingIt) {
  Json pod = admitted(podWith("pvc://claim/a/b"));
  EXPECT_FALSE(pod["spec"].contains("initContainers"));
  EXPECT_EQ(pod["spec"]["volumes"][0],
            parsed(R"({"name": "kserve-pvc-source", "persistentVolumeClaim": {"claimName": "claim", "readOnly": true}})"));
  EXPECT_EQ(pod["spec"]["containers"][0]["volumeMounts"][0],
            parsed(R"({"name": "kserve-pvc-source", "mountPath": "/mnt/models", "readOnly": true, "subPath": "a/b"})"));
}

TEST(PodAdmission, HonoursTheTimeoutAndReadWriteAnnotations) {
  Json pod = admitted(podWith(
      "s3://b/m", parsed(R"({"serving.kserve.io/storage-initializer-timeout": "600", "storage.kserve.io/readonly": "false",
                                                     "serving.kserve.io/storage-initializer-uid": "1000"})")));
  EXPECT_EQ(env(pod["spec"]["initContainers"][0], "STORAGE_INITIALIZER_TIMEOUT"), "600");
  EXPECT_EQ(pod["spec"]["initContainers"][0]["securityContext"]["runAsUser"], 1000);
  EXPECT_FALSE(pod["spec"]["containers"][0]["volumeMounts"][0].contains("readOnly"));
}

TEST(PodAdmission, TakesTheSecretThatTheGuideNames) {
  CredentialFacts facts;
  facts.secrets["storage-config"] = secret("storage-config", {{"AWS_ACCESS_KEY_ID", "a"}, {"AWS_SECRET_ACCESS_KEY", "b"}});
  Json pod = admitted(podWith("s3://b/m", parsed(R"({"serving.kserve.io/s3-secret-name": "storage-config"})")), facts);
  EXPECT_EQ(env(pod["spec"]["initContainers"][0], "AWS_SECRET_ACCESS_KEY"), "storage-config/AWS_SECRET_ACCESS_KEY");
}

TEST(PodAdmission, AMissingSecretRefusesThePodAndNamesIt) {
  Json pod = podWith("s3://b/m", parsed(R"({"serving.kserve.io/storageSecretName": "nosuch"})"));
  Status ok = admitServingPod(pod, {}, ServingConfig(), BuildOptions{});
  ASSERT_FALSE(ok);
  EXPECT_EQ(ok.error().message,
            "admission webhook \"inferenceservice.kserve-webhook-server.pod-mutator\" denied the request: can't read "
            "storage secret "
            "nosuch: secrets \"nosuch\" not found");
}

TEST(InjectDownloads, SharesOneVolumeAndSurvivesPathsThatShareNothing) {
  auto volume = [](std::vector<Download> downloads) {
    Json spec = parsed(R"({"containers": [{"name": "kserve-container"}]})");
    injectDownloads(spec, downloads, {}, ServingConfig());
    return textAt(spec["volumes"][0], "name") + " " + textAt(spec["containers"][0]["volumeMounts"][0], "mountPath");
  };
  EXPECT_EQ(volume({{"s3://b/a", "/mnt/models/a"}, {"s3://b/b", "/mnt/models/b"}}), "mnt-models /mnt/models");
  EXPECT_EQ(volume({{"s3://b/a", "/opt/My_Models/"}}), "opt-my-models /opt/My_Models");
  EXPECT_EQ(volume({{"s3://b/a", "/a"}, {"s3://b/b", "/b"}}), "mnt-models /mnt/models");
  EXPECT_EQ(volume({{"s3://b/a", "a"}, {"s3://b/b", "b"}}), "mnt-models /mnt/models");
}

TEST(Credentials, EndpointsTakeTheirSchemeFromUseHttpsUnlessTheyHaveOne) {
  auto url = [](const Json& annotations) {
    CredentialFacts facts;
    facts.serviceAccount = parsed(R"({"secrets": [{"name": "s"}]})");
    facts.secrets["s"] = secret("s", {{"AWS_ACCESS_KEY_ID", "a"}, {"AWS_SECRET_ACCESS_KEY", "b"}}, annotations);
    return env(admitted(podWith("s3://b/m"), facts)["spec"]["initContainers"][0], "AWS_ENDPOINT_URL");
  };
  EXPECT_EQ(url(parsed(R"({"serving.kserve.io/s3-endpoint": "minio:9000"})")), "https://minio:9000");
  EXPECT_EQ(url(parsed(R"({"serving.kserve.io/s3-endpoint": "minio:9000", "serving.kserve.io/s3-usehttps": "0"})")),
            "http://minio:9000");
  EXPECT_EQ(url(parsed(R"({"serving.kserve.io/s3-endpoint": "http://minio:9000", "serving.kserve.io/s3-usehttps": "1"})")),
            "http://minio:9000");
  EXPECT_EQ(url(Json::object()), "(unset)");
}

TEST(Credentials, SecretDataBeatsTheConfigMapAndAnnotationsBeatBoth) {
  ServingConfig config;
  config.s3["s3Region"] = "from-config";
  auto region = [&](const std::map<std::string, std::string>& more, const Json& annotations) {
    std::map<std::string, std::string> data = {{"AWS_ACCESS_KEY_ID", "a"}, {"AWS_SECRET_ACCESS_KEY", "b"}};
    data.insert(more.begin(), more.end());
    CredentialFacts facts;
    facts.serviceAccount = parsed(R"({"secrets": [{"name": "s"}]})");
    facts.secrets["s"] = secret("s", data, annotations);
    return env(admitted(podWith("s3://b/m"), facts, config)["spec"]["initContainers"][0], "AWS_DEFAULT_REGION");
  };
  EXPECT_EQ(region({}, Json::object()), "from-config");
  EXPECT_EQ(region({{"AWS_DEFAULT_REGION", "from-data"}}, Json::object()), "from-data");
  EXPECT_EQ(region({{"AWS_DEFAULT_REGION", "from-data"}}, parsed(R"({"serving.kserve.io/s3-region": "from-annotation"})")),
            "from-annotation");
}

TEST(Credentials, AStorageSpecResolvesItsBucketFromTheSecret) {
  Json pod = podWith("<scheme-placeholder>://sklearn/iris", parsed(R"({"internal.serving.kserve.io/storage-spec": "true",
    "internal.serving.kserve.io/storage-spec-key": "minio", "internal.serving.kserve.io/storage-spec-param": "{\"region\":\"eu\"}"})"));
  CredentialFacts facts;
  facts.secrets["storage-config"] = secret("storage-config", {{"minio", R"({"type": "s3", "bucket": "models"})"}});
  Json done = admitted(pod, facts);
  const Json& init = done["spec"]["initContainers"][0];
  EXPECT_EQ(init["args"][0], "s3://models/sklearn/iris");
  EXPECT_EQ(env(init, "STORAGE_CONFIG"), "storage-config/minio");
  EXPECT_EQ(env(init, "STORAGE_OVERRIDE_CONFIG"), R"({"region":"eu"})");

  auto refused = [&](const char* text) {
    CredentialFacts bad;
    bad.secrets["storage-config"] = secret("storage-config", {{"minio", text}});
    Json copy = pod;
    Status ok = admitServingPod(copy, bad, ServingConfig(), BuildOptions{});
    return ok ? "" : ok.error().message;
  };
  EXPECT_THAT(refused("{oops"), HasSubstr("invalid json encountered in key minio of storage secret storage-config"));
  EXPECT_THAT(refused(R"({"type": "s3"})"), HasSubstr("requires a bucket"));
  EXPECT_THAT(refused("{}"), HasSubstr("unable to determine storage type"));
}

TEST(Credentials, NameTheSecretsToFetchFirst) {
  Json account = parsed(R"({"secrets": [{"name": "a"}, {"name": "b"}]})");
  EXPECT_EQ(credentialSecrets(podWith("s3://b/m"), account, ServingConfig()), (std::vector<std::string>{"a", "b"}));
  Json named = podWith("s3://b/m", parsed(R"({"serving.kserve.io/storageSecretName": "mine"})"));
  EXPECT_EQ(credentialSecrets(named, account, ServingConfig()), std::vector<std::string>{"mine"});
}

}  // namespace
}  // namespace slipway::isvc
