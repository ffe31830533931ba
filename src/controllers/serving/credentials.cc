#include "controllers/serving/credentials.h"

#include "controllers/serving/pod_parts.h"
#include "data/base64.h"
#include "objects/serving/keys.h"
#include "objects/serving/view.h"

namespace slipway::isvc {

namespace {

constexpr const char* kIrsa = "eks.amazonaws.com/role-arn";
constexpr std::string_view kPlaceholder = "<scheme-placeholder>://";

tl::unexpected<Error> deny(std::string message) { return fail(Code::Forbidden, std::move(message)); }

// Replaces a variable of the same name: a Secret's settings win over a ServiceAccount's.
void setEnv(Json& container, Json entry) {
  Json& env = listOf(container, "env");
  for (Json& there : env) {
    if (at(there, "name") == at(entry, "name")) {
      there = std::move(entry);
      return;
    }
  }
  env.push_back(std::move(entry));
}

void setValue(Json& container, const std::string& name, const std::string& value) {
  setEnv(container, {{"name", name}, {"value", value}});
}

void setFromSecret(Json& container, const std::string& name, const std::string& secret, const std::string& key) {
  Json reference = {{"name", secret}, {"key", key}};
  Json entry = {{"name", name}};
  entry["valueFrom"] = {{"secretKeyRef", reference}};
  setEnv(container, std::move(entry));
}

std::string configured(const ServingConfig& config, const char* key, const char* fallback = "") {
  auto it = config.s3.find(key);
  return it == config.s3.end() || it->second.empty() ? fallback : it->second;
}

// Annotation, else Secret data, else ConfigMap.
class S3Settings {
 public:
  S3Settings(const Json& source, const ServingConfig& config) : source_(source), config_(config) {}

  std::string get(const std::string& annotationName, const std::string& dataKey, const char* configKey) const {
    const Json& annotations = at(source_, "metadata", "annotations");
    std::string key = "serving.kserve.io/" + annotationName;
    if (at(annotations, key).is_string()) return textAt(annotations, key);
    if (std::optional<std::string> value = secretValue(source_, dataKey)) return *value;
    return configured(config_, configKey);
  }

 private:
  const Json& source_;
  const ServingConfig& config_;
};

void applyEndpoint(const S3Settings& settings, Json& container) {
  std::string endpoint = settings.get("s3-endpoint", "S3_ENDPOINT", "s3Endpoint");
  std::size_t first = endpoint.find_first_not_of(" \t\r\n"), last = endpoint.find_last_not_of(" \t\r\n");
  if (first == std::string::npos) return;
  endpoint = endpoint.substr(first, last - first + 1);
  std::string https = settings.get("s3-usehttps", "S3_USE_HTTPS", "s3UseHttps");
  std::string scheme = https == "0" ? "http" : "https";
  // A scheme in the endpoint itself outweighs s3-usehttps.
  if (std::size_t colon = endpoint.find("://"); colon != std::string::npos) {
    scheme = endpoint.substr(0, colon);
    for (char& c : scheme) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    https = scheme == "https" ? "1" : "0";
    endpoint = endpoint.substr(colon + 3);
  }
  if (!https.empty()) setValue(container, "S3_USE_HTTPS", https);
  setValue(container, "S3_ENDPOINT", endpoint);
  setValue(container, "AWS_ENDPOINT_URL", scheme + "://" + endpoint);
}

void applyS3Settings(const Json& source, const ServingConfig& config, Json& container) {
  S3Settings settings(source, config);
  applyEndpoint(settings, container);
  struct Setting {
    const char *annotation, *variable, *key;
  };
  for (const Setting& s : {Setting{"s3-verifyssl", "S3_VERIFY_SSL", "s3VerifySSL"},
                           {"s3-useanoncredential", "awsAnonymousCredential", "s3UseAnonymousCredential"},
                           {"s3-region", "AWS_DEFAULT_REGION", "s3Region"},
                           {"s3-usevirtualbucket", "S3_USER_VIRTUAL_BUCKET", "s3UseVirtualBucket"},
                           {"s3-useaccelerate", "S3_USE_ACCELERATE", "s3UseAccelerate"},
                           {"s3-cabundle", "AWS_CA_BUNDLE", "s3CABundle"},
                           {"s3-cabundle-configmap", "AWS_CA_BUNDLE_CONFIGMAP", "s3CABundleConfigMap"}}) {
    std::string value = settings.get(s.annotation, s.variable, s.key);
    if (!value.empty()) setValue(container, s.variable, value);
  }
}

void mountSecret(Json& pod, Json& container, const std::string& volume, const std::string& secret, const std::string& path) {
  Json source = Json::object();
  source["secret"] = {{"secretName", secret}};
  addVolume(pod["spec"], volume, std::move(source));
  addMount(container, {{"name", volume}, {"mountPath", path}, {"readOnly", true}});
}

bool has(const Json& secret, const std::string& key) {
  return at(secret, "data").is_object() && at(secret, "data").contains(key);
}

void applyAzure(const Json& secret, Json& container) {
  // The old names win where both are there; tenant and subscription have no meaning without an identity.
  static const std::vector<std::pair<const char*, const char*>> kKeys = {{"AZURE_SUBSCRIPTION_ID", "AZ_SUBSCRIPTION_ID"},
                                                                         {"AZURE_TENANT_ID", "AZ_TENANT_ID"},
                                                                         {"AZURE_CLIENT_ID", "AZ_CLIENT_ID"},
                                                                         {"AZURE_CLIENT_SECRET", "AZ_CLIENT_SECRET"},
                                                                         {"AZURE_STORAGE_ACCESS_KEY", ""},
                                                                         {"AZURE_ACCESS_TOKEN", ""},
                                                                         {"AZURE_ACCESS_EXPIRES_ON_SECONDS", ""},
                                                                         {"AZURE_ACCOUNT_NAME", ""},
                                                                         {"AZURE_SERVICE_URL", ""}};
  for (const auto& [name, legacy] : kKeys) {
    if (*legacy && has(secret, legacy)) {
      setFromSecret(container, name, nameOf(secret), legacy);
    } else if (has(secret, name)) {
      setFromSecret(container, name, nameOf(secret), name);
    }
  }
}

// A Secret is what its keys say it is: the first rule that fits decides.
void applySecret(Json& pod, Json& container, const Json& secret, const ServingConfig& config) {
  std::string name = nameOf(secret);
  std::string accessKey = configured(config, "s3AccessKeyIDName", "AWS_ACCESS_KEY_ID");
  std::string secretKey = configured(config, "s3SecretAccessKeyName", "AWS_SECRET_ACCESS_KEY");
  if (has(secret, secretKey)) {
    setFromSecret(container, "AWS_ACCESS_KEY_ID", name, accessKey);
    setFromSecret(container, "AWS_SECRET_ACCESS_KEY", name, secretKey);
    applyS3Settings(secret, config, container);
  } else if (has(secret, config.gcsFile)) {
    mountSecret(pod, container, "user-gcp-sa", name, "/var/secrets/");
    setValue(container, "GOOGLE_APPLICATION_CREDENTIALS", "/var/secrets/" + config.gcsFile);
  } else if (has(secret, "AZ_CLIENT_ID") || has(secret, "AZURE_CLIENT_ID") || has(secret, "AZURE_ACCESS_TOKEN") ||
             has(secret, "AZURE_STORAGE_ACCESS_KEY")) {
    applyAzure(secret, container);
  } else if (has(secret, "https-host")) {
    // The variable's name carries the host, so both parts must be read here.
    std::optional<std::string> host = secretValue(secret, "https-host"), headers = secretValue(secret, "headers");
    if (host && headers) setValue(container, *host + "-headers", *headers);
  } else if (has(secret, "HDFS_NAMENODE")) {
    mountSecret(pod, container, "hdfs-secrets", name, "/var/secrets/kserve-hdfscreds");
  } else if (has(secret, "HF_TOKEN")) {
    setFromSecret(container, "HF_TOKEN", name, "HF_TOKEN");
  } else if (has(secret, "MODELSCOPE_API_TOKEN")) {
    setFromSecret(container, "MODELSCOPE_API_TOKEN", name, "MODELSCOPE_API_TOKEN");
  }
}

// The Secret that the service names for its storage; empty: the ServiceAccount's.
std::string namedSecret(const Json& pod, const ServingConfig& config) {
  std::string name = annotation(pod, config.storageSecretAnnotation);
  return name.empty() ? annotation(pod, kS3SecretName) : name;
}

bool usesStorageSpec(const Json& pod) { return annotation(pod, kStorageSpec) == "true"; }

std::string storageSpecSecret(const Json& pod, const ServingConfig& config) {
  std::string named = namedSecret(pod, config);
  return named.empty() ? config.storageSpecSecret : named;
}

std::vector<std::string> accountSecrets(const Json& serviceAccount) {
  std::vector<std::string> names;
  const Json& secrets = at(serviceAccount, "secrets");
  for (const Json& reference : secrets.is_array() ? secrets : Json::array()) {
    std::string name = textAt(reference, "name");
    if (!name.empty()) names.push_back(name);
  }
  return names;
}

struct StorageEntry {
  std::string type, bucket, key;
  bool fromSecret = false;
};

Result<StorageEntry> readStorageEntry(const Json& pod, const Json& parameters, const CredentialFacts& facts,
                                      const ServingConfig& config) {
  StorageEntry entry{textAt(parameters, "type"), textAt(parameters, "bucket"), annotation(pod, kStorageSpecKey)};
  std::string secretName = storageSpecSecret(pod, config);
  auto secret = facts.secrets.find(secretName);
  bool keyNamed = !entry.key.empty();
  if (secret == facts.secrets.end()) {
    if (keyNamed) return deny("can't read storage secret " + secretName + ": secrets \"" + secretName + "\" not found");
    return entry;
  }
  if (!keyNamed) entry.key = entry.type.empty() ? "default" : "default_" + entry.type;
  std::optional<std::string> text = secretValue(secret->second, entry.key);
  if (!text) {
    if (keyNamed) return deny("specified storage key " + entry.key + " not found in storage secret " + secretName);
    return entry;
  }
  Result<Json> json = parseJson(*text);
  if (!json || !json->is_object()) {
    return deny("invalid json encountered in key " + entry.key + " of storage secret " + secretName +
                (json ? ": must be an object" : ": " + json.error().message));
  }
  entry.fromSecret = true;
  if (entry.type.empty()) entry.type = textAt(*json, "type");
  if (entry.bucket.empty()) entry.bucket = textAt(*json, "bucket");
  return entry;
}

Status applyStorageSpec(const Json& pod, Json& container, const CredentialFacts& facts, const ServingConfig& config) {
  Json parameters = Json::object();
  std::string text = annotation(pod, kStorageSpecParam);
  if (!text.empty()) {
    Result<Json> parsed = parseJson(text);
    if (parsed) parameters = std::move(*parsed);
  }
  SLIP_TRY(StorageEntry entry, readStorageEntry(pod, parameters, facts, config));
  if (entry.type.empty())
    return deny("unable to determine storage type; set spec.predictor.model.storage.parameters.type, for example s3");
  if (entry.type != "s3" && entry.type != "hdfs" && entry.type != "webhdfs") {
    return deny("storage type must be one of [s3, hdfs, webhdfs]. storage type [" + entry.type + "] is not supported");
  }
  if (entry.fromSecret) setFromSecret(container, "STORAGE_CONFIG", storageSpecSecret(pod, config), entry.key);
  for (Json& arg : container["args"]) {
    std::string value = arg.is_string() ? arg.get<std::string>() : "";
    if (!value.starts_with(kPlaceholder)) continue;
    if (entry.type == "s3" && entry.bucket.empty())
      return deny("format [" + entry.type + "] requires a bucket but none was found in storage data or parameters");
    arg = entry.type + "://" + (entry.type == "s3" ? entry.bucket + "/" : "") + value.substr(kPlaceholder.size());
  }
  if (!parameters.empty()) setValue(container, "STORAGE_OVERRIDE_CONFIG", dumpJson(parameters));
  return {};
}

}  // namespace

std::optional<std::string> secretValue(const Json& secret, const std::string& key) {
  const Json& value = at(secret, "data", key);
  if (!value.is_string()) return std::nullopt;
  Result<std::string> decoded = base64Decode(value.get_ref<const std::string&>());
  if (!decoded) return std::nullopt;
  return std::move(*decoded);
}

std::vector<std::string> credentialSecrets(const Json& pod, const Json& serviceAccount, const ServingConfig& config) {
  if (usesStorageSpec(pod)) return {storageSpecSecret(pod, config)};
  std::string named = namedSecret(pod, config);
  if (!named.empty()) return {named};
  return accountSecrets(serviceAccount);
}

Status applyCredentials(Json& pod, Json& container, const CredentialFacts& facts, const ServingConfig& config) {
  if (usesStorageSpec(pod)) return applyStorageSpec(pod, container, facts, config);
  if (!annotation(facts.serviceAccount, kIrsa).empty()) applyS3Settings(facts.serviceAccount, config, container);
  for (const std::string& name : credentialSecrets(pod, facts.serviceAccount, config)) {
    auto secret = facts.secrets.find(name);
    if (secret == facts.secrets.end())
      return deny("can't read storage secret " + name + ": secrets \"" + name + "\" not found");
    applySecret(pod, container, secret->second, config);
  }
  return {};
}

}  // namespace slipway::isvc
