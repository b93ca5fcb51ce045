// The only file of the room that includes toml++, in its compiled form.
#include <toml++/toml.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "libmail/service/row.h"
#include "libmail/service/settings.h"

namespace posthorn::service {

namespace {

using Errors = std::vector<std::string>;

std::string place(const std::string& file, const toml::source_region& source) {
  return file + ":" + std::to_string(source.begin.line);
}

struct ParsedFile {
  toml::table table;
  Errors errors;
};

ParsedFile parse_file(const std::string& path, bool must_exist) {
  ParsedFile parsed;
  std::error_code error;
  if (!std::filesystem::exists(path, error) && !error) {
    if (must_exist) parsed.errors.push_back(path + ": no such file");
    return parsed;
  }
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  if (!in || std::filesystem::is_directory(path, error)) {
    parsed.errors.push_back(
        path + ": can't be read: " + (errno != 0 ? std::strerror(errno) : "not a file"));
    return parsed;
  }
  try {
    parsed.table = toml::parse(text.str(), path);
  } catch (const toml::parse_error& problem) {
    parsed.errors.push_back(place(path, problem.source()) + ": " +
                            std::string(problem.description()));
  }
  return parsed;
}

// One value as the text a flag would have.
std::optional<std::string> scalar_text(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return std::to_string(number->get());
  if (const auto* truth = node.as_boolean()) return truth->get() ? "true" : "false";
  return std::nullopt;
}

// A string, number or truth value, or an array of them.
std::optional<std::vector<std::string>> texts_of(const toml::node& node) {
  std::vector<std::string> texts;
  if (const auto* array = node.as_array()) {
    for (const toml::node& item : *array) {
      auto text = scalar_text(item);
      if (!text) return std::nullopt;
      texts.push_back(std::move(*text));
    }
    return texts;
  }
  auto text = scalar_text(node);
  if (!text) return std::nullopt;
  texts.push_back(std::move(*text));
  return texts;
}

std::string unknown_key(std::string_view key, const std::vector<std::string>& known) {
  const auto near = nearest(key, known);
  return "unknown key " + printable(key) + (near ? ", did you mean " + *near + "?" : "");
}

// The keys of `table` that are `known`; every other one is an error.
void take_values(const toml::table& table, const std::string& path,
                 const std::vector<std::string>& known, GivenValues& values, Errors& errors) {
  for (const auto& [key, node] : table) {
    const std::string where = place(path, node.source());
    if (std::ranges::find(known, key.str()) == known.end()) {
      errors.push_back(where + ": " + unknown_key(key.str(), known));
      continue;
    }
    auto texts = texts_of(node);
    if (!texts) {
      errors.push_back(where + ": " + std::string(key.str()) +
                       " expects a string, a number, true, false or a list of them");
      continue;
    }
    values.insert_or_assign(std::string(key.str()), Given{std::move(*texts), where});
  }
}

void take_agent(std::string_view name, const toml::node& node, const std::string& path,
                SiteFile& site, Errors& errors) {
  AgentEntry entry;
  entry.name = name;
  entry.where = place(path, node.source());
  const toml::table* table = node.as_table();
  if (table == nullptr) {
    errors.push_back(entry.where + ": agents." + entry.name + " expects a table: [agents." +
                     entry.name + "]");
    return;
  }
  for (const auto& [key, value] : *table) {
    const std::string where = place(path, value.source());
    auto texts = texts_of(value);
    if (key == "run" && value.is_boolean()) {
      entry.run = value.as_boolean()->get();
    } else if (key == "command" && texts && !texts->empty()) {
      entry.command = value.is_array() ? std::move(*texts) : std::vector<std::string>();
      if (!value.is_array()) {
        for (const std::string_view word : words(texts->front())) entry.command.emplace_back(word);
      }
    } else if (key == "run" || key == "command") {
      errors.push_back(
          where + ": " + std::string(key.str()) +
          (key == "run" ? " expects true or false" : " expects the program and its arguments"));
    } else {
      errors.push_back(where + ": " + unknown_key(key.str(), {"run", "command"}));
    }
  }
  site.agents.push_back(std::move(entry));
}

}  // namespace

Result<SiteFile, Errors> read_site_file(const Site& site) {
  const std::string path = site.path("conf/posthorn.toml");
  ParsedFile parsed = parse_file(path, false);
  SiteFile found;
  std::vector<std::string> known = site_keys();
  if (const toml::node* agents = parsed.table.get("agents")) {
    if (const toml::table* table = agents->as_table()) {
      for (const auto& [name, node] : *table)
        take_agent(name.str(), node, path, found, parsed.errors);
    } else {
      parsed.errors.push_back(place(path, agents->source()) +
                              ": agents expects tables: [agents.NAME]");
    }
    parsed.table.erase("agents");
  }
  known.emplace_back("agents");  // for the nearest name only
  take_values(parsed.table, path, known, found.values, parsed.errors);
  if (!parsed.errors.empty()) return fail(std::move(parsed.errors));
  return found;
}

Result<GivenValues, Errors> read_agent_file(const OptionTable& table, const std::string& path,
                                            bool must_exist) {
  ParsedFile parsed = parse_file(path, must_exist);
  std::vector<std::string> known;
  for (const auto& option : table.rows()) {
    const Row row{*option};
    if (row.in_file()) known.push_back(row.key());
  }
  GivenValues values;
  take_values(parsed.table, path, known, values, parsed.errors);
  if (!parsed.errors.empty()) return fail(std::move(parsed.errors));
  return values;
}

}  // namespace posthorn::service
