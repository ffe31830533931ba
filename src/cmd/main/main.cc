// slipway: the one binary. Declares the subcommands and runs the chosen one; no logic lives here.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "cmd/commands.h"

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
  // CLI11 would only say that a subcommand is required.
  auto named = [&](const CLI::App* sub) { return sub->get_name() == argv[1]; };
  if (argc > 1 && argv[1][0] != '-' && app.get_subcommands(named).empty()) {
    std::fprintf(stderr, "slipway: unknown command '%s'; slipway --help lists the commands\n", argv[1]);
    return 2;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    const int code = app.exit(e);
    return code == 0 ? 0 : 2;
  }
  return exitCode;
}
