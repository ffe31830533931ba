#include "cmd/usage.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

namespace slipway::cmd {
namespace {

// What `slipway ARGUMENTS…` would print on stderr; empty when it parses.
std::string refuse(std::vector<std::string> arguments) {
  CLI::App app{"test", "slipway"};
  app.require_subcommand(1);
  int port = 0, level = 0;
  std::string dir;
  CLI::App* up = app.add_subcommand("up", "Start");
  up->add_option("--api-port", port, "Port");
  up->add_option("--data-dir", dir, "Folder");
  up->add_option("--level", level, "Level")->check(CLI::Range(1, 5));
  app.add_subcommand("model-server", "Serve")->add_option("--model_dir", dir, "Folder")->required();
  std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
  try {
    app.parse(arguments);
  } catch (const CLI::ParseError& e) {
    return usageError(app, e);
  }
  return "";
}

TEST(Usage, NamesTheArgumentTheLikelyOneAndTheList) {
  EXPECT_EQ(refuse({"up", "--api-port", "1"}), "");
  EXPECT_EQ(refuse({"up", "--api-prt", "1"}),
            "slipway up: unknown option '--api-prt'; did you mean '--api-port'? slipway up --help lists the options");
  EXPECT_EQ(refuse({"up", "--color=x"}), "slipway up: unknown option '--color'; slipway up --help lists the options");
  EXPECT_EQ(refuse({"up", "now"}), "slipway up: unexpected argument 'now'; slipway up --help lists the options");
  EXPECT_EQ(refuse({"up", "--api-port", "abc"}),
            "slipway up: --api-port 'abc': expected a whole number; slipway up --help lists the options");
  EXPECT_EQ(refuse({"up", "--api-port", "99999999999"}),
            "slipway up: --api-port '99999999999': too large; slipway up --help lists the options");
  EXPECT_EQ(refuse({"up", "--level", "7"}),
            "slipway up: --level: Value 7 not in range 1 to 5; slipway up --help lists the options");
  EXPECT_EQ(refuse({"up", "--data-dir"}),
            "slipway up: --data-dir: 1 required TEXT missing; slipway up --help lists the options");
  EXPECT_EQ(refuse({"model-server"}),
            "slipway model-server: --model_dir is required; slipway model-server --help lists the options");
  EXPECT_EQ(refuse({}), "slipway: say what to do; slipway --help lists the commands");
}

TEST(Usage, ClosestFindsTyposAndBeginnings) {
  const std::vector<std::string> names{"up", "model-server", "gateway", "storage-init"};
  EXPECT_EQ(closest("modle-server", names), "model-server");
  EXPECT_EQ(closest("model", names), "model-server");
  EXPECT_EQ(closest("gatway", names), "gateway");
  EXPECT_EQ(closest("storage-initializer", names), "storage-init");
  EXPECT_EQ(closest("scheduler", names), "");
  EXPECT_EQ(closest("", names), "");
}

}  // namespace
}  // namespace slipway::cmd
