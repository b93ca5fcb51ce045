#include "libdns/zone/generate.h"

#include <fmt/format.h>

#include <algorithm>

#include "libmail/base/text.h"

namespace posthorn::dns {

namespace {

constexpr std::size_t widest = 63;  // of a number: what a label takes
constexpr std::uint32_t most = 0x7fffffff;

// Hexadecimal digits from the lowest on with dots between them, as ip6.arpa has them; the dots
// count as width, so an even width ends in one.
std::string nibbles(std::uint64_t value, std::size_t width, bool is_upper) {
  const char* const digits = is_upper ? "0123456789ABCDEF" : "0123456789abcdef";
  std::string text;
  do {
    text += digits[value & 15];
    value >>= 4;
    if (value != 0 || text.size() < width) text += '.';
  } while (value != 0 || text.size() < width);
  return text;
}

// What stands between the braces of "${...}".
struct Modifier {
  std::int64_t offset = 0;
  std::size_t width = 0;
  char radix = 'd';
};

std::optional<Modifier> parse_modifier(std::string_view text) {
  Modifier modifier;
  const auto parts = split(text, ',');
  if (parts.size() > 3) return std::nullopt;
  const bool is_negative = parts[0].starts_with('-');
  const auto offset = parse_number<std::uint32_t>(is_negative ? parts[0].substr(1) : parts[0]);
  if (!offset || *offset > most) return std::nullopt;
  modifier.offset = is_negative ? -std::int64_t{*offset} : std::int64_t{*offset};
  if (parts.size() > 1) {
    const auto width = parse_number<std::size_t>(parts[1]);
    if (!width || *width > widest) return std::nullopt;
    modifier.width = *width;
  }
  if (parts.size() > 2) {
    if (parts[2].size() != 1 ||
        std::string_view("doxXnN").find(parts[2][0]) == std::string_view::npos)
      return std::nullopt;
    modifier.radix = parts[2][0];
  }
  return modifier;
}

std::string number_text(std::uint64_t value, const Modifier& modifier) {
  switch (modifier.radix) {
    case 'o':
      return fmt::format("{:0{}o}", value, modifier.width);
    case 'x':
      return fmt::format("{:0{}x}", value, modifier.width);
    case 'X':
      return fmt::format("{:0{}X}", value, modifier.width);
    case 'n':
    case 'N':
      return nibbles(value, modifier.width, modifier.radix == 'N');
    default:
      return fmt::format("{:0{}d}", value, modifier.width);
  }
}

// OWNER [TTL] [CLASS] TYPE "DATA": the quotes hold all of the data together, as in MX "10 mail$".
bool has_text_as_data(std::span<const Token> tokens) {
  if (tokens.size() < 3 || !tokens.back().quoted) return false;
  if (!parse_type(tokens[tokens.size() - 2].text)) return false;
  for (const Token& token : tokens.subspan(1, tokens.size() - 3)) {
    if (token.quoted || (!parse_ttl(token.text) && !parse_class(token.text))) return false;
  }
  return true;
}

std::string without_escaped_quotes(std::string_view text) {
  std::string plain;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text.substr(at, 2) == "\\\"") ++at;
    plain += text[at];
  }
  return plain;
}

}  // namespace

Result<GenerateRange, std::string> parse_generate_range(std::string_view text) {
  GenerateRange range;
  const auto wrong = [text] {
    return fail(
        fmt::format("\"{}\" is no range START-STOP or START-STOP/STEP", printable(text, 64)));
  };
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return wrong();
  const std::string_view rest = text.substr(dash + 1);
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  const auto start = parse_number<std::uint32_t>(text.substr(0, dash));
  const auto stop = parse_number<std::uint32_t>(rest.substr(0, slash));
  if (!start || !stop || *start > *stop || *stop > most) return wrong();
  range.start = *start;
  range.stop = *stop;
  if (slash < rest.size()) {
    const auto step = parse_number<std::uint32_t>(rest.substr(slash + 1));
    if (!step || *step == 0 || *step > most) return wrong();
    range.step = *step;
  }
  return range;
}

Result<std::string, std::string> expand_generated(std::string_view text, std::uint32_t number) {
  std::string line;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at++];
    if (c == '\\' && at < text.size()) {
      if (text[at] != '$') line += c;
      line += text[at++];
      continue;
    }
    if (c != '$') {
      line += c;
      continue;
    }
    if (at < text.size() && text[at] == '$') {
      line += text[at++];
      continue;
    }
    Modifier modifier;
    if (at < text.size() && text[at] == '{') {
      const std::size_t end = text.find('}', at);
      const auto parsed = end == std::string_view::npos
                              ? std::nullopt
                              : parse_modifier(text.substr(at + 1, end - at - 1));
      if (!parsed) {
        return fail(fmt::format("\"{}\": \"${{\" needs OFFSET, OFFSET,WIDTH or OFFSET,WIDTH,RADIX",
                                printable(text, 64)));
      }
      modifier = *parsed;
      at = end + 1;
    }
    const std::int64_t value = std::int64_t{number} + modifier.offset;
    if (value < 0) return fail(fmt::format("\"{}\" gets negative", printable(text, 64)));
    line += number_text(static_cast<std::uint64_t>(value), modifier);
  }
  return line;
}

Result<std::string, std::string> generated_line(std::span<const Token> tokens,
                                                std::uint32_t number) {
  const bool is_text = has_text_as_data(tokens);
  std::string line;
  for (const Token& token : tokens) {
    const bool is_data = is_text && &token == &tokens.back();
    auto text = expand_generated(
        is_data ? without_escaped_quotes(token.text) : std::string(token.text), number);
    if (!text) return text;
    if (!line.empty()) line += ' ';
    const bool stays_quoted = token.quoted && !is_data;
    if (stays_quoted) line += '"';
    line += *text;
    if (stays_quoted) line += '"';
  }
  return line;
}

}  // namespace posthorn::dns
