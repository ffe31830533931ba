#include "kube/kubeconfig.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "data/base64.h"
#include "data/yaml.h"

namespace slipway::kube {
namespace {

Result<std::string> readText(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(Code::NotFound, fmt::format("cannot read {}: {}", path.string(), std::strerror(errno)));
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.pop_back();
  return text;
}

// The entry of a named list: {"name": n, key: {...}}.
Result<Json> entry(const Json& config, const char* list, const char* key, const std::string& name) {
  for (const auto& e : at(config, list)) {
    if (textAt(e, "name") == name) return at(e, key).is_object() ? at(e, key) : Json::object();
  }
  return fail(Code::NotFound, fmt::format("{} \"{}\" not found in {}", key, name, list));
}

// A PEM given inline in base64 (`<field>-data`) or by file name (`<field>`).
Result<std::string> pem(const Json& object, const std::string& field, const std::string& baseDir) {
  const std::string inlined = textAt(object, field + "-data");
  if (!inlined.empty()) {
    auto decoded = base64Decode(inlined);
    if (!decoded) return failIn(field + "-data", decoded.error());
    return decoded;
  }
  const std::string file = textAt(object, field);
  if (file.empty()) return std::string();
  auto text = readText(std::filesystem::path(baseDir) / file);
  if (!text) return failIn(field, text.error());
  return text;
}

Status parseServer(const std::string& server, Kubeconfig& out) {
  auto bad = [&] {
    return fail(Code::Invalid, fmt::format("server: \"{}\" is not a URL; write https://HOST:PORT", server));
  };
  const auto scheme = server.find("://");
  if (scheme == std::string::npos) return bad();
  const std::string name = server.substr(0, scheme);
  if (name != "https" && name != "http") return bad();
  out.tls = name == "https";
  out.port = out.tls ? 443 : 80;
  std::string rest = server.substr(scheme + 3);
  if (const auto slash = rest.find('/'); slash != std::string::npos) {
    out.pathPrefix = rest.substr(slash);
    while (out.pathPrefix.ends_with('/')) out.pathPrefix.pop_back();
    rest.resize(slash);
  }
  const auto bracket = rest.rfind(']');
  const auto colon = rest.rfind(':');
  if (colon != std::string::npos && (bracket == std::string::npos || colon > bracket)) {
    const std::string digits = rest.substr(colon + 1);
    const int port = digits.empty() || digits.size() > 5 || digits.find_first_not_of("0123456789") != std::string::npos
                         ? 0
                         : std::atoi(digits.c_str());
    if (port < 1 || port > 65535) return bad();
    out.port = static_cast<std::uint16_t>(port);
    rest.resize(colon);
  }
  if (rest.starts_with('[') && rest.ends_with(']')) rest = rest.substr(1, rest.size() - 2);
  if (rest.empty()) return bad();
  out.host = rest;
  return {};
}

Status readUser(const Json& user, const std::string& baseDir, Kubeconfig& out) {
  for (const char* plugin : {"exec", "auth-provider"}) {
    if (!at(user, plugin).is_null()) {
      return fail(
          Code::Unimplemented,
          fmt::format("{}: credential plugins are not supported; use token, tokenFile or a client certificate", plugin));
    }
  }
  SLIP_TRY(out.clientCertPem, pem(user, "client-certificate", baseDir));
  SLIP_TRY(out.clientKeyPem, pem(user, "client-key", baseDir));
  if (out.clientCertPem.empty() != out.clientKeyPem.empty()) {
    return fail(Code::Invalid, "client-certificate and client-key: give both or neither");
  }
  out.token = textAt(user, "token");
  const std::string file = textAt(user, "tokenFile");
  if (!file.empty()) {
    out.tokenFile = (std::filesystem::path(baseDir) / file).string();
    SLIP_TRY(auto token, readText(out.tokenFile));
    out.token = trimmed(std::move(token));
  }
  out.username = textAt(user, "username");
  out.password = textAt(user, "password");
  return {};
}

}  // namespace

Result<Kubeconfig> parseKubeconfig(std::string_view text, const std::string& baseDir, const std::string& context) {
  SLIP_TRY(auto config, parseYaml(text));
  const std::string name = context.empty() ? textAt(config, "current-context") : context;
  if (name.empty()) return fail(Code::Invalid, "current-context: Required value; set it or name a context");
  SLIP_TRY(auto chosen, entry(config, "contexts", "context", name));
  SLIP_TRY(auto cluster, entry(config, "clusters", "cluster", textAt(chosen, "cluster")));
  Kubeconfig out;
  SLIP_CHECK(parseServer(textAt(cluster, "server"), out));
  SLIP_TRY(out.caPem, pem(cluster, "certificate-authority", baseDir));
  out.insecureSkipTlsVerify = boolAt(cluster, "insecure-skip-tls-verify");
  out.ns = textAt(chosen, "namespace", "default");
  if (const std::string user = textAt(chosen, "user"); !user.empty()) {
    SLIP_TRY(auto credentials, entry(config, "users", "user", user));
    Status read = readUser(credentials, baseDir, out);
    if (!read) return failIn(fmt::format("user \"{}\"", user), read.error());
  }
  return out;
}

Result<Kubeconfig> loadKubeconfig(const std::string& file, const std::string& context) {
  auto text = readText(file);
  if (!text) return failIn("kubeconfig", text.error());
  auto config = parseKubeconfig(*text, std::filesystem::path(file).parent_path().string(), context);
  if (!config) return failIn("kubeconfig " + file, config.error());
  return config;
}

Result<Kubeconfig> inClusterConfig(const std::string& root) {
  const char* host = std::getenv("KUBERNETES_SERVICE_HOST");
  const char* port = std::getenv("KUBERNETES_SERVICE_PORT");
  if (host == nullptr || port == nullptr) {
    return fail(Code::Unavailable,
                "not in a pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set; give --kubeconfig FILE");
  }
  Kubeconfig out;
  const bool v6 = std::string_view(host).find(':') != std::string_view::npos;
  SLIP_CHECK(parseServer(fmt::format("https://{}{}{}:{}", v6 ? "[" : "", host, v6 ? "]" : "", port), out));
  out.tokenFile = root + "/token";
  SLIP_TRY(auto token, readText(out.tokenFile));
  out.token = trimmed(std::move(token));
  SLIP_TRY(out.caPem, readText(root + "/ca.crt"));
  if (auto ns = readText(root + "/namespace")) out.ns = trimmed(*ns);
  return out;
}

}  // namespace slipway::kube
