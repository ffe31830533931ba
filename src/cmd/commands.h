// The subcommands of the binary. Each add…Command declares its flags on `app` and runs when chosen; the process's exit
// status goes to *exitCode: 0 success, 1 failure (one line on stderr says why), 2 wrong usage.
#pragma once
#include <functional>

namespace CLI {
class App;
}

namespace slipway::cmd {

void addApiServerCommand(CLI::App& app, int* exitCode);
void addBackupCommands(CLI::App& app, int* exitCode);  // backup and restore
void addCompletionCommand(CLI::App& app, int* exitCode);
void addGatewayCommand(CLI::App& app, int* exitCode);
void addModelServerCommand(CLI::App& app, int* exitCode);
void addStorageInitCommand(CLI::App& app, int* exitCode);
void addUpCommand(CLI::App& app, int* exitCode);
void addVersionCommand(CLI::App& app, int* exitCode);

// `slipway node-exec …`, which the node starts once per container: handled before any flag is parsed, because its arguments
// are another program's. True: this was it.
bool runNodeExec(int argc, char** argv, int* exitCode);

}  // namespace slipway::cmd
