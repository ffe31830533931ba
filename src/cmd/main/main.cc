// slipway: the one binary. Declares the subcommands and runs the chosen one; no logic lives here.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "cmd/commands.h"
#include "cmd/usage.h"

int main(int argc, char** argv) {
  int shimCode = 0;
  if (slipway::cmd::runNodeExec(argc, argv, &shimCode)) return shimCode;
  CLI::App app{"The OpenDataHub model-serving stack in one binary.", "slipway"};
  app.require_subcommand(1);
  app.set_version_flag("--version", "slipway 0.1.0", "Print the version");
  int exitCode = 0;
  slipway::cmd::addUpCommand(app, &exitCode);
  slipway::cmd::addModelServerCommand(app, &exitCode);
  slipway::cmd::addGatewayCommand(app, &exitCode);
  slipway::cmd::addApiServerCommand(app, &exitCode);
  slipway::cmd::addBackupCommands(app, &exitCode);
  slipway::cmd::addStorageInitCommand(app, &exitCode);
  slipway::cmd::addCompletionCommand(app, &exitCode);
  slipway::cmd::addVersionCommand(app, &exitCode);
  // `slipway help [COMMAND]` is --help.
  std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  if (!words.empty() && words[0] == "help") {
    words.erase(words.begin());
    words.push_back("--help");
  }
  // CLI11 would only say that a subcommand is required.
  auto named = [&](const CLI::App* sub) { return sub->get_name() == words[0]; };
  if (!words.empty() && !words[0].starts_with('-') && app.get_subcommands(named).empty()) {
    std::fprintf(stderr, "%s\n", slipway::cmd::unknownCommand(app, words[0]).c_str());
    return 2;
  }
  try {
    app.parse(std::vector<std::string>(words.rbegin(), words.rend()));  // CLI11 takes them from the back
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // --help, --version
    std::fprintf(stderr, "%s\n", slipway::cmd::usageError(app, e).c_str());
    return 2;
  }
  return exitCode;
}
