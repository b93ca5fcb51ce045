#include "agents/nslook/settings.h"

#include <fmt/format.h>

#include <array>

#include "libmail/base/text.h"

namespace posthorn::nslook {

namespace {

using Done = Result<void, std::string>;

// The flags, with the shortest abbreviation that nslookup takes.
struct FlagWord {
  std::string_view name;
  std::size_t shortest;
  void (*set)(Settings&, bool);
};
constexpr std::array<FlagWord, 11> flag_words{{
    {"debug", 3,
     [](Settings& s, bool on) {
       s.debug = on;
       s.d2 = s.d2 && on;
     }},
    {"d2", 2,
     [](Settings& s, bool on) {
       s.d2 = on;
       s.debug = s.debug || on;
     }},
    {"recurse", 3, [](Settings& s, bool on) { s.manner.recurse = on; }},
    {"search", 3, [](Settings& s, bool on) { s.use_search = on; }},
    {"defname", 3, [](Settings& s, bool on) { s.use_search = on; }},
    {"vc", 1, [](Settings& s, bool on) { s.manner.tcp = on; }},
    {"dnssec", 4, [](Settings& s, bool on) { s.manner.dnssec_ok = on; }},
    {"cdflag", 2, [](Settings& s, bool on) { s.manner.checking_disabled = on; }},
    {"ignoretc", 3, [](Settings& s, bool on) { s.manner.ignore_truncation = on; }},
    {"fail", 4, [](Settings& s, bool on) { s.fail = on; }},
    {"short", 5, [](Settings& s, bool on) { s.brief = on; }},
}};

bool abbreviates(std::string_view word, std::string_view name, std::size_t shortest) {
  return word.size() >= shortest && word.size() <= name.size() &&
         iequals(word, name.substr(0, word.size()));
}

bool set_flag(Settings& settings, std::string_view word) {
  for (const FlagWord& flag : flag_words) {
    if (abbreviates(word, flag.name, flag.shortest)) return flag.set(settings, true), true;
    if (!istarts_with(word, "no")) continue;
    if (abbreviates(word.substr(2), flag.name, flag.shortest)) {
      return flag.set(settings, false), true;
    }
  }
  return false;
}

template <class T>
Done set_number(std::string_view name, std::string_view text, T least, T greatest, T& into) {
  const auto number = parse_number<T>(text);
  if (!number || *number < least || *number > greatest) {
    return fail(fmt::format("{} is a number from {} to {}, not \"{}\"", name, least, greatest,
                            printable(text)));
  }
  into = *number;
  return {};
}

Done set_type(Settings& settings, std::string_view text) {
  const auto type = dns::parse_type(text);
  if (!type) return fail("unknown type \"" + printable(text) + "\"; TYPE99 gives one by number");
  settings.types = {*type};
  return {};
}

Done set_class(Settings& settings, std::string_view text) {
  const auto klass = dns::parse_class(text);
  if (!klass) return fail("unknown class \"" + printable(text) + "\": IN, CH or ANY");
  settings.klass = *klass;
  return {};
}

Done set_port(Settings& settings, std::string_view text) {
  auto done = set_number<std::uint16_t>("port", text, 1, 65535, settings.port);
  if (!done) return done;
  for (Place& place : settings.servers) {
    if (place.at.kind == async::Endpoint::Kind::inet) place.at.port = settings.port;
  }
  return {};
}

Done set_timeout(Settings& settings, std::string_view text) {
  unsigned seconds = 0;
  auto done = set_number<unsigned>("timeout", text, 1, 300, seconds);
  if (done) settings.manner.timeout = std::chrono::seconds(seconds);
  return done;
}

Done set_root(Settings& settings, std::string_view text) {
  auto place = parse_place(text, settings.port);
  if (!place) return fail(place.error());
  settings.roots = {std::move(*place)};
  return {};
}

Done set_search_list(Settings& settings, std::string_view text) {
  settings.search.clear();
  for (const std::string_view domain : split(text, '/')) {
    if (!domain.empty()) settings.search.emplace_back(domain);
  }
  settings.use_search = true;
  return {};
}

Done set_value(Settings& settings, std::string_view name, std::string_view value) {
  if (abbreviates(name, "type", 1) || abbreviates(name, "querytype", 1)) {
    return set_type(settings, value);
  }
  if (abbreviates(name, "class", 2)) return set_class(settings, value);
  if (abbreviates(name, "port", 2)) return set_port(settings, value);
  if (abbreviates(name, "timeout", 2)) return set_timeout(settings, value);
  if (abbreviates(name, "retry", 3)) {
    return set_number<unsigned>("retry", value, 0, 20, settings.manner.retries);
  }
  if (abbreviates(name, "ndots", 5))
    return set_number<unsigned>("ndots", value, 0, 15, settings.ndots);
  if (abbreviates(name, "root", 2)) return set_root(settings, value);
  if (abbreviates(name, "domain", 2) || abbreviates(name, "srchlist", 5)) {
    return set_search_list(settings, value);
  }
  return fail("unknown setting \"" + printable(name) + "\"; help lists them");
}

std::string types_text(const Settings& settings) {
  if (settings.types.empty()) return "A+AAAA";
  std::string text;
  for (const dns::Type type : settings.types) {
    text += (text.empty() ? "" : "+") + dns::to_string(type);
  }
  return text;
}

}  // namespace

Result<void, std::string> apply_set(Settings& settings, std::string_view word) {
  const auto equals = word.find('=');
  if (equals != std::string_view::npos) {
    return set_value(settings, word.substr(0, equals), word.substr(equals + 1));
  }
  if (set_flag(settings, word)) return {};
  return fail("unknown setting \"" + printable(word) + "\"; help lists them");
}

std::string show_settings(const Settings& settings) {
  std::string text;
  for (const Place& server : settings.servers) {
    text += fmt::format("Default server: {}\nAddress: {}\n", server.name, server.address_text());
  }
  const auto flag = [](bool on, std::string_view name) {
    return fmt::format("{}{}", on ? "" : "no", name);
  };
  text += "\nSet options:\n";
  text += fmt::format("  {:<16}{:<16}{}\n", flag(settings.manner.tcp, "vc"),
                      flag(settings.debug, "debug"), flag(settings.d2, "d2"));
  text += fmt::format("  {:<16}{:<16}{}\n", flag(settings.use_search, "search"),
                      flag(settings.manner.recurse, "recurse"), flag(settings.fail, "fail"));
  text +=
      fmt::format("  {:<16}{:<16}{}\n", flag(settings.manner.dnssec_ok, "dnssec"),
                  flag(settings.manner.checking_disabled, "cdflag"), flag(settings.brief, "short"));
  text +=
      fmt::format("  timeout = {:<6}retry = {:<8}port = {:<7}ndots = {}\n",
                  std::chrono::duration_cast<std::chrono::seconds>(settings.manner.timeout).count(),
                  settings.manner.retries, settings.port, settings.ndots);
  text += fmt::format("  querytype = {:<12}class = {}\n", types_text(settings),
                      dns::to_string(settings.klass));
  text += fmt::format("  srchlist = {}\n", fmt::join(settings.search, "/"));
  if (settings.manner.key) text += "  key = " + settings.manner.key->name.text() + "\n";
  return text;
}

}  // namespace posthorn::nslook
