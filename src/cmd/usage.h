// What a wrong command line is answered with: one line that names the argument, the likely one and where the list is.
//
//   slipway: unknown command 'mdel-server'; did you mean 'model-server'? slipway --help lists the commands
//   slipway up: unknown option '--api-prt'; did you mean '--api-port'? slipway up --help lists the options
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace slipway::cmd {

// The candidate that `word` is most likely meant to be: at most a third of its letters differ (Levenshtein distance, a swap
// of neighbours counts once), or it is the beginning of just one, or begins with it. Empty when none is near.
std::string closest(std::string_view word, const std::vector<std::string>& candidates);

// One line for stderr, without a newline, for what CLI11 refused.
std::string usageError(const CLI::App& app, const CLI::ParseError& error);
std::string unknownCommand(const CLI::App& app, const std::string& word);

}  // namespace slipway::cmd
