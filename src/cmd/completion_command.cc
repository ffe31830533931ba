#include <CLI/CLI.hpp>
#include <cstdio>

#include "cmd/commands.h"

namespace slipway::cmd {
namespace {

struct Entry {
  std::string name;
  std::string description;
  std::vector<std::string> flags;
};

std::string firstLine(const std::string& text) { return text.substr(0, text.find('\n')); }

std::vector<Entry> entries(const CLI::App& root) {
  std::vector<Entry> out;
  for (const CLI::App* sub : root.get_subcommands([](const CLI::App*) { return true; })) {
    if (sub->get_group().empty()) continue;  // hidden
    Entry entry{sub->get_name(), firstLine(sub->get_description()), {}};
    for (const CLI::Option* option : sub->get_options()) {
      for (const auto& flag : option->get_lnames()) entry.flags.push_back("--" + flag);
    }
    out.push_back(std::move(entry));
  }
  return out;
}

std::string joinNames(const std::vector<Entry>& all) {
  std::string out;
  for (const Entry& e : all) out += (out.empty() ? "" : " ") + e.name;
  return out;
}

std::string bash(const std::vector<Entry>& all) {
  std::string cases;
  for (const Entry& e : all) cases += fmt::format("    {}) words=\"{}\" ;;\n", e.name, fmt::join(e.flags, " "));
  return fmt::format(R"(_slipway() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} words
  if [ "$COMP_CWORD" = 1 ]; then
    COMPREPLY=($(compgen -W "{} --help" -- "$cur")); return
  fi
  case ${{COMP_WORDS[1]}} in
{}    *) words= ;;
  esac
  case $cur in
    -*) COMPREPLY=($(compgen -W "$words" -- "$cur")) ;;
    *) COMPREPLY=($(compgen -f -- "$cur")) ;;
  esac
}}
complete -o filenames -F _slipway slipway
)",
                     joinNames(all), cases);
}

std::string quoted(std::string text) {
  for (std::size_t i = 0; (i = text.find('\'', i)) != std::string::npos; i += 4) text.replace(i, 1, "'\\''");
  return text;
}

std::string zsh(const std::vector<Entry>& all) {
  std::string commands;
  std::string cases;
  for (const Entry& e : all) {
    commands += fmt::format("    '{}:{}'\n", e.name, quoted(e.description));
    cases += fmt::format("    {}) compadd -- {} ;;\n", e.name, fmt::join(e.flags, " "));
  }
  return fmt::format(R"(#compdef slipway
_slipway() {{
  local -a commands
  commands=(
{}  )
  if (( CURRENT == 2 )); then _describe command commands; return; fi
  case $PREFIX in -*) ;; *) _files; return ;; esac
  case ${{words[2]}} in
{}  esac
}}
compdef _slipway slipway
)",
                     commands, cases);
}

std::string fish(const std::vector<Entry>& all) {
  std::string out = "complete -c slipway -f\n";
  for (const Entry& e : all) {
    out += fmt::format("complete -c slipway -n __fish_use_subcommand -a {} -d '{}'\n", e.name, quoted(e.description));
    for (const std::string& flag : e.flags) {
      out += fmt::format("complete -c slipway -n '__fish_seen_subcommand_from {}' -l {} -F\n", e.name, flag.substr(2));
    }
  }
  return out;
}

}  // namespace

void addCompletionCommand(CLI::App& app, int* exitCode) {
  auto* sub = app.add_subcommand("completion", "Print a completion script for bash, zsh or fish");
  sub->footer("Example:\n  source <(slipway completion bash)");
  auto shell = std::make_shared<std::string>();
  sub->add_option("SHELL", *shell, "bash, zsh or fish")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
  sub->callback([&app, shell, exitCode] {
    const auto all = entries(app);
    const std::string script = *shell == "bash" ? bash(all) : *shell == "zsh" ? zsh(all) : fish(all);
    std::fputs(script.c_str(), stdout);
    *exitCode = 0;
  });
}

}  // namespace slipway::cmd
