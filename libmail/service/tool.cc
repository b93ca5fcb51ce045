#include "libmail/service/tool.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "libmail/base/text.h"
#include "libmail/service/agent.h"
#include "libmail/service/settings.h"

namespace posthorn::service {

namespace {

int report(std::string_view program, const ToolError& error, bool json) {
  if (json) {
    fmt::print(stderr, "{}", OpsReply::error(0, error.code, error.message, error.hint).body);
  } else {
    fmt::print(stderr, "{}: {}\n", program, error.message);
    if (!error.hint.empty()) fmt::print(stderr, "{}: {}\n", program, error.hint);
  }
  return error.exit;
}

// The commands whose names begin with `group` ("queue ", or "" for all).
std::string overview(std::string_view program, std::string_view purpose, std::string_view group,
                     const std::vector<std::unique_ptr<Tool>>& tools) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& tool : tools) {
    if (!tool->name().starts_with(group)) continue;
    rows.push_back({"  " + std::string(tool->name()) + " " + std::string(tool->words()),
                    std::string(tool->purpose())});
  }
  return fmt::format(
      "{}\nUsage: {} [--site DIR] [--json] COMMAND ...\n\n{}\n{} COMMAND --help tells more.\n",
      purpose, program, format_columns(rows), program);
}

// True if `name`'s words ("queue list") stand at `at` in `words`.
bool stands_at(std::string_view name, const std::vector<std::string>& words, std::size_t at) {
  const auto parts = split(name, ' ');
  if (words.size() < at + parts.size()) return false;
  return std::equal(parts.begin(), parts.end(), words.begin() + static_cast<std::ptrdiff_t>(at));
}

ToolError unknown_command(std::string_view program, const std::vector<std::unique_ptr<Tool>>& tools,
                          const std::string& word, const std::string& next) {
  std::vector<std::string> known;
  for (const auto& tool : tools) known.emplace_back(tool->name());
  std::string below;
  for (const std::string& name : known) {
    if (name.starts_with(word + " ")) below += (below.empty() ? "" : ", ") + name;
  }
  if (!below.empty() && next.empty()) {
    return {exit_code::usage, "usage", "\"" + word + "\" is not enough", "one of " + below};
  }
  auto near = nearest(word + (next.empty() ? "" : " " + next), known);
  if (!near) near = nearest(word, known);
  const std::string all = std::string(program) + " --help lists the commands";
  return {exit_code::usage, "usage", "there is no command \"" + printable(word) + "\"",
          near ? "did you mean " + *near + "? " + all : all};
}

bool asks_for_help(const std::vector<std::string>& arguments) {
  return std::ranges::find(arguments, "--help") != arguments.end() ||
         std::ranges::find(arguments, "-h") != arguments.end();
}

int run_tool(std::string_view program, Tool& tool, const std::vector<std::string>& arguments) {
  OptionTable table;
  tool.describe(table);
  table.group("Every command");
  bool json = false;
  table.add("json", json, "results as JSON on standard output, errors as JSON on standard error")
      .flag_only();
  const std::string full = std::string(program) + " " + std::string(tool.name());
  const Program shown{full, std::string(tool.purpose()), std::string(tool.words()), false};
  auto line = parse_command_line(table, shown, arguments);
  const bool wants_json = std::ranges::find(arguments, "--json") != arguments.end();
  if (!line)
    return report(full,
                  {exit_code::usage, "usage", line.error(), full + " --help lists the options"},
                  wants_json);
  using Ask = CommandLine::Ask;
  if (line->ask == Ask::help) fmt::print("{}", line->help);
  if (line->ask == Ask::print_version) fmt::print("posthorn {}\n", version);
  if (line->ask != Ask::run) return exit_code::ok;
  ToolCall call{Site::find(line->site), line->words, false};
  Settings settings(table, full, std::move(*line));
  const auto errors = settings.load_flags();
  if (!errors.empty()) return report(full, {exit_code::usage, "usage", errors.front()}, wants_json);
  call.json = json;
  const auto done = tool.run(call);
  return done ? *done : report(full, done.error(), json);
}

}  // namespace

int run_tools(std::string_view program, std::string_view purpose,
              const std::vector<std::unique_ptr<Tool>>& tools,
              const std::vector<std::string>& arguments) {
  // The first word that is neither an option nor the value of --site begins the command.
  std::size_t at = 0;
  while (at < arguments.size() && arguments[at].starts_with('-'))
    at += arguments[at] == "--site" ? 2 : 1;
  if (at >= arguments.size()) {
    const bool asked = asks_for_help(arguments);
    const bool wants_version = std::ranges::find(arguments, "--version") != arguments.end();
    if (wants_version) fmt::print("posthorn {}\n", version);
    if (!wants_version)
      fmt::print(asked ? stdout : stderr, "{}", overview(program, purpose, "", tools));
    return asked || wants_version ? exit_code::ok : exit_code::usage;
  }
  const auto tool = std::ranges::find_if(
      tools, [&](const auto& each) { return stands_at(each->name(), arguments, at); });
  if (tool == tools.end()) {
    const std::string group = arguments[at] + " ";
    const bool is_group = std::ranges::any_of(
        tools, [&](const auto& each) { return each->name().starts_with(group); });
    if (is_group && asks_for_help(arguments)) {
      fmt::print("{}", overview(program, purpose, group, tools));
      return exit_code::ok;
    }
    const std::string next = at + 1 < arguments.size() ? arguments[at + 1] : "";
    const bool json = std::ranges::find(arguments, "--json") != arguments.end();
    return report(program, unknown_command(program, tools, arguments[at], next), json);
  }
  std::vector<std::string> rest = arguments;
  const auto first = rest.begin() + static_cast<std::ptrdiff_t>(at);
  rest.erase(first, first + static_cast<std::ptrdiff_t>(split((*tool)->name(), ' ').size()));
  return run_tool(program, **tool, rest);
}

std::string format_columns(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  std::vector<std::vector<std::string>> shown;
  for (const auto& row : rows) {
    auto& cells = shown.emplace_back();
    for (std::size_t i = 0; i < row.size(); ++i) {
      cells.push_back(printable(row[i]));
      if (widths.size() <= i) widths.push_back(0);
      widths[i] = std::max(widths[i], cells.back().size());
    }
  }
  std::string out;
  for (const auto& row : shown) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - row[i].size() + 2, ' ');
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

}  // namespace posthorn::service
