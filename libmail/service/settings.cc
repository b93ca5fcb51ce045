#include "libmail/service/settings.h"

#include <algorithm>

#include "libmail/service/row.h"

namespace posthorn::service {

namespace {

// Comment lines of at most 110 octets.
std::string comment(std::string_view text) {
  std::string out;
  std::string line = "#";
  for (const std::string_view word : words(text)) {
    if (line.size() + word.size() > 110) {
      out += line + "\n";
      line = "#";
    }
    line += " " + std::string(word);
  }
  return out + line + "\n";
}

// What stands above a key.
std::string sentences(const Row& row) {
  std::string text = row.help() + ".";
  text.front() = to_upper(text.front());
  if (row.kind() == Option::Kind::listeners) text += " inet:HOST:PORT, unix:PATH, fd:N or stdio:.";
  if (row.kind() == Option::Kind::endpoint) text += " inet:HOST:PORT or unix:PATH.";
  const std::string placeholder = row.placeholder();
  if (row.kind() == Option::Kind::text && placeholder.find('|') != std::string::npos) {
    text += " " + placeholder + ".";
  }
  const auto& keys = site_keys();
  const bool is_shared = std::ranges::find(keys, row.key()) != keys.end();
  if (is_shared || !row.reloads()) {
    const std::string shared = is_shared ? "may stand in posthorn.toml" : "";
    const std::string at_start = row.reloads() ? "" : "read at start";
    text += " (" + shared + (is_shared && !row.reloads() ? "; " : "") + at_start + ")";
  }
  return text;
}

}  // namespace

Settings::Settings(OptionTable& table, std::string agent, CommandLine command_line)
    : table_(table),
      agent_(std::move(agent)),
      command_line_(std::move(command_line)),
      site_(Site::find(command_line_.site)) {}

std::string Settings::file() const {
  if (command_line_.config_file.empty()) return site_.path("conf/" + agent_ + ".toml");
  return command_line_.config_file;
}

std::vector<Settings::Chosen> Settings::choose(std::vector<std::string>& errors) const {
  auto site_file = read_site_file(site_);
  auto agent_file = read_agent_file(table_, file(), !command_line_.config_file.empty());
  if (!site_file) errors = std::move(site_file.error());
  if (!agent_file)
    errors.insert(errors.end(), agent_file.error().begin(), agent_file.error().end());
  if (!errors.empty()) return {};

  return choose_from({&command_line_.values, &*agent_file, &site_file->values}, errors);
}

std::vector<Settings::Chosen> Settings::choose_from(const std::vector<const GivenValues*>& sources,
                                                    std::vector<std::string>& errors) const {
  std::vector<Chosen> chosen;
  for (const auto& option : table_.rows()) {
    const Row row{*option};
    const std::string key = row.key();
    Chosen choice{option.get(), row.preset()};
    for (const GivenValues* source : sources) {
      const auto given = source->find(key);
      if (given == source->end()) continue;
      const std::string problem = row.problem(given->second.texts);
      const bool is_flag = source == &command_line_.values;
      if (!problem.empty()) {
        errors.push_back(given->second.where + ": " + (is_flag ? "" : key + " ") + problem);
      }
      choice.texts = given->second.texts;
      break;
    }
    chosen.push_back(std::move(choice));
  }
  return chosen;
}

std::vector<std::string> Settings::load() {
  std::vector<std::string> errors;
  const auto chosen = choose(errors);
  if (!errors.empty()) return errors;
  for (const Chosen& choice : chosen) Row{*choice.option}.set(choice.texts, site_);
  return {};
}

std::vector<std::string> Settings::load_flags() {
  std::vector<std::string> errors;
  const auto chosen = choose_from({&command_line_.values}, errors);
  if (!errors.empty()) return errors;
  for (const Chosen& choice : chosen) Row{*choice.option}.set(choice.texts, site_);
  return {};
}

Settings::Reloaded Settings::reload() {
  Reloaded result;
  const auto chosen = choose(result.errors);
  if (!result.errors.empty()) return result;
  before_.clear();
  for (const Chosen& choice : chosen) {
    const Row row{*choice.option};
    if (row.current() == choice.texts) continue;
    if (!row.reloads()) {
      result.needs_restart.push_back(row.key());
      continue;
    }
    before_.push_back({choice.option, row.current()});
    row.set(choice.texts, site_);
    result.changed.push_back(row.key());
  }
  return result;
}

void Settings::undo() {
  for (const Chosen& old : before_) Row{*old.option}.set(old.texts, site_);
  before_.clear();
}

std::string print_config(const OptionTable& table, std::string_view agent,
                         std::string_view purpose) {
  std::string out = comment(std::string(agent) + ": " + std::string(purpose) + ".");
  out += comment(
      "A key behind a # has its default. A flag --KEY beats this file, this file beats "
      "posthorn.toml.");
  std::string group;
  for (const auto& option : table.rows()) {
    const Row row{*option};
    if (!row.in_file()) continue;
    if (row.group() != group) {
      group = row.group();
      out += "\n## " + group + "\n";
    }
    out += "\n" + comment(sentences(row));
    const bool preset = row.current() == row.preset();
    out += (preset ? "#" : "") + row.key() + " = " + row.toml(row.current()) + "\n";
  }
  return out;
}

}  // namespace posthorn::service
