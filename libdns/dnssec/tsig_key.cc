// Keys of TSIG as text: what dig takes on its command line, and BIND's configuration.
#include <fmt/format.h>

#include <algorithm>

#include "libdns/dnssec/tsig.h"
#include "libdns/dnssec/tsig_record.h"
#include "libmail/base/base64.h"
#include "libmail/base/text.h"

namespace posthorn::dns {

namespace {

constexpr TsigAlgorithm known[] = {TsigAlgorithm::hmac_md5,    TsigAlgorithm::hmac_sha1,
                                   TsigAlgorithm::hmac_sha224, TsigAlgorithm::hmac_sha256,
                                   TsigAlgorithm::hmac_sha384, TsigAlgorithm::hmac_sha512};

Result<TsigKey, std::string> make_key(std::string_view algorithm, std::string_view name,
                                      std::string_view secret) {
  const auto which = parse_tsig_algorithm(algorithm);
  if (!which)
    return fail(
        fmt::format("\"{}\" is no algorithm; hmac-sha256 is one", printable(algorithm, 60)));
  auto parsed = Name::parse(name);
  if (!parsed)
    return fail(fmt::format("key name \"{}\": {}", printable(name, 60), to_string(parsed.error())));
  auto octets = decode_base64(secret);
  if (!octets || octets->empty())
    return fail(fmt::format("the secret of key {} isn't base64", parsed->text()));
  TsigKey key;
  key.name = std::move(*parsed);
  key.algorithm = *which;
  key.secret = Secret::take(std::move(*octets));
  return key;
}

// Words, quoted strings, braces and semicolons of named.conf, without its three kinds of comment.
class Words {
 public:
  explicit Words(std::string_view text) : text_(text) {}

  [[nodiscard]] bool at_end() {
    skip();
    return at_ == text_.size();
  }
  // Empty at the end; a quoted string without its quotes.
  std::string_view next() {
    if (at_end()) return {};
    if (text_[at_] == '"') return quoted();
    const std::size_t begin = at_++;
    if (is_mark(text_[begin])) return text_.substr(begin, 1);
    while (at_ < text_.size() && !is_mark(text_[at_]) && !is_blank(text_[at_]) && text_[at_] != '"')
      ++at_;
    return text_.substr(begin, at_ - begin);
  }
  [[nodiscard]] std::size_t line() const {
    return 1 + static_cast<std::size_t>(std::count(
                   text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(at_), '\n'));
  }

 private:
  static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
  static bool is_mark(char c) { return c == '{' || c == '}' || c == ';'; }
  [[nodiscard]] bool here(std::string_view what) const {
    return text_.substr(at_).starts_with(what);
  }
  void to(std::string_view end, std::size_t keep) {
    const std::size_t found = text_.find(end, at_);
    at_ = found == std::string_view::npos ? text_.size() : found + end.size() - keep;
  }
  void skip() {
    for (;;) {
      if (here("#") || here("//")) {
        to("\n", 1);
      } else if (here("/*")) {
        to("*/", 0);
      } else if (at_ < text_.size() && is_blank(text_[at_])) {
        ++at_;
      } else {
        return;
      }
    }
  }
  std::string_view quoted() {
    const std::size_t begin = ++at_;
    const std::size_t end = std::min(text_.find('"', begin), text_.size());
    at_ = std::min(end + 1, text_.size());
    return text_.substr(begin, end - begin);
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

// Behind "key": name { algorithm X; secret Y; };
Result<TsigKey, std::string> read_key(Words& words) {
  const std::string_view name = words.next();
  if (words.next() != "{") return fail(std::string("\"{\" must follow the name of a key"));
  std::string_view algorithm;
  std::string_view secret;
  for (std::string_view word = words.next(); word != "}"; word = words.next()) {
    if (word == "algorithm") {
      algorithm = words.next();
    } else if (word == "secret") {
      secret = words.next();
    } else {
      return fail(fmt::format("\"{}\" is neither algorithm nor secret", printable(word, 60)));
    }
    if (words.next() != ";") return fail(std::string("\";\" is missing"));
  }
  if (words.next() != ";") return fail(std::string("\";\" is missing behind \"}\""));
  return make_key(algorithm, name, secret);
}

}  // namespace

std::string_view to_string(TsigAlgorithm algorithm) {
  return traits_of(algorithm).name;
}

std::optional<TsigAlgorithm> parse_tsig_algorithm(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  for (const TsigAlgorithm one : known) {
    if (iequals(text, traits_of(one).name) || iequals(text, traits_of(one).wire_text)) return one;
  }
  return std::nullopt;
}

Result<TsigKey, std::string> TsigKey::parse(std::string_view text) {
  const auto parts = split(trim(text), ':');
  if (parts.size() == 2) return make_key("hmac-sha256", parts[0], parts[1]);
  if (parts.size() == 3) return make_key(parts[0], parts[1], parts[2]);
  return fail(std::string("a key is written ALGORITHM:NAME:SECRET, the secret in base64"));
}

Result<std::vector<TsigKey>, std::string> parse_tsig_keys(std::string_view text) {
  std::vector<TsigKey> keys;
  Words words(text);
  while (!words.at_end()) {
    const std::string_view word = words.next();
    if (word != "key")
      return fail(fmt::format("line {}: \"key\" is expected, not \"{}\"", words.line(),
                              printable(word, 60)));
    auto key = read_key(words);
    if (!key) return fail(fmt::format("line {}: {}", words.line(), key.error()));
    keys.push_back(std::move(*key));
  }
  return keys;
}

Secret format_tsig_key(const TsigKey& key) {
  Secret text(fmt::format("key \"{}\" {{\n\talgorithm {};\n\tsecret \"", key.name.text(),
                          to_string(key.algorithm)));
  text.append(Secret::take(encode_base64(key.secret.view())).view());
  text.append("\";\n};\n");
  return text;
}

}  // namespace posthorn::dns
