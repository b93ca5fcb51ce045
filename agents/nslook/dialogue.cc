#include "agents/nslook/dialogue.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <sstream>

#include "agents/nslook/report.h"
#include "libmail/base/text.h"

namespace posthorn::nslook {

namespace {

// "ls -d example.org >zone": the command without the file, and the file.
struct Redirection {
  std::string command;
  std::string file;
  bool append = false;
};

Redirection cut_redirection(std::string_view line) {
  Redirection result;
  const auto at = line.find('>');
  result.command = line.substr(0, at);
  if (at == std::string_view::npos) return result;
  std::string_view rest = line.substr(at + 1);
  if (rest.starts_with('>')) {
    result.append = true;
    rest.remove_prefix(1);
  }
  result.file = trim(rest);
  return result;
}

std::string gone(std::string_view command) {
  return fmt::format("*** {} isn't there any more: it asked an old protocol, not DNS\n", command);
}

}  // namespace

Dialogue::Dialogue(Asker& asker, ZoneSource& zones, Settings settings, Output output, Extra extra)
    : asker_(asker),
      zones_(zones),
      settings_(std::move(settings)),
      first_servers_(settings_.servers),
      output_(std::move(output)),
      extra_(std::move(extra)) {}

async::Task<bool> Dialogue::take(std::string line) {
  if (line.ends_with('\r')) line.pop_back();
  const std::string_view trimmed = trim(line);
  if (trimmed.empty() || trimmed.front() == '#') co_return true;
  const Redirection where = cut_redirection(trimmed);
  Words words;
  for (const std::string_view word : posthorn::words(where.command)) words.emplace_back(word);
  if (words.empty()) co_return true;
  if (words[0] == "exit" || words[0] == "quit") co_return false;
  const std::string text = co_await run(std::move(words));
  if (trimmed.find('>') != std::string_view::npos && where.file.empty()) {
    output_("*** \">\" lacks the name of a file\n");
  } else {
    write(text, where.file, where.append);
  }
  co_return true;
}

void Dialogue::write(const std::string& text, const std::string& file, bool append) {
  if (file.empty()) {
    output_(text);
    return;
  }
  std::ofstream out(file, append ? std::ios::app : std::ios::trunc);
  out << text;
  out.close();
  if (!out) output_("*** couldn't write " + printable(file) + "\n");
}

async::Task<std::string> Dialogue::run(Words words) {
  const std::string command = words[0];
  if (command == "help" || command == "?") co_return std::string(help_text());
  if (command == "set") co_return set(words);
  if (command == "view") co_return view(words);
  if (command == "finger" || command == "f") co_return gone(command);
  if (command == "trace" || command == "dnssec" || command == "mail") {
    if (words.size() != 2) co_return "*** " + command + " takes one name\n";
    co_return co_await extra_(settings_, command, words[1]);
  }
  if (command == "server" || command == "lserver") {
    co_return co_await change_server(std::move(words));
  }
  if (command == "root") co_return co_await go_to_root();
  if (command == "ls") co_return co_await list(std::move(words));
  co_return co_await find(std::move(words));
}

std::string Dialogue::set(const Words& words) {
  if (words.size() < 2) return "*** set what? help lists it\n";
  std::string text;
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (words[i] == "all") {
      text += show_settings(settings_);
      continue;
    }
    const auto done = apply_set(settings_, words[i]);
    if (!done) text += "*** " + done.error() + "\n";
  }
  return text;
}

async::Task<std::string> Dialogue::change_server(Words words) {
  if (words.size() != 2) co_return "*** " + words[0] + " takes the name of a server\n";
  const auto place = parse_place(words[1], settings_.port);
  if (!place) co_return "*** " + place.error() + "\n";
  Settings by = settings_;
  if (words[0] == "lserver") by.servers = first_servers_;
  auto places = co_await find_place(asker_, by, *place);
  if (!places) co_return "*** " + places.error() + "\n";
  settings_.servers = std::move(*places);
  std::string text;
  for (const Place& server : settings_.servers) {
    text += fmt::format("Default server: {}\nAddress: {}\n", server.name, server.address_text());
  }
  co_return text;
}

async::Task<std::string> Dialogue::go_to_root() {
  if (settings_.roots.empty())
    co_return std::string("*** no root server is known: set root=HOST\n");
  Words words = {"server", settings_.roots.front().name};
  if (settings_.roots.front().has_address()) {
    settings_.servers = {settings_.roots.front()};
    const Place& place = settings_.servers.front();
    co_return fmt::format("Default server: {}\nAddress: {}\n", place.name, place.address_text());
  }
  co_return co_await change_server(std::move(words));
}

async::Task<std::string> Dialogue::list(Words words) {
  words.erase(words.begin());
  const auto listing = parse_listing(words);
  if (!listing) co_return "*** " + listing.error() + "\n";
  const auto zone = dns::Name::parse(listing->zone);
  if (!zone) co_return "*** \"" + printable(listing->zone) + "\" is no name of a zone\n";
  const auto is_wanted = [&](const dns::Record& record) {
    return listing->types.empty() ||
           std::ranges::find(listing->types, record.type()) != listing->types.end();
  };
  std::string last = "there is no server to ask";
  for (std::size_t i = 0; i < settings_.servers.size(); ++i) {
    Place place = settings_.servers[i];
    Manner manner = settings_.manner;
    auto records = co_await zones_.transfer(std::move(place), *zone, std::move(manner));
    exit_code_ = records ? 0 : 1;
    if (!records) {
      last = records.error();
      continue;
    }
    std::erase_if(*records, std::not_fn(is_wanted));
    co_return "[" + settings_.servers[i].name + "]\n" + show_listing(*records);
  }
  co_return "*** Can't list zone " + zone->text() + ": " + last + "\n";
}

std::string Dialogue::view(const Words& words) {
  if (words.size() != 2) return "*** view takes the name of a file\n";
  std::ifstream in(words[1]);
  if (!in) return "*** couldn't read " + printable(words[1]) + "\n";
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(printable(line, line.size()));
  std::ranges::sort(lines);
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

async::Task<std::string> Dialogue::find(Words words) {
  if (words.size() > 2)
    co_return std::string("*** a name, or a name and a server; help tells more\n");
  Settings settings = settings_;
  if (words.size() == 2) {
    const auto place = parse_place(words[1], settings.port);
    if (!place) co_return "*** " + place.error() + "\n";
    auto places = co_await find_place(asker_, settings_, *place);
    if (!places) co_return "*** " + places.error() + "\n";
    settings.servers = std::move(*places);
  }
  const LookUp found = co_await look_up(asker_, settings, words[0]);
  exit_code_ = found.is_found() ? 0 : 1;
  co_return show(found, settings);
}

}  // namespace posthorn::nslook
