#include <CLI/CLI.hpp>
#include <cstdio>

#include "cmd/commands.h"

namespace slipway::cmd {

void addVersionCommand(CLI::App& app, int* exitCode) {
  app.add_subcommand("version", "Print the version")->callback([exitCode] {
    std::puts("slipway 0.1.0");
    *exitCode = 0;
  });
}

}  // namespace slipway::cmd
