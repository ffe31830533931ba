// A grammar fuzzer over the REST surface: random requests that are nearly right, from a printed seed, and after them the
// invariants of the store. SLIPWAY_FUZZ_SEED and SLIPWAY_FUZZ_REQUESTS repeat or lengthen a run.
#include <cstdlib>
#include <random>

#include "apiserver/testing/http_fixture.h"

namespace slipway::apiserver {
namespace {

struct Sample {
  const char* path;  // of the collection
  const char* body;
};

constexpr Sample kSamples[] = {
    {"/api/v1/namespaces/NS/configmaps", R"({"metadata":{"name":"NAME","labels":{"a":"b"}},"data":{"k":"v"}})"},
    {"/api/v1/namespaces/NS/secrets",
     R"({"metadata":{"name":"NAME"},"type":"Opaque","data":{"k":"dg=="},"stringData":{"x":"y"}})"},
    {"/api/v1/namespaces/NS/pods",
     R"({"metadata":{"name":"NAME","finalizers":["a.b/c"]},"spec":{"containers":[{"name":"c","image":"i","resources":{"limits":{"cpu":"1"}}}]}})"},
    {"/apis/apps/v1/namespaces/NS/deployments",
     R"({"metadata":{"name":"NAME"},"spec":{"replicas":2,"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}})"},
    {"/api/v1/namespaces/NS/services",
     R"({"metadata":{"name":"NAME"},"spec":{"selector":{"a":"b"},"ports":[{"port":80}]}})"},
    {"/apis/rbac.authorization.k8s.io/v1/namespaces/NS/roles",
     R"({"metadata":{"name":"NAME"},"rules":[{"apiGroups":[""],"resources":["pods"],"verbs":["get"]}]})"},
    {"/apis/rbac.authorization.k8s.io/v1/clusterroles",
     R"({"metadata":{"name":"NAME"},"aggregationRule":{"clusterRoleSelectors":[{"matchLabels":{"a":"b"}}]},"rules":[]})"},
    {"/apis/rbac.authorization.k8s.io/v1/namespaces/NS/rolebindings",
     R"({"metadata":{"name":"NAME"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"r"},"subjects":[{"kind":"User","name":"u"}]})"},
    {"/apis/autoscaling/v2/namespaces/NS/horizontalpodautoscalers",
     R"({"metadata":{"name":"NAME"},"spec":{"maxReplicas":3,"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"d"}}})"},
    {"/apis/coordination.k8s.io/v1/namespaces/NS/leases",
     R"({"metadata":{"name":"NAME"},"spec":{"leaseDurationSeconds":15}})"},
    {"/apis/serving.kserve.io/v1beta1/namespaces/NS/inferenceservices",
     R"({"metadata":{"name":"NAME"},"spec":{"predictor":{"model":{"modelFormat":{"name":"sklearn"},"storageUri":"s3://a/b"}}}})"},
    {"/api/v1/namespaces", R"({"metadata":{"name":"NAME"}})"},
    {"/api/v1/namespaces/NS/serviceaccounts", R"({"metadata":{"name":"NAME"},"imagePullSecrets":[{"name":"x"}]})"},
    {"/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
     R"({"spec":{"resourceAttributes":{"verb":"get","resource":"pods"}}})"},
    {"/apis/authentication.k8s.io/v1/tokenreviews", R"({"spec":{"token":"NAME","audiences":["x"]}})"},
};
constexpr const char* kNames[] = {"a", "b", "c", "default", "kube-root-ca.crt", "view"};
constexpr const char* kOddNames[] = {"",    ".",      "..",  "%2e%2e",   "a%2Fb", "A_B",
                                     "%00", "%ff%fe", "x:y", "\xc3\xbc", "-",     "a.b.c"};
constexpr const char* kSubresources[] = {"",       "",          "",         "",          "/status", "/scale",   "/log",
                                         "/token", "/eviction", "/binding", "/finalize", "/nope",   "/status/x"};
constexpr const char* kQueries[] = {"limit=1",
                                    "limit=-1",
                                    "limit=x",
                                    "continue=x",
                                    "continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJhL2IifQ==",
                                    "labelSelector=a%3Db",
                                    "labelSelector=%2Ca",
                                    "labelSelector=a+in+(b",
                                    "fieldSelector=metadata.name%3Da",
                                    "fieldSelector=x%3Dy",
                                    "resourceVersion=0",
                                    "resourceVersion=1",
                                    "resourceVersion=999999999",
                                    "resourceVersion=-1",
                                    "resourceVersionMatch=Exact",
                                    "resourceVersionMatch=NotOlderThan",
                                    "dryRun=All",
                                    "dryRun=x",
                                    "fieldManager=m",
                                    "force=true",
                                    "fieldValidation=Strict",
                                    "fieldValidation=Ignore",
                                    "fieldValidation=x",
                                    "propagationPolicy=Orphan",
                                    "propagationPolicy=Foreground",
                                    "propagationPolicy=x",
                                    "gracePeriodSeconds=0",
                                    "gracePeriodSeconds=-5",
                                    "gracePeriodSeconds=x",
                                    "pretty=true",
                                    "tailLines=x",
                                    "container=%00",
                                    "timeoutSeconds=1",
                                    "%zz=%zz",
                                    "a",
                                    "=",
                                    "&&"};
constexpr const char* kTypes[] = {"application/json",
                                  "application/json",
                                  "application/merge-patch+json",
                                  "application/json-patch+json",
                                  "application/strategic-merge-patch+json",
                                  "application/apply-patch+yaml",
                                  "application/yaml",
                                  "application/vnd.kubernetes.protobuf",
                                  "text/plain",
                                  "",
                                  ";;,"};
constexpr const char* kAccepts[] = {"",
                                    "application/json",
                                    "*/*",
                                    "application/json;as=Table;v=v1;g=meta.k8s.io",
                                    "application/vnd.kubernetes.protobuf",
                                    "application/vnd.kubernetes.protobuf,application/json",
                                    "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
                                    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
                                    "text/html",
                                    ",,;="};
constexpr const char* kMethods[] = {"GET",   "GET",    "POST",   "POST", "POST",    "PUT",   "PATCH",
                                    "PATCH", "DELETE", "DELETE", "HEAD", "OPTIONS", "TRACE", "get"};
constexpr const char* kPatches[] = {
    R"([{"op":"add","path":"/metadata/labels/x","value":"y"}])",
    R"([{"op":"remove","path":"/spec"}])",
    R"([{"op":"move","from":"/metadata","path":"/metadata/labels"}])",
    R"([{"op":"test","path":"","value":null}])",
    R"([{"op":"x"}])",
    R"([{"op":"copy","from":"","path":"/data/x"}])",
    R"({"metadata":null})",
    R"({"spec":null,"data":null})",
    R"({"metadata":{"finalizers":["x.y/z"]}})",
    R"({"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"a","uid":"1"}]}})",
    R"({"$patch":"delete"})",
    R"({"spec":{"template":{"spec":{"containers":[{"$patch":"replace"}]}}}})",
    R"({"metadata":{"resourceVersion":"1"}})",
    "null",
    "[]",
    "5",
    "\"x\""};

class Grammar {
 public:
  explicit Grammar(std::uint64_t seed) : random_(seed) {}

  struct Made {
    std::string method, target, body;
    std::vector<std::pair<std::string, std::string>> headers;
  };
  Made request() {
    const Sample& sample = pick(kSamples);
    Made made;
    made.method = pick(kMethods);
    made.target = replaced(sample.path, "NS", chance(8) ? name() : chance(3) ? "kserve" : "default");
    const bool named = made.method != "POST" ? !chance(4) : chance(6);
    if (named) made.target += "/" + name() + pick(kSubresources);
    for (char separator = '?'; chance(3); separator = '&') made.target += separator + std::string(pick(kQueries));
    if (made.method != "GET") made.body = body(sample, made.method == "PATCH");
    add(made, "Content-Type", chance(4) ? pick(kTypes) : made.method == "PATCH" ? kTypes[2 + random_() % 4] : kTypes[0]);
    add(made, "Accept", chance(3) ? pick(kAccepts) : "");
    if (chance(10)) add(made, "Impersonate-User", chance(2) ? "system:serviceaccount:" : "eve");
    return made;
  }

 private:
  template <class T, std::size_t N>
  const T& pick(const T (&all)[N]) {
    return all[random_() % N];
  }
  bool chance(unsigned oneIn) { return random_() % oneIn == 0; }
  std::string name() { return chance(6) ? pick(kOddNames) : pick(kNames); }
  static void add(Made& made, const char* header, std::string value) {
    if (!value.empty()) made.headers.emplace_back(header, std::move(value));
  }
  static std::string replaced(std::string text, const std::string& what, const std::string& with) {
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
      text.replace(at, what.size(), with);
    return text;
  }

  std::string body(const Sample& sample, bool patch) {
    if (patch && chance(2)) return pick(kPatches);
    Json object = Json::parse(replaced(sample.body, "NAME", chance(10) ? "Bad Name" : pick(kNames)));
    while (chance(2)) mutate(object);
    std::string text = object.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (chance(20)) text.resize(random_() % (text.size() + 1));
    if (chance(20) && !text.empty()) text[random_() % text.size()] = static_cast<char>(random_());
    if (chance(40)) text = std::string(600, '[') + text;
    if (chance(40)) text = R"({"metadata":{"name":"a","name":"b"},"data":{"k":"1","k":"2"}})";
    if (chance(60)) text = "{\"metadata\":{\"name\":\"a\"},\"data\":{\"k\":\"" + std::string(2 << 20, 'x') + "\"}}";
    return text;
  }

  Json odd() {
    switch (random_() % 14) {
      case 0: return nullptr;
      case 1: return true;
      case 2: return -1;
      case 3: return 9223372036854775807LL;
      case 4: return 18446744073709551615ULL;
      case 5: return 1.5e300;
      case 6: return "";
      case 7: return Json::array();
      case 8: return Json::object();
      case 9: return Json::array({nullptr, 1, "x", Json::object()});
      case 10: return std::string(5000, 'y');
      case 11: return "\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80";
      case 12: return Json{{"", 1}, {"a/b~c", 2}, {std::string("\0x", 2), 3}};
      default: return "2026-99-99T99:99:99Z";
    }
  }

  void mutate(Json& at) {
    if (at.is_object() && !at.empty() && !chance(4)) {
      auto it = at.begin();
      std::advance(it, static_cast<long>(random_() % at.size()));
      if (chance(6))
        at.erase(it);
      else
        mutate(*it);
    } else if (at.is_array() && !at.empty() && !chance(4)) {
      mutate(at[random_() % at.size()]);
    } else if (at.is_object() && chance(2)) {
      static constexpr const char* kFields[] = {"metadata",        "spec",
                                                "status",          "kind",
                                                "apiVersion",      "uid",
                                                "resourceVersion", "ownerReferences",
                                                "finalizers",      "deletionTimestamp",
                                                "managedFields",   "generateName",
                                                "namespace",       "x"};
      at[pick(kFields)] = odd();
    } else {
      at = odd();
    }
  }

  std::mt19937_64 random_;
};

class RestGrammarTest : public HttpFixture {
 protected:
  // What any answer must be.
  void checkAnswer(const Grammar::Made& made, const net::Response& response) {
    const std::string what = made.method + " " + made.target + " " + made.body.substr(0, 300);
    EXPECT_TRUE(response.status >= 200 && response.status != 500 && response.status != 501 && response.status <= 504)
        << response.status << " " << what << " " << (response.body.streaming() ? "" : response.body.bytes());
    if (response.body.streaming() || response.status < 400) return;
    const Json status = Json::parse(response.body.bytes(), nullptr, false);
    EXPECT_EQ(textAt(status, "kind"), "Status") << what;
    EXPECT_EQ(intAt(status, "code"), response.status) << what;
    EXPECT_FALSE(textAt(status, "message").empty()) << what;
  }

  // What must hold of everything that is stored, whatever was asked.
  void checkStore() {
    const Store& store = api.registry().store();
    std::set<std::string> uids;
    for (const Resource& r : api.registry().catalog().resources()) {
      if (!r.storedAs.empty()) continue;
      for (const EntryPtr& entry : store.list(r.qualified()).entries) {
        const std::string what = r.qualified() + " " + entry->ns + "/" + entry->name + " " + entry->text.substr(0, 2000);
        const Json object = Json::parse(entry->text, nullptr, false);
        ASSERT_TRUE(object.is_object()) << what;
        const Json& meta = at(object, "metadata");
        EXPECT_EQ(textAt(meta, "name"), entry->name) << what;
        EXPECT_EQ(textAt(meta, "namespace"), entry->ns) << what;
        EXPECT_EQ(entry->ns.empty(), !r.namespaced) << what;
        EXPECT_EQ(textAt(object, "kind"), r.kind) << what;
        EXPECT_EQ(textAt(meta, "resourceVersion"), std::to_string(entry->revision)) << what;
        EXPECT_LE(entry->revision, store.revision()) << what;
        EXPECT_TRUE(uids.insert(entry->uid).second && !entry->uid.empty()) << what;
        const auto errors = api.registry().catalog().validate(r, object);
        EXPECT_TRUE(errors.empty()) << errors.front().field << ": " << errors.front().message << " " << what;
        EXPECT_LE(entry->text.size(), api.registry().maxObjectBytes());
      }
    }
  }

  void run(std::uint64_t seed, int requests) {
    SCOPED_TRACE("SLIPWAY_FUZZ_SEED=" + std::to_string(seed));
    Grammar grammar(seed);
    std::uint64_t revision = 0;
    for (int i = 0; i < requests && !HasFailure(); ++i) {
      const Grammar::Made made = grammar.request();
      net::Response response = api.http(made.method, made.target, made.body, made.headers);
      checkAnswer(made, response);
      const std::uint64_t now = api.registry().store().revision();
      EXPECT_GE(now, revision);
      revision = now;
      if (i % 250 == 249) checkStore();
    }
    checkStore();
  }
};

std::uint64_t number(const char* variable, std::uint64_t fallback) {
  const char* text = std::getenv(variable);
  return text ? std::strtoull(text, nullptr, 10) : fallback;
}

TEST_F(RestGrammarTest, NoRequestBreaksTheServerOrWhatItStores) {
  const int requests = static_cast<int>(number("SLIPWAY_FUZZ_REQUESTS", 1500));
  if (const std::uint64_t seed = number("SLIPWAY_FUZZ_SEED", 0)) return run(seed, requests);
  for (const std::uint64_t seed : {1, 2, 3}) run(seed, requests);
}

}  // namespace
}  // namespace slipway::apiserver
