#include "libmail/pop3/command.h"

#include <array>

#include "libmail/base/base64.h"
#include "libmail/base/text.h"

namespace posthorn::pop3 {
namespace {

using Parsed = Result<Command, std::string>;

Parsed wrong(const char* why) {
  return fail(std::string(why));
}

// RFC 1939 section 3 has no sign, no leading zeros rule: digits.
std::optional<std::uint32_t> message_number(std::string_view text) {
  const auto number = parse_number<std::uint32_t>(text);
  return number && *number > 0 ? number : std::nullopt;
}

Parsed parse_auth(std::string_view arguments) {
  Auth auth;
  const std::size_t space = arguments.find(' ');
  auth.mechanism = upper(arguments.substr(0, space));
  if (auth.mechanism.size() > 20) return wrong("a mechanism name has 1 to 20 characters");
  for (const char c : auth.mechanism) {
    if (!is_alnum(c) && c != '-' && c != '_')
      return wrong("a mechanism name has letters, digits, - and _");
  }
  if (space == std::string_view::npos) return auth;
  const std::string_view initial = trim(arguments.substr(space + 1));
  if (initial == "=") {
    auth.initial = "";
  } else {
    auth.initial = decode_base64(initial);
    if (!auth.initial || auth.initial->empty()) return wrong("the initial response is not base64");
  }
  return auth;
}

template <class T>
Parsed parse_optional_number(std::string_view arguments) {
  if (arguments.empty()) return T{};
  const auto number = message_number(arguments);
  if (!number) return wrong("the argument is a message number");
  return T{number};
}

template <class T>
Parsed parse_needed_number(std::string_view arguments) {
  const auto number = message_number(arguments);
  if (!number) return wrong("one argument is needed: a message number");
  return T{*number};
}

Parsed parse_top(std::string_view arguments) {
  const auto parts = words(arguments);
  const auto message = parts.size() == 2 ? message_number(parts[0]) : std::nullopt;
  const auto lines = parts.size() == 2 ? parse_number<std::uint64_t>(parts[1]) : std::nullopt;
  if (!message || !lines) return wrong("two arguments are needed: message number and lines");
  return Top{*message, *lines};
}

Parsed parse_user(std::string_view arguments) {
  if (arguments.empty()) return wrong("one argument is needed: the name");
  return User{std::string(arguments)};
}

Parsed parse_pass(std::string_view arguments) {
  if (arguments.empty()) return wrong("one argument is needed: the password");
  return Pass{std::string(arguments)};
}

template <Simple simple>
Parsed parse_simple(std::string_view arguments) {
  if (!arguments.empty()) return wrong("no argument is expected");
  return Command(simple);
}

struct Keyword {
  std::string_view name;
  bool keeps_spaces;  // spaces at the end belong to the argument
  Parsed (*parse)(std::string_view arguments);
};
constexpr std::array<Keyword, 15> keywords{{
    {"AUTH", false, parse_auth},
    {"CAPA", false, parse_simple<Simple::capa>},
    {"DELE", false, parse_needed_number<Dele>},
    {"LIST", false, parse_optional_number<List>},
    {"NOOP", false, parse_simple<Simple::noop>},
    {"PASS", true, parse_pass},
    {"QUIT", false, parse_simple<Simple::quit>},
    {"RETR", false, parse_needed_number<Retr>},
    {"RSET", false, parse_simple<Simple::rset>},
    {"STAT", false, parse_simple<Simple::stat>},
    {"STLS", false, parse_simple<Simple::stls>},
    {"TOP", false, parse_top},
    {"UIDL", false, parse_optional_number<Uidl>},
    {"USER", false, parse_user},
    {"UTF8", false, parse_simple<Simple::utf8>},
}};

}  // namespace

Result<Command, std::string> parse_command(std::string_view line) {
  if (line.find_first_of(std::string_view("\0\r\n", 3)) != std::string_view::npos)
    return wrong("NUL, CR and LF can't be in a command");
  const std::size_t space = line.find(' ');
  const std::string_view name = line.substr(0, space);
  for (const Keyword& keyword : keywords) {
    if (!iequals(name, keyword.name)) continue;
    std::string_view arguments =
        space == std::string_view::npos ? std::string_view() : line.substr(space + 1);
    if (!keyword.keeps_spaces) arguments = trim(arguments);
    return keyword.parse(arguments);
  }
  return wrong("unknown command");
}

}  // namespace posthorn::pop3
