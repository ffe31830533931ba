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

}  // namespace

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
                                   "--name",
                                   "slipway-" + launch.id.substr(0, 16),
                                   "--network=host",
                                   "--log-driver=none",
                                   "--label",
                                   "slipway.pod=" + launch.podUid};
  for (const std::string& e : launch.env) {
    // Values go by podman's own environment, so that secrets do not show in the process list; PATH and HOME are the image's.
    const std::string name = e.substr(0, e.find('='));
    const bool own = std::any_of(env.begin(), env.end(), [&](const auto& x) { return x.first == name; });
    if (own || (name != "PATH" && name != "HOME")) argv.insert(argv.end(), {"--env", name});
  }
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
  if (command.is_array() && !command.empty()) argv.insert(argv.end(), {"--entrypoint", dumpJson(command)});
  argv.push_back(textAt(container, "image"));
  for (const Json& a : at(container, "args"))
    if (a.is_string()) argv.push_back(expandVariables(a.get<std::string>(), env));
  launch.argv = std::move(argv);
  launch.mounts.clear();
  launch.security = {};
  launch.hostname.clear();
  launch.workingDir.clear();
  launch.memoryLimit = launch.cpuMillis = 0;
  return launch;
}

}  // namespace slipway::node
