#include "node/podman.h"

#include <unistd.h>

#include <cstdlib>
#include <sstream>

namespace slipway::node {
namespace {

// podman sets users, rights and the read-only root itself: only what the manifest says goes to it.
void addSecurity(std::vector<std::string>& argv, const Launch& launch, const Json& container) {
  const Security& s = launch.security;
  if (s.user) argv.insert(argv.end(), {"--user", fmt::format("{}:{}", *s.user, s.group.value_or(0))});
  for (const std::int64_t g : s.groups) argv.insert(argv.end(), {"--group-add", std::to_string(g)});
  if (s.readOnlyRoot) argv.insert(argv.end(), {"--read-only", "--read-only-tmpfs=false"});
  if (s.noNewPrivileges) argv.insert(argv.end(), {"--security-opt", "no-new-privileges"});
  for (const auto& [field, option] : {std::pair{"drop", "--cap-drop"}, std::pair{"add", "--cap-add"}})
    for (const Json& name : at(container, "securityContext", "capabilities", field))
      if (name.is_string()) argv.insert(argv.end(), {option, name.get<std::string>()});
}

// What podman itself reads from its environment: the platform's, whatever the container's are.
constexpr const char* kPodmansOwn[] = {"PATH", "HOME", "XDG_RUNTIME_DIR", "CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF"};

void addPodmansOwn(std::vector<std::string>& env) {
  for (const char* name : kPodmansOwn)
    if (const char* value = std::getenv(name); value != nullptr) env.push_back(fmt::format("{}={}", name, value));
}

constexpr const char* kPull = R"sh(
image=$1; policy=$2; auth=$3
if [ "$policy" = Always ] || { [ "$policy" != Never ] && ! podman image exists "$image"; }; then
  if [ -n "$auth" ]; then podman pull -q --authfile "$auth" "$image" || exit 1; else podman pull -q "$image" || exit 1; fi
else
  podman image exists "$image" || exit 2
fi
echo "user=$(podman image inspect --format '{{.Config.User}}' "$image")"
)sh";

}  // namespace

std::string podmanName(const Launch& launch) { return fmt::format("slipway-{}-{}", launch.podUid, launch.container); }

Launch pullLaunch(Launch base, const Json& container, const std::string& authFile) {
  base.argv = {
      "/bin/sh", "-c", kPull, "sh", textAt(container, "image"), textAt(container, "imagePullPolicy", "IfNotPresent"),
      authFile};
  base.privateFiles = false;
  addPodmansOwn(base.env);
  return base;
}

std::optional<std::string> imageUserIn(const std::string& output) {
  const std::size_t at = output.rfind("user=");
  if (at == std::string::npos || (at > 0 && output[at - 1] != '\n')) return std::nullopt;
  return output.substr(at + 5, output.find('\n', at) - at - 5);
}

std::string pullFailure(const Json& container, const std::string& output) {
  if (textAt(container, "imagePullPolicy") == "Never")
    return fmt::format("Container image \"{}\" is not present with pull policy of Never", textAt(container, "image"));
  std::string last = output;
  while (!last.empty() && last.back() == '\n') last.pop_back();
  return last.empty() ? "podman pull failed and said nothing" : last.substr(last.rfind('\n') + 1);
}

std::string authFileText(const std::vector<Json>& secrets) {
  Json auths = Json::object();
  for (const Json& secret : secrets) {
    const Json& data = at(secret, "data");
    const auto whole = parseJson(decodeBase64(textAt(data, ".dockerconfigjson")));
    const auto old = parseJson(decodeBase64(textAt(data, ".dockercfg")));
    if (whole && at(*whole, "auths").is_object()) auths.update(at(*whole, "auths"));
    if (old && old->is_object()) auths.update(*old);
  }
  return auths.empty() ? "" : dumpJson({{"auths", auths}});
}

bool podmanInstalled() {
  const char* path = std::getenv("PATH");
  std::stringstream in(path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin");
  for (std::string folder; std::getline(in, folder, ':');)
    if (::access((folder + "/podman").c_str(), X_OK) == 0) return true;
  return false;
}

Launch podmanLaunch(Launch launch, const Json& container, const Environment& env) {
  std::vector<std::string> argv = {"podman",
                                   "run",
                                   "--rm",
                                   "--replace",
                                   "--pull=never",
                                   "--name",
                                   podmanName(launch),
                                   "--network=host",
                                   "--log-driver=none",
                                   "--label",
                                   "slipway.pod=" + launch.podUid};
  for (const std::string& e : launch.env) {
    // Values go by podman's own environment, so that secrets do not show in the process list; PATH and HOME are the image's.
    const std::string name = e.substr(0, e.find('='));
    const bool own = std::any_of(env.begin(), env.end(), [&](const auto& x) { return x.first == name; });
    const bool podmans = std::find(std::begin(kPodmansOwn), std::end(kPodmansOwn), name) != std::end(kPodmansOwn);
    if (!podmans) argv.insert(argv.end(), {"--env", name});
    if (podmans && own) argv.insert(argv.end(), {"--env", e});
  }
  std::erase_if(launch.env, [](const std::string& e) {
    return std::find(std::begin(kPodmansOwn), std::end(kPodmansOwn), e.substr(0, e.find('='))) != std::end(kPodmansOwn);
  });
  addPodmansOwn(launch.env);
  for (const Mount& m : launch.mounts)
    argv.insert(argv.end(), {"--volume", m.source + ":" + m.target + (m.readOnly ? ":ro" : "")});
  addSecurity(argv, launch, container);
  if (launch.memoryLimit > 0) argv.insert(argv.end(), {"--memory", std::to_string(launch.memoryLimit)});
  if (launch.cpuMillis > 0)
    argv.insert(argv.end(), {"--cpus", fmt::format("{}.{:03d}", launch.cpuMillis / 1000, launch.cpuMillis % 1000)});
  if (launch.openStdin) argv.emplace_back("--interactive");
  if (launch.tty) argv.emplace_back("--tty");
  if (!launch.workingDir.empty()) argv.insert(argv.end(), {"--workdir", launch.workingDir});
  const Json& command = at(container, "command");
  if (command.is_array() && !command.empty()) {
    Json words = Json::array();
    for (const Json& word : command)
      if (word.is_string()) words.push_back(expandVariables(word.get<std::string>(), env));
    argv.insert(argv.end(), {"--entrypoint", dumpJson(words)});
  }
  argv.push_back(textAt(container, "image"));
  for (const Json& a : at(container, "args"))
    if (a.is_string()) argv.push_back(expandVariables(a.get<std::string>(), env));
  launch.argv = std::move(argv);
  launch.execPrefix = {"podman", "exec", "-i", podmanName(launch)};
  launch.privateFiles = false;  // podman keeps its own mounts
  launch.mounts.clear();
  launch.security = {};
  launch.hostname.clear();
  launch.workingDir.clear();
  launch.memoryLimit = launch.cpuMillis = 0;
  return launch;
}

}  // namespace slipway::node
