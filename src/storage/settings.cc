#include "storage/settings.h"

#include <fnmatch.h>
#include <unistd.h>

#include <charconv>

#include "data/json.h"

namespace slipway::storage {
namespace {
std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

bool truth(const std::string& text, bool fallback) {
  const std::string t = lower(text);
  if (t == "1" || t == "true" || t == "yes" || t == "on") return true;
  if (t == "0" || t == "false" || t == "no" || t == "off") return false;
  return fallback;
}

template <class T>
Status readNumber(const Settings& s, const char* name, T& out) {
  const std::string text = s.get(name);
  if (text.empty()) return {};
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value == 0)
    return fail(Code::Invalid, fmt::format("{}={}: expected a whole number above 0", name, text));
  out = T(value);
  return {};
}

// A JSON array of strings or a comma-separated list.
Result<std::vector<std::string>> patterns(const Settings& s, const char* name) {
  const std::string text = s.get(name);
  std::vector<std::string> out;
  if (text.starts_with('[')) {
    const auto json = parseJson(text);
    if (!json) return failIn(name, json.error());
    for (const auto& item : *json) {
      if (!item.is_string()) return fail(Code::Invalid, fmt::format("{}: expected a list of strings", name));
      out.push_back(item.get<std::string>());
    }
    return out;
  }
  std::size_t from = 0;
  while (from < text.size()) {
    const std::size_t comma = std::min(text.find(',', from), text.size());
    std::string item = text.substr(from, comma - from);
    item.erase(0, item.find_first_not_of(' '));
    item.erase(item.find_last_not_of(' ') + 1);
    if (!item.empty()) out.push_back(std::move(item));
    from = comma + 1;
  }
  return out;
}

// The `storage` field of an InferenceService arrives as JSON in STORAGE_CONFIG; its values stand for the variables they
// name.
Status applyStorageConfig(Environment& environment) {
  static constexpr std::pair<const char*, const char*> kNames[] = {
      {"access_key_id", "AWS_ACCESS_KEY_ID"},  {"secret_access_key", "AWS_SECRET_ACCESS_KEY"},
      {"session_token", "AWS_SESSION_TOKEN"},  {"endpoint_url", "AWS_ENDPOINT_URL"},
      {"region", "AWS_DEFAULT_REGION"},        {"verify_ssl", "S3_VERIFY_SSL"},
      {"anonymous", "awsAnonymousCredential"}, {"ca_bundle", "AWS_CA_BUNDLE"}};
  for (const char* variable : {"STORAGE_CONFIG", "STORAGE_OVERRIDE_CONFIG"}) {
    const auto found = environment.find(variable);
    if (found == environment.end() || found->second.empty()) continue;
    const auto json = parseJson(found->second);
    if (!json || !json->is_object()) return fail(Code::Invalid, fmt::format("{} is not a JSON object", variable));
    for (const auto& [key, name] : kNames) {
      const Json& value = at(*json, key);
      if (value.is_string() && !value.get<std::string>().empty())
        environment[name] = value.get<std::string>();
      else if (value.is_boolean())
        environment[name] = value.get<bool>() ? "true" : "false";
    }
  }
  return {};
}

S3Settings readS3(const Settings& s) {
  S3Settings out;
  out.endpoint = s.get("AWS_ENDPOINT_URL_S3");
  if (out.endpoint.empty()) out.endpoint = s.get("AWS_ENDPOINT_URL");
  if (out.endpoint.empty()) out.endpoint = s.get("S3_ENDPOINT");
  if (!out.endpoint.empty() && out.endpoint.find("://") == std::string::npos)
    out.endpoint = (truth(s.get("S3_USE_HTTPS"), true) ? "https://" : "http://") + out.endpoint;
  while (out.endpoint.ends_with('/')) out.endpoint.pop_back();
  for (const char* name : {"AWS_REGION", "AWS_DEFAULT_REGION", "S3_REGION"})
    if (!s.get(name).empty()) out.region = s.get(name);
  out.accessKey = s.get("AWS_ACCESS_KEY_ID");
  out.secretKey = s.get("AWS_SECRET_ACCESS_KEY");
  out.sessionToken = s.get("AWS_SESSION_TOKEN");
  out.anonymous = truth(s.get("awsAnonymousCredential"), false);
  out.virtualHosted = truth(s.get("S3_USER_VIRTUAL_BUCKET"), false) || truth(s.get("S3_USE_VIRTUAL_BUCKET"), false);
  if (out.endpoint.empty()) {
    out.endpoint = truth(s.get("S3_USE_ACCELERATE"), false) ? "https://s3-accelerate.amazonaws.com"
                                                            : fmt::format("https://s3.{}.amazonaws.com", out.region);
    out.virtualHosted = true;
  }
  return out;
}
}  // namespace

Environment processEnvironment() {
  Environment out;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos) out.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return out;
}

std::string Settings::get(const std::string& name) const {
  const auto found = environment.find(name);
  return found == environment.end() ? "" : found->second;
}

Result<Settings> Settings::fromEnvironment(Environment environment) {
  Settings s;
  SLIP_CHECK(applyStorageConfig(environment));
  s.environment = std::move(environment);
  s.s3 = readS3(s);
  SLIP_CHECK(readNumber(s, "S3_MAX_FILE_CONCURRENCY", s.transfer.concurrency));
  SLIP_CHECK(readNumber(s, "S3_MAX_ATTEMPTS", s.transfer.attempts));
  SLIP_CHECK(readNumber(s, "S3_CONNECT_TIMEOUT", s.transfer.connectTimeout));
  SLIP_CHECK(readNumber(s, "S3_READ_TIMEOUT", s.transfer.readTimeout));
  SLIP_CHECK(readNumber(s, "STORAGE_CHUNK_BYTES", s.transfer.chunkBytes));
  SLIP_CHECK(readNumber(s, "STORAGE_MAX_UNPACKED_BYTES", s.archive.bytes));
  SLIP_CHECK(readNumber(s, "STORAGE_MAX_UNPACK_RATIO", s.archive.ratio));
  SLIP_CHECK(readNumber(s, "STORAGE_MAX_ARCHIVE_ENTRIES", s.archive.entries));
  SLIP_CHECK(readNumber(s, "SLIPWAY_STORAGE_CACHE_BYTES", s.cacheBytes));
  SLIP_CHECK(readNumber(s, "STORAGE_INITIALIZER_TIMEOUT", s.timeout));
  s.transfer.concurrency = std::min<std::size_t>(s.transfer.concurrency, 64);
  s.transfer.attempts = std::min<std::size_t>(s.transfer.attempts, 20);
  s.transfer.verifyTls = truth(s.get("S3_VERIFY_SSL"), true);
  s.transfer.caBundle = s.get("AWS_CA_BUNDLE");
  s.cacheFolder = s.get("SLIPWAY_STORAGE_CACHE");
  SLIP_TRY(s.allow, patterns(s, "STORAGE_ALLOW_PATTERNS"));
  SLIP_TRY(s.ignore, patterns(s, "STORAGE_IGNORE_PATTERNS"));
  return s;
}

bool Settings::wants(const std::string& path) const {
  const auto fits = [&](const std::string& pattern) { return fnmatch(pattern.c_str(), path.c_str(), 0) == 0; };
  return (allow.empty() || std::any_of(allow.begin(), allow.end(), fits)) &&
         std::none_of(ignore.begin(), ignore.end(), fits);
}

std::string describeBytes(std::uint64_t bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  constexpr const char* kUnits[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
  double value = static_cast<double>(bytes) / 1000;
  std::size_t unit = 0;
  while (value >= 999.95 && unit + 1 < std::size(kUnits)) value /= 1000, ++unit;
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

}  // namespace slipway::storage
