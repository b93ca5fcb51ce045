// mua completion bash|zsh|fish: prints a script made of the verbs and their options.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "agents/mua/verbs.h"
#include "libmail/base/text.h"
#include "libmail/service/settings.h"

namespace posthorn::mua {

namespace {

struct Verb {
  std::string name;
  std::string purpose;
  std::vector<std::string> options;
};

// Options as --help shows them: the one table knows them all.
std::vector<std::string> options_of(Tool& tool) {
  OptionTable table;
  tool.describe(table);
  const service::Program shown{"mua", "", "", false};
  const auto line = service::parse_command_line(table, shown, {"--help"});
  std::set<std::string> names = {"--json", "--help"};
  if (!line) return {names.begin(), names.end()};
  for (const std::string_view row : split(line->help, '\n')) {
    const std::string_view text = trim(row);
    if (!text.starts_with("--")) continue;
    const auto end = std::ranges::find_if(text, [](char c) { return !is_alnum(c) && c != '-'; });
    names.emplace(text.begin(), end);
  }
  return {names.begin(), names.end()};
}

std::vector<Verb> all_verbs() {
  std::vector<Verb> all;
  for (const auto& tool : verbs())
    all.push_back({std::string(tool->name()), std::string(tool->purpose()), options_of(*tool)});
  return all;
}

// First words, and the words that may follow a first one.
std::vector<std::string> words_after(const std::vector<Verb>& all, const std::string& first) {
  std::vector<std::string> words;
  for (const Verb& verb : all) {
    const auto space = verb.name.find(' ');
    const std::string head = verb.name.substr(0, space);
    std::string word = head;
    if (!first.empty())
      word = head == first && space != std::string::npos ? verb.name.substr(space + 1) : "";
    if (!word.empty() && std::ranges::find(words, word) == words.end()) words.push_back(word);
  }
  return words;
}

std::string bash(const std::vector<Verb>& all) {
  std::string cases;
  for (const Verb& verb : all)
    cases += fmt::format("    \"{}\"*) words=\"{}\" ;;\n", verb.name, fmt::join(verb.options, " "));
  std::string groups;
  for (const std::string& first : words_after(all, "")) {
    const auto below = words_after(all, first);
    if (!below.empty())
      groups += fmt::format("      {}) words=\"{}\" ;;\n", first, fmt::join(below, " "));
  }
  return fmt::format(
      R"(# bash completion for mua; put it into ~/.local/share/bash-completion/completions/mua
_mua() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} words=""
  local line="${{COMP_WORDS[*]:1:COMP_CWORD-1}}"
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="{}"
  elif [ "$COMP_CWORD" -eq 2 ]; then
    case ${{COMP_WORDS[1]}} in
{}    esac
  fi
  if [ -z "$words" ] || [[ $current == -* ]]; then
    case "$line" in
{}    esac
  fi
  if [[ $current == -* || $COMP_CWORD -le 2 ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  else
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
  fi
}}
complete -o filenames -F _mua mua
)",
      fmt::join(words_after(all, ""), " "), groups, cases);
}

std::string zsh(const std::vector<Verb>& all) {
  return "#compdef mua\nautoload -U +X bashcompinit && bashcompinit\n" + bash(all);
}

std::string fish(const std::vector<Verb>& all) {
  const auto quoted = [](std::string text) {
    std::string out;
    for (const char c : text)
      out += c == '\'' || c == '\\' ? std::string("\\") + c : std::string(1, c);
    return "'" + out + "'";
  };
  std::string text = "# fish completion for mua; put it into ~/.config/fish/completions/mua.fish\n";
  for (const Verb& verb : all) {
    const auto space = verb.name.find(' ');
    const std::string first = verb.name.substr(0, space);
    text += fmt::format("complete -c mua -n __fish_use_subcommand -f -a {} -d {}\n", first,
                        quoted(verb.purpose));
    if (space != std::string::npos)
      text += fmt::format("complete -c mua -n '__fish_seen_subcommand_from {}' -f -a {} -d {}\n",
                          first, verb.name.substr(space + 1), quoted(verb.purpose));
    for (const std::string& option : verb.options)
      text += fmt::format("complete -c mua -n '__fish_seen_subcommand_from {}' -l {}\n", first,
                          option.substr(2));
  }
  return text;
}

class Completion final : public Tool {
 public:
  [[nodiscard]] std::string_view name() const override { return "completion"; }
  [[nodiscard]] std::string_view words() const override { return "bash|zsh|fish"; }
  [[nodiscard]] std::string_view purpose() const override {
    return "print a script that completes mua's words in a shell";
  }
  Result<int, ToolError> run(const ToolCall& call) override {
    const std::string shell = call.words.size() == 1 ? call.words.front() : "";
    if (shell == "bash")
      fmt::print("{}", bash(all_verbs()));
    else if (shell == "zsh")
      fmt::print("{}", zsh(all_verbs()));
    else if (shell == "fish")
      fmt::print("{}", fish(all_verbs()));
    else
      return fail(
          ToolError(exit_code::usage, "usage", "a shell has to be named: bash, zsh or fish"));
    return exit_code::ok;
  }
};

}  // namespace

std::unique_ptr<Tool> make_completion() {
  return std::make_unique<Completion>();
}

}  // namespace posthorn::mua
