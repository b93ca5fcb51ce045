// From flags and files to values: what run_agent, the supervisor and `posthorn check` read.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/service/options.h"

namespace posthorn::service {

// What a flag or a file says about one option, and where ("--max-recipients",
// "/x/conf/smtpd.toml:12").
struct Given {
  std::vector<std::string> texts;
  std::string where;
};
using GivenValues = std::map<std::string, Given>;  // by the key: "max_recipients"

// What the command line asks for.
struct CommandLine {
  enum class Ask { run, help, print_version, print_config, print_listeners, check_config };
  Ask ask = Ask::run;
  std::string site;         // --site
  std::string config_file;  // --config; "" = DIR/conf/NAME.toml
  GivenValues values;
  std::vector<std::string> words;  // what is no option
  std::string help;                // the text of --help
};
// A program as --help shows it.
struct Program {
  std::string name;      // "smtpd", "posthorn user add"
  std::string purpose;   // one line
  std::string words;     // what may stand behind the options: "ADDRESS...", "" = nothing
  bool is_agent = true;  // with --config, --check-config and so on
};
// The error is one sentence for standard error.
Result<CommandLine, std::string> parse_command_line(const OptionTable& table,
                                                    const Program& program,
                                                    const std::vector<std::string>& arguments);

// [agents.NAME] of posthorn.toml.
struct AgentEntry {
  std::string name;
  bool run = true;
  std::vector<std::string> command;  // empty = the program of that name beside posthorn's
  std::string where;                 // "/x/conf/posthorn.toml:30"
};
struct SiteFile {
  GivenValues values;  // of site_keys() only
  std::vector<AgentEntry> agents;
};
// A file that does not exist is an empty one. Each error: file, line, what is wrong, what to do.
Result<SiteFile, std::vector<std::string>> read_site_file(const Site& site);
// NAME.toml. `must_exist`: it was named by --config.
Result<GivenValues, std::vector<std::string>> read_agent_file(const OptionTable& table,
                                                              const std::string& path,
                                                              bool must_exist);

// Puts the sources together, strongest first, and sets every row. If any value is wrong nothing is
// set.
class Settings {
 public:
  Settings(OptionTable& table, std::string agent, CommandLine command_line);
  [[nodiscard]] const Site& site() const { return site_; }
  // The file that is this agent's: --config or DIR/conf/NAME.toml.
  [[nodiscard]] std::string file() const;

  std::vector<std::string> load();
  // Only flags and defaults: for programs that are no agents.
  std::vector<std::string> load_flags();

  // Reads the files again. A row that is read at start only keeps its value.
  struct Reloaded {
    std::vector<std::string> errors;         // nothing was changed
    std::vector<std::string> changed;        // keys with a new value
    std::vector<std::string> needs_restart;  // keys whose new value waits for a restart
  };
  Reloaded reload();
  // Back to the values before the last reload().
  void undo();

 private:
  struct Chosen {
    Option* option;
    std::vector<std::string> texts;
  };
  std::vector<Chosen> choose(std::vector<std::string>& errors) const;
  std::vector<Chosen> choose_from(const std::vector<const GivenValues*>& sources,
                                  std::vector<std::string>& errors) const;

  OptionTable& table_;
  std::string agent_;
  CommandLine command_line_;
  Site site_;
  std::vector<Chosen> before_;
};

// The effective configuration as TOML: every key below its sentence; one that has its default
// stands as a comment.
[[nodiscard]] std::string print_config(const OptionTable& table, std::string_view agent,
                                       std::string_view purpose);
}  // namespace posthorn::service
