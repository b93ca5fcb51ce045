// RDATA and records from text (RFC 1035 5.1, RFC 3597 5): the codec that takes it from tokens.
#include <fmt/format.h>

#include <algorithm>

#include "libdns/wire/address.h"
#include "libdns/wire/encoding.h"
#include "libdns/wire/fields.h"
#include "libdns/wire/presentation.h"
#include "libmail/base/base64.h"
#include "libmail/base/text.h"

namespace posthorn::dns {

namespace {

constexpr std::size_t max_string_octets = 255;
constexpr std::size_t max_rdata_octets = 65535;
// No token text says more than 5.4 octets a character ("::," in ipv6hint).
constexpr std::size_t surely_fits = 8000;

// The first fault sticks; every later field is left as it is.
class RdataParser {
 public:
  RdataParser(Type type, std::span<const Token> tokens, const Name& origin, TextPosition end)
      : type_(type), tokens_(tokens), origin_(origin), end_(end) {}

  void u8(std::string_view field, std::uint8_t& value) { number(field, value, 0xff); }
  void u16(std::string_view field, std::uint16_t& value) { number(field, value, 0xffff); }
  void u32(std::string_view field, std::uint32_t& value) { number(field, value, 0xffffffff); }
  void u48(std::string_view field, std::uint64_t& value) { number(field, value, 0xffffffffffff); }
  void algorithm(std::string_view field, std::uint8_t& value) {
    take(field, "is no algorithm", value, parse_algorithm);
  }
  void period(std::string_view field, std::uint32_t& value) {
    take(field, "is no period of time", value, parse_ttl);
  }
  void time(std::string_view field, std::uint32_t& value) {
    take(field, "is neither YYYYMMDDHHMMSS nor seconds since 1970", value, parse_time);
  }
  void type(std::string_view field, Type& value) { take(field, "is no type", value, parse_type); }
  void address(std::string_view field, A& value) {
    take(field, "is no IPv4 address", value, parse_a);
  }
  void address(std::string_view field, Aaaa& value) {
    take(field, "is no IPv6 address", value, parse_aaaa);
  }
  void name(std::string_view field, Name& value, NameForm) {
    const Token* token = word(field);
    if (token == nullptr) return;
    auto name = parse_name(token->text, origin_);
    if (!name) return set_fault(field, *token, to_string(name.error()));
    value = std::move(*name);
  }
  void string(std::string_view field, std::string& value) {
    const Token* token = next(field);
    if (token == nullptr) return;
    auto octets = unescape(token->text);
    if (!octets) return set_fault(field, *token, "has a bad escape");
    if (octets->size() > max_string_octets) return set_fault(field, *token, "is over 255 octets");
    value = std::move(*octets);
  }
  void strings(std::string_view field, std::vector<std::string>& value) {
    do {
      string(field, value.emplace_back());
    } while (!fault_ && !at_end());
  }
  void tag(std::string_view field, std::string& value) {
    const Token* token = word(field);
    if (token == nullptr) return;
    if (token->text.size() > max_string_octets ||
        !std::all_of(token->text.begin(), token->text.end(), is_alnum)) {
      return set_fault(field, *token, "is not made of letters and digits");
    }
    value = token->text;
  }
  void value(std::string_view field, std::string& value) {
    const Token* token = next(field);
    if (token == nullptr) return;
    auto octets = unescape(token->text);
    if (!octets) return set_fault(field, *token, "has a bad escape");
    value = std::move(*octets);
  }
  void hex(std::string_view field, std::string& value) {
    rest(field, "is not pairs of hexadecimal digits", value, decode_hex);
  }
  void base64(std::string_view field, std::string& value) {
    rest(field, "is no base64", value, decode_base64);
  }
  void salt(std::string_view field, std::string& value) {
    take(field, "is neither \"-\" nor up to 255 octets in hexadecimal digits", value,
         [](std::string_view text) -> std::optional<std::string> {
           if (text == "-") return std::string();
           return text.size() <= 2 * max_string_octets ? decode_hex(text) : std::nullopt;
         });
  }
  void hash(std::string_view field, std::string& value) {
    take(field, "is not 1 to 255 octets in base32hex", value, [](std::string_view text) {
      auto octets = decode_base32hex(text);
      if (octets && (octets->empty() || octets->size() > max_string_octets)) octets.reset();
      return octets;
    });
  }
  void counted(std::string_view field, std::string& value) {
    std::uint16_t length = 0;
    u16(field, length);
    if (fault_ || length == 0) return;
    take(field, "is not base64 of the length before it", value, [length](std::string_view text) {
      auto octets = decode_base64(text);
      if (octets && octets->size() != length) octets.reset();
      return octets;
    });
  }
  void types(std::string_view field, TypeBitmap& value) {
    std::vector<Type> types;
    while (!fault_ && !at_end()) type(field, types.emplace_back());
    value = TypeBitmap(std::move(types));
  }
  void params(std::string_view field, std::vector<SvcParam>& value) {
    const TextPosition begin = at_end() ? end_ : tokens_[at_].at;
    while (!fault_ && !at_end()) {
      const Token* token = word(field);
      if (token == nullptr) return;
      auto param = parse_svc_param(token->text);
      if (!param) return set_fault(field, *token, param.error());
      value.push_back(std::move(*param));
    }
    std::sort(value.begin(), value.end(),
              [](const SvcParam& a, const SvcParam& b) { return a.key < b.key; });
    const std::string problem = svc_params_problem(value);
    if (!problem.empty()) set_fault(fmt::format("{}: {}", to_string(type_), problem), begin);
  }
  void options(std::string_view field, std::vector<OptOption>&) {
    set_fault(fmt::format("{} {} have no text but \\#", to_string(type_), field), end_);
  }

  // Everything must have been read.
  [[nodiscard]] std::optional<TextError> finish() {
    if (!fault_ && !at_end()) {
      const Token& token = tokens_[at_];
      set_fault(fmt::format("{}: \"{}\" is too much", to_string(type_), shown(token)), token.at);
    }
    return fault_;
  }

 private:
  [[nodiscard]] bool at_end() const { return at_ == tokens_.size(); }
  static std::string shown(const Token& token) { return printable(token.text, 64); }

  void set_fault(std::string what, TextPosition at) {
    if (!fault_) fault_ = TextError(std::move(what), at);
  }
  void set_fault(std::string_view field, const Token& token, std::string_view problem) {
    set_fault(fmt::format("{} {}: \"{}\" {}", to_string(type_), field, shown(token), problem),
              token.at);
  }
  const Token* next(std::string_view field) {
    if (fault_) return nullptr;
    if (!at_end()) return &tokens_[at_++];
    set_fault(fmt::format("{} {} is missing", to_string(type_), field), end_);
    return nullptr;
  }
  const Token* word(std::string_view field) {
    const Token* token = next(field);
    if (token == nullptr || !token->quoted) return token;
    set_fault(field, *token, "must not be in quotes");
    return nullptr;
  }
  template <class T>
  void take(std::string_view field, std::string_view problem, T& value, auto&& parse) {
    const Token* token = word(field);
    if (token == nullptr) return;
    auto parsed = parse(token->text);
    if (!parsed) return set_fault(field, *token, problem);
    value = std::move(*parsed);
  }
  template <class T>
  void number(std::string_view field, T& value, std::uint64_t most) {
    const Token* token = word(field);
    if (token == nullptr) return;
    const auto parsed = parse_number<std::uint64_t>(token->text);
    if (!parsed || *parsed > most) {
      return set_fault(field, *token, fmt::format("is no number from 0 to {}", most));
    }
    value = static_cast<T>(*parsed);
  }
  // All tokens to the end, put together: blanks inside mean nothing.
  void rest(std::string_view field, std::string_view problem, std::string& value, auto&& decode) {
    const Token* first = word(field);
    if (first == nullptr) return;
    std::string text(first->text);
    while (!at_end()) {
      const Token* token = word(field);
      if (token == nullptr) return;
      text += token->text;
    }
    auto octets = decode(text);
    if (!octets) return set_fault(field, *first, problem);
    value = std::move(*octets);
  }

  Type type_;
  std::span<const Token> tokens_;
  const Name& origin_;
  TextPosition end_;
  std::size_t at_ = 0;
  std::optional<TextError> fault_;
};

// "\# LENGTH HEX" behind its "\#".
Result<Rdata, TextError> parse_generic(Type type, std::span<const Token> tokens, TextPosition end) {
  const Name none;
  RdataParser parser(type, tokens, none, end);
  std::uint16_t length = 0;
  std::string octets;
  parser.u16("length", length);
  if (length != 0) parser.hex("data", octets);
  if (auto fault = parser.finish()) return fail(std::move(*fault));
  const TextPosition at = tokens[0].at;
  if (octets.size() != length) {
    return fail(TextError(
        fmt::format("{}: \\# says {} octets, {} follow", to_string(type), length, octets.size()),
        at));
  }
  auto data = rdata_from_wire(type, octets);
  if (!data) {
    return fail(TextError(fmt::format("{}: {}", to_string(type), data.error().text()), at));
  }
  return std::move(*data);
}

bool fits(const Rdata& data, std::span<const Token> tokens) {
  std::size_t said = 0;
  for (const Token& token : tokens) said += token.text.size() + 1;
  return said <= surely_fits || rdata_to_wire(data).size() <= max_rdata_octets;
}

Result<Name, TextError> take_owner(std::span<const Token>& tokens, const Entry& entry,
                                   const RecordDefaults& defaults) {
  if (entry.begins_blank) {
    if (defaults.owner) return *defaults.owner;
    return fail(TextError("begins with a blank, but no owner stands before it", entry.at));
  }
  const Token& token = tokens[0];
  tokens = tokens.subspan(1);
  auto name = parse_name(token.text, defaults.origin);
  if (name && !token.quoted) return std::move(*name);
  return fail(TextError(fmt::format("owner \"{}\": {}", printable(token.text, 64),
                                    name ? "must not be in quotes" : to_string(name.error())),
                        token.at));
}

// Either may be missing and either may come first. Gives the TTL.
std::optional<std::uint32_t> take_ttl_and_class(std::span<const Token>& tokens, Class& klass) {
  std::optional<std::uint32_t> ttl;
  bool has_class = false;
  for (; !tokens.empty() && !tokens[0].quoted; tokens = tokens.subspan(1)) {
    const auto found = has_class ? std::nullopt : parse_class(tokens[0].text);
    if (found && *found != Class::any && *found != Class::none) {
      klass = *found;
      has_class = true;
      continue;
    }
    const auto seconds = ttl ? std::nullopt : parse_ttl(tokens[0].text);
    if (!seconds) break;
    ttl = seconds;
  }
  return ttl;
}

}  // namespace

Result<Rdata, TextError> parse_rdata(Type type, std::span<const Token> tokens, const Name& origin,
                                     TextPosition end) {
  if (!tokens.empty() && !tokens[0].quoted && tokens[0].text == "\\#") {
    return parse_generic(type, tokens.subspan(1), end);
  }
  Rdata data;
  std::optional<TextError> fault;
  const bool known = with_struct(type, [&](auto one) {
    RdataParser parser(type, tokens, origin, end);
    fields(parser, one);
    fault = parser.finish();
    data = std::move(one);
  });
  if (fault) return fail(std::move(*fault));
  const TextPosition at = tokens.empty() ? end : tokens[0].at;
  if (!known) {
    return fail(TextError(
        fmt::format("{} has no text form here; write \\# LENGTH HEX", to_string(type)), at));
  }
  if (!fits(data, tokens)) {
    return fail(TextError(fmt::format("{} data over 65535 octets", to_string(type)), at));
  }
  return data;
}

Result<Rdata, TextError> parse_rdata(Type type, std::string_view text, const Name& origin) {
  EntryReader reader(text);
  Entry entry;
  const auto found = reader.next(entry);
  if (!found) return fail(found.error());
  Entry more;
  const auto second = reader.next(more);
  if (!second) return fail(second.error());
  if (*second) return fail(TextError("more than one line", more.at));
  return parse_rdata(type, entry.tokens, origin, entry.end);
}

Result<Record, TextError> parse_record(const Entry& entry, const RecordDefaults& defaults) {
  std::span<const Token> tokens = entry.tokens;
  auto owner = take_owner(tokens, entry, defaults);
  if (!owner) return fail(owner.error());
  Class klass = defaults.klass;
  const auto given = take_ttl_and_class(tokens, klass);
  if (tokens.empty()) return fail(TextError("the type is missing", entry.end));
  const auto type = parse_type(tokens[0].text);
  if (!type || tokens[0].quoted || is_metatype(*type)) {
    return fail(TextError(
        fmt::format("\"{}\" is no type of a record", printable(tokens[0].text, 64)), tokens[0].at));
  }
  const auto ttl = given ? given : defaults.ttl;
  if (!ttl) return fail(TextError("no TTL here and no default", tokens[0].at));
  auto data = parse_rdata(*type, tokens.subspan(1), defaults.origin, entry.end);
  if (!data) return fail(data.error());
  return Record(std::move(*owner), *ttl, std::move(*data), klass);
}

Result<Record, TextError> parse_record(std::string_view text, const RecordDefaults& defaults) {
  EntryReader reader(text);
  Entry entry;
  const auto found = reader.next(entry);
  if (!found) return fail(found.error());
  if (!*found) return fail(TextError("no record", entry.end));
  Entry more;
  const auto second = reader.next(more);
  if (!second) return fail(second.error());
  if (*second) return fail(TextError("more than one record", more.at));
  return parse_record(entry, defaults);
}

}  // namespace posthorn::dns
