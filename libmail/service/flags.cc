// The only file of the room that includes CLI11, which is slow to compile.
#include <CLI/CLI.hpp>

#include "libmail/service/row.h"
#include "libmail/service/settings.h"

namespace posthorn::service {

namespace {

struct Flags {
  CLI::App app;
  CommandLine line;
  bool help = false, version = false, check_config = false, print_config = false,
       print_listeners = false;
  std::map<const Option*, CLI::Option*> by_row;

  Flags(const OptionTable& table, const Program& program)
      : app(program.name + ": " + program.purpose, program.name) {
    app.set_help_flag();
    app.allow_extras();  // we report them ourselves, with the nearest name
    app.get_formatter()->column_width(34);
    for (const auto& option : table.rows()) add(Row{*option});
    add_common(program);
  }

  void add(const Row& row) {
    std::string names = row.short_name() != 0 ? std::string("-") + row.short_name() + "," : "";
    names += row.flag();
    // What a file may switch on a flag must be able to switch off.
    if (row.kind() == Option::Kind::flag && row.in_file()) names += ",!--no-" + row.name();
    const std::string preset = default_text(row);
    const std::string text = preset.empty() ? row.help() : row.help() + " [" + preset + "]";
    CLI::Option* flag =
        row.kind() == Option::Kind::flag ? app.add_flag(names, text) : app.add_option(names, text);
    flag->group(row.group().empty() ? "Options" : row.group());
    if (row.kind() != Option::Kind::flag) {
      flag->type_name(row.placeholder());
      flag->expected(1);
      flag->multi_option_policy(row.takes_many() ? CLI::MultiOptionPolicy::TakeAll
                                                 : CLI::MultiOptionPolicy::TakeLast);
    }
    by_row.emplace(&row.option, flag);
  }

  void add_common(const Program& program) {
    const std::string group = program.is_agent ? "Every agent" : "Every command";
    const auto flag = [&](const char* name, bool& value, const char* text) {
      app.add_flag(name, value, text)->group(group);
    };
    app.add_option("--site", line.site, "the site's directory [$POSTHORN_SITE, else /etc/posthorn]")
        ->type_name("DIR")
        ->group(group);
    if (program.is_agent) {
      const std::string preset = "DIR/conf/" + program.name + ".toml";
      app.add_option("--config", line.config_file, "read this file in place of " + preset)
          ->type_name("FILE")
          ->group(group);
      flag("--check-config", check_config, "look at everything the options name, change nothing");
      flag("--print-config", print_config, "print the effective configuration as TOML");
      flag("--print-listeners", print_listeners,
           "print a line for each socket that is listened on");
    }
    flag("--version", version, "print the version");
    flag("-h,--help", help, "print this text");
  }

  static std::string default_text(const Row& row) {
    std::string text;
    for (const std::string& one : row.preset()) text += (text.empty() ? "" : " ") + one;
    return text;
  }

  void take(const OptionTable& table) {
    for (const auto& option : table.rows()) {
      const Row row{*option};
      const CLI::Option* flag = by_row.at(option.get());
      if (flag->count() == 0) continue;
      Given given{flag->results(), row.flag()};
      // Flags that count ("--x --x") and single values: the last one wins.
      if (!row.takes_many()) given.texts.erase(given.texts.begin(), given.texts.end() - 1);
      if (row.kind() == Option::Kind::listeners &&
          given.texts == std::vector<std::string>{"none"}) {
        given.texts.clear();  // a flag has no other way to say []
      }
      line.values.emplace(row.key(), std::move(given));
    }
    using Ask = CommandLine::Ask;
    line.ask = help              ? Ask::help
               : version         ? Ask::print_version
               : print_config    ? Ask::print_config
               : print_listeners ? Ask::print_listeners
               : check_config    ? Ask::check_config
                                 : Ask::run;
  }
};

std::string unknown(const std::string& word, const CLI::App& app) {
  if (!word.starts_with('-')) return "unexpected argument \"" + printable(word) + "\"";
  std::vector<std::string> known;
  for (const CLI::Option* option : app.get_options()) known.push_back(option->get_name());
  const std::string name = word.substr(0, word.find('='));
  const auto near = nearest(name, known);
  return "unknown option " + printable(name) + (near ? ", did you mean " + *near + "?" : "") +
         " (--help lists all)";
}

// CLI11 knows nothing of our words, shows a value behind --no-NAME, and is generous with blank lines.
std::string help_text(const CLI::App& app, const Program& program) {
  std::string text = app.help();
  for (const std::string_view noise : {"{false}", "\n\n\n"}) {
    const std::string_view instead = noise == "{false}" ? "" : "\n\n";
    for (auto at = text.find(noise); at != std::string::npos; at = text.find(noise))
      text.replace(at, noise.size(), instead);
  }
  const std::string usage = "[OPTIONS]";
  const auto at = text.find(usage);
  if (at != std::string::npos && !program.words.empty())
    text.insert(at + usage.size(), " " + program.words);
  return text;
}

}  // namespace

Result<CommandLine, std::string> parse_command_line(const OptionTable& table,
                                                    const Program& program,
                                                    const std::vector<std::string>& arguments) {
  Flags flags(table, program);
  // CLI11 takes them in reverse order.
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  try {
    flags.app.parse(std::move(reversed));
  } catch (const CLI::ParseError& error) {
    return fail(std::string(error.what()));
  }
  flags.take(table);
  bool only_words = false;  // behind "--"
  for (const std::string& extra : flags.app.remaining()) {
    if (extra == "--" && !only_words && !program.words.empty()) {
      only_words = true;
      continue;
    }
    if (program.words.empty() || (extra.starts_with('-') && extra != "-" && !only_words))
      return fail(unknown(extra, flags.app));
    flags.line.words.push_back(extra);
  }
  if (flags.help) flags.line.help = help_text(flags.app, program);
  return std::move(flags.line);
}

}  // namespace posthorn::service
