#include "cmd/usage.h"

#include <CLI/CLI.hpp>

namespace slipway::cmd {
namespace {

// Optimal string alignment distance.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

std::vector<std::string> commandNames(const CLI::App& app) {
  std::vector<std::string> out;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; }))
    if (!sub->get_group().empty()) out.push_back(sub->get_name());  // no group: hidden
  return out;
}

std::vector<std::string> optionNames(const CLI::App& app) {
  std::vector<std::string> out;
  for (const CLI::Option* option : app.get_options())
    for (const auto& name : option->get_lnames()) out.push_back("--" + name);
  return out;
}

std::string didYouMean(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string near = closest(word, candidates);
  return near.empty() ? "" : fmt::format(" did you mean '{}'?", near);
}

// The subcommand that the words had reached.
const CLI::App& deepest(const CLI::App& app) {
  const auto chosen = app.get_subcommands();
  return chosen.empty() ? app : deepest(*chosen.front());
}

std::string fullName(const CLI::App& app) {
  return app.get_parent() ? fullName(*app.get_parent()) + " " + app.get_name() : app.get_name();
}

std::string typeOf(const CLI::App& at, std::string_view option) {
  for (const CLI::Option* o : at.get_options())
    if (o->get_name() == option) return o->get_type_name();
  return "";
}

// CLI11's words for what has no better ones: "--x: Value 7 not in range 1 to 5".
std::string plainly(const CLI::App& at, const CLI::ParseError& error) {
  std::string text = error.what();
  static constexpr std::string_view kConvert = "Could not convert: ";
  if (!text.starts_with(kConvert)) return text;
  text.erase(0, kConvert.size());
  const auto equals = text.find(" = ");
  const std::string name = text.substr(0, equals), value = equals == std::string::npos ? "" : text.substr(equals + 3);
  const std::string type = typeOf(at, name);
  const bool whole = type.starts_with("INT") || type.starts_with("UINT");
  if (whole && !value.empty() && value.find_first_not_of("0123456789") == std::string::npos)
    return fmt::format("{} '{}': too large", name, value);
  return fmt::format("{} '{}': expected {}", name, value,
                     whole                       ? "a whole number"
                     : type.starts_with("FLOAT") ? "a number"
                                                 : "another kind of value");
}

}  // namespace

std::string closest(std::string_view word, const std::vector<std::string>& candidates) {
  std::string best, begun;
  std::size_t bestDistance = word.size() / 3 + 1, begins = 0;
  for (const auto& candidate : candidates) {
    if (const auto d = distance(word, candidate); d < bestDistance) best = candidate, bestDistance = d;
    const bool begin = candidate.starts_with(word) || word.starts_with(candidate);
    if (word.size() >= 3 && candidate.size() >= 3 && begin) begun = candidate, ++begins;
  }
  return best.empty() && begins == 1 ? begun : best;
}

std::string unknownCommand(const CLI::App& app, const std::string& word) {
  return fmt::format("{}: unknown command '{}';{} {} --help lists the commands", fullName(app), word,
                     didYouMean(word, commandNames(app)), fullName(app));
}

std::string usageError(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& at = deepest(app);
  const std::string name = fullName(at);
  const std::string hint = fmt::format("{} --help lists the {}", name, at.get_parent() ? "options" : "commands");
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError)) {
    // An unknown option and its value are both left over; the option is the one to name.
    const auto extras = app.remaining(true);
    const auto dashed = std::find_if(extras.begin(), extras.end(), [](const auto& w) { return w.starts_with('-'); });
    const std::string word = extras.empty() ? "" : dashed == extras.end() ? extras.front() : *dashed;
    const std::string option = word.substr(0, word.find('='));
    if (option.starts_with('-'))
      return fmt::format("{}: unknown option '{}';{} {}", name, option, didYouMean(option, optionNames(at)), hint);
    return fmt::format("{}: unexpected argument '{}'; {}", name, word, hint);
  }
  if (&at == &app && error.get_name() == "RequiredError") return fmt::format("{}: say what to do; {}", name, hint);
  return fmt::format("{}: {}; {}", name, plainly(at, error), hint);
}

}  // namespace slipway::cmd
