#include "libmail/message/parameters.h"

#include <algorithm>
#include <optional>

#include "libmail/base/percent.h"
#include "libmail/base/text.h"
#include "libmail/message/charset.h"
#include "libmail/message/encoded_word.h"
#include "libmail/message/quoted_printable.h"

namespace posthorn::message {

namespace {

constexpr std::string_view tspecials = "()<>@,;:\\\"/[]?=";

bool is_token_char(char c) {
  return is_graph(c) && tspecials.find(c) == std::string_view::npos;
}

bool is_blank(char c) {
  return is_space(c) || c == '\r' || c == '\n';
}

// Its value holds what a person calls a file: blanks, parentheses and backslashes are part of it.
bool is_filename(std::string_view name) {
  return istarts_with(name, "filename") || istarts_with(name, "name");
}

struct Token {
  std::string name;
  std::string value;
  std::size_t offset = 0;
};

class Lexer {
 public:
  Lexer(std::string_view text, Anomalies& anomalies, std::uint64_t offset)
      : text_(text), anomalies_(anomalies), offset_(offset) {}

  std::optional<Token> next() {
    while (true) {
      skip();
      while (at_ < text_.size() && text_[at_] == ';') {
        ++at_;
        skip();
      }
      if (at_ == text_.size()) return std::nullopt;
      if (auto token = parameter()) return token;
      at_ = std::min(text_.find(';', at_), text_.size());
    }
  }

 private:
  void bad(std::size_t at) { anomalies_.add(AnomalyKind::bad_parameter, offset_ + at); }

  // Blanks, line ends and comments.
  void skip() {
    while (at_ < text_.size() && (is_blank(text_[at_]) || text_[at_] == '(')) {
      if (text_[at_] == '(') {
        comment();
      } else {
        ++at_;
      }
    }
  }

  void comment() {
    std::size_t depth = 0;
    for (; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\\') {
        ++at_;
      } else if (text_[at_] == '(') {
        ++depth;
      } else if (text_[at_] == ')' && --depth == 0) {
        ++at_;
        return;
      }
    }
    at_ = text_.size();
  }

  std::optional<Token> parameter() {
    Token token;
    token.offset = at_;
    while (at_ < text_.size() && is_token_char(text_[at_])) token.name += text_[at_++];
    skip();
    if (token.name.empty() || at_ == text_.size() || text_[at_] != '=') {
      bad(token.offset);
      return std::nullopt;
    }
    ++at_;
    skip_blanks();
    if (at_ < text_.size() && text_[at_] == '"') {
      token.value = quoted(is_filename(token.name));
    } else {
      token.value = plain(is_filename(token.name));
    }
    return token;
  }

  void skip_blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  }

  std::string quoted(bool filename) {
    const std::size_t begin = at_++;
    std::string value;
    for (; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      char c = text_[at_];
      if (c == '\\' && at_ + 1 < text_.size()) {
        const char next = text_[at_ + 1];
        // "C:\new\file.txt" of a Windows agent has no quoted pairs in it.
        if (!filename || next == '"' || next == '\\') c = text_[++at_];
      }
      if (c != '\r' && c != '\n') value += c;
    }
    if (at_ == text_.size()) {
      bad(begin);
      return value;
    }
    ++at_;
    skip();
    if (at_ < text_.size() && text_[at_] != ';') {
      bad(at_);
      at_ = std::min(text_.find(';', at_), text_.size());
    }
    return value;
  }

  std::string plain(bool filename) {
    const std::size_t begin = at_;
    const std::size_t end = std::min(text_.find(';', at_), text_.size());
    std::size_t token_end = at_;
    while (token_end < end && (is_token_char(text_[token_end]) || is_8bit(text_[token_end])))
      ++token_end;
    at_ = token_end;
    skip();
    const bool whole = at_ >= end || text_[at_] == ';';
    if (whole && !(filename &&
                   text_.substr(token_end, end - token_end).find('(') != std::string_view::npos)) {
      if (token_end == begin) bad(begin);
      return std::string(text_.substr(begin, token_end - begin));
    }
    // Specials or blanks without quotes: up to the ';', as other readers do.
    bad(begin);
    at_ = end;
    std::string value;
    for (const char c : trim(text_.substr(begin, end - begin))) {
      if (c != '\r' && c != '\n') value += c;
    }
    return value;
  }

  std::string_view text_;
  Anomalies& anomalies_;
  std::uint64_t offset_;
  std::size_t at_ = 0;
};

struct Piece {
  std::size_t number = 0;
  bool extended = false;
  std::string value;
};

// All that was said for one name.
struct Said {
  std::string name;
  std::uint64_t offset = 0;
  std::optional<std::string> plain;
  std::optional<std::string> extended;
  std::vector<Piece> pieces;
};

struct Form {
  std::string name;
  bool extended = false;
  std::optional<std::size_t> number;
};

// "filename*10*" taken apart.
Form form_of(std::string_view written) {
  Form form;
  const std::size_t star = written.find('*');
  if (star == 0 || star == std::string_view::npos) return {lower(written), false, std::nullopt};
  std::string_view rest = written.substr(star + 1);
  form.name = lower(written.substr(0, star));
  if (rest.empty()) {
    form.extended = true;
    return form;
  }
  if (rest.back() == '*') {
    form.extended = true;
    rest.remove_suffix(1);
  }
  form.number = rest.size() > 6 ? std::nullopt : parse_number<std::size_t>(rest);
  if (!form.number) return {lower(written), false, std::nullopt};
  return form;
}

std::string clean(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::string_view before = text;
    if (!is_control(take_code_point(text))) out += before.substr(0, before.size() - text.size());
  }
  return out;
}

class Resolver {
 public:
  Resolver(Anomalies& anomalies, std::uint64_t offset, const ParameterLimits& limits)
      : anomalies_(anomalies), offset_(offset), limits_(limits) {}

  void add(const Token& token) {
    const Form form = form_of(token.name);
    auto said = std::ranges::find(said_, form.name, &Said::name);
    if (said == said_.end()) {
      said = said_.insert(said_.end(), Said());
      said->name = form.name;
      said->offset = offset_ + token.offset;
    }
    if (!form.number) {
      keep_first(form.extended ? said->extended : said->plain, token);
      return;
    }
    const auto piece = std::ranges::find(said->pieces, *form.number, &Piece::number);
    if (piece != said->pieces.end()) {
      note(piece->value == token.value ? AnomalyKind::duplicate_parameter
                                       : AnomalyKind::conflicting_parameter,
           token);
    } else if (said->pieces.size() == limits_.segments) {
      note(AnomalyKind::too_many_parameters, token);
    } else {
      said->pieces.push_back({*form.number, form.extended, token.value});
    }
  }

  std::vector<Parameter> resolve() {
    std::vector<Parameter> out;
    out.reserve(said_.size());
    for (Said& said : said_) out.push_back(resolve(said));
    return out;
  }

 private:
  void note(AnomalyKind kind, const Token& token) { anomalies_.add(kind, offset_ + token.offset); }

  void keep_first(std::optional<std::string>& value, const Token& token) {
    if (!value) {
      value = token.value;
    } else {
      note(*value == token.value ? AnomalyKind::duplicate_parameter
                                 : AnomalyKind::conflicting_parameter,
           token);
    }
  }

  Parameter resolve(Said& said) {
    Parameter parameter;
    parameter.name = said.name;
    std::optional<std::string> joined;
    if (!said.pieces.empty()) joined = join(said);
    std::optional<std::string> extended;
    if (said.extended) extended = decode_extended(*said.extended, said.offset);
    std::optional<std::string> plain;
    if (said.plain) plain = decode_plain(said.name, *said.plain, said.offset);
    if (extended && joined && *extended != *joined)
      anomalies_.add(AnomalyKind::conflicting_parameter, said.offset);
    if (!extended) extended = joined;
    parameter.extended = extended.has_value();
    parameter.value = extended ? *extended : *plain;
    if (!extended || !plain || *plain == *extended) return parameter;
    parameter.plain = *plain;
    if (!is_fallback(*plain, *extended))
      anomalies_.add(AnomalyKind::conflicting_parameter, said.offset);
    return parameter;
  }

  // The same name with '_', '?' or nothing better for what isn't ASCII: made by the sender for
  // readers without RFC 2231.
  static bool is_fallback(std::string_view plain, std::string_view full) {
    while (!plain.empty() && !full.empty()) {
      const char32_t c = take_code_point(full);
      const char32_t p = take_code_point(plain);
      if (c != p && (c < 0x80 || (p != '_' && p != '?' && p != '-' && p != 'X'))) return false;
    }
    return plain.empty() && full.empty();
  }

  // A boundary may well look like an encoded-word; only names of files are ever meant as one.
  std::string decode_plain(const std::string& name, const std::string& value,
                           std::uint64_t offset) {
    if (is_filename(name)) return clean(decode_encoded_words(value, &anomalies_, offset));
    if (!is_utf8(value)) anomalies_.add(AnomalyKind::unencoded_8bit, offset);
    return to_text(value, {}, offset);
  }

  std::string percent_decoded(std::string_view text, std::uint64_t offset) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const bool escape = text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 &&
                          hex_digit(text[i + 2]) >= 0;
      if (!escape) {
        if (text[i] == '%') anomalies_.add(AnomalyKind::bad_percent_encoding, offset);
        out += text[i];
        continue;
      }
      out += static_cast<char>(hex_digit(text[i + 1]) << 4 | hex_digit(text[i + 2]));
      i += 2;
    }
    return out;
  }

  // Takes charset'language' off the front.
  std::string_view take_charset(std::string_view& text, std::uint64_t offset) {
    const std::size_t first = text.find('\'');
    const std::size_t second = first == std::string_view::npos ? first : text.find('\'', first + 1);
    if (second == std::string_view::npos) {
      anomalies_.add(AnomalyKind::bad_parameter, offset);
      return {};
    }
    const std::string_view charset = text.substr(0, first);
    text.remove_prefix(second + 1);
    return charset;
  }

  std::string to_text(std::string_view octets, std::string_view charset, std::uint64_t offset) {
    if (is_forbidden_label(charset)) {
      anomalies_.add(AnomalyKind::forbidden_charset, offset);
    } else if (!charset.empty() && !find_charset(charset)) {
      anomalies_.add(AnomalyKind::unknown_charset, offset);
    }
    std::uint64_t replaced = 0;
    std::string text = label_to_utf8(octets, charset, &replaced);
    if (replaced != 0) anomalies_.add(AnomalyKind::invalid_in_charset, offset);
    std::string cleaned = clean(text);
    if (cleaned.size() != text.size()) anomalies_.add(AnomalyKind::bad_parameter, offset);
    return cleaned;
  }

  std::string decode_extended(std::string_view text, std::uint64_t offset) {
    const std::string_view charset = take_charset(text, offset);
    return to_text(percent_decoded(text, offset), charset, offset);
  }

  std::string join(Said& said) {
    std::ranges::sort(said.pieces, {}, &Piece::number);
    if (said.pieces.back().number != said.pieces.size() - 1)
      anomalies_.add(AnomalyKind::missing_segment, said.offset);
    std::string octets;
    std::string_view charset;
    bool first = true;
    for (const Piece& piece : said.pieces) {
      std::string_view text = piece.value;
      if (first && piece.extended) charset = take_charset(text, said.offset);
      first = false;
      octets += piece.extended ? percent_decoded(text, said.offset) : std::string(text);
    }
    // Some agents cut an encoded-word into segments.
    if (charset.empty() && octets.find("=?") != std::string::npos)
      return decode_plain(said.name, octets, said.offset);
    return to_text(octets, charset, said.offset);
  }

  Anomalies& anomalies_;
  std::uint64_t offset_;
  const ParameterLimits& limits_;
  std::vector<Said> said_;
};

bool stands_in_2231(char c) {
  constexpr std::string_view more = "!#$&+-.^_`{|}~";
  return is_alnum(c) || more.find(c) != std::string_view::npos;
}

std::string percent_encoded(char c) {
  std::string escape;
  append_escape(escape, c);
  escape[0] = '%';
  return escape;
}

// name*=utf-8''..., in segments if it is longer than a line.
std::string format_extended(std::string_view name, std::string_view value) {
  constexpr std::size_t room = 74;
  const std::string prefix = "utf-8''";
  std::string all;
  for (const char c : value) all += stands_in_2231(c) ? std::string(1, c) : percent_encoded(c);
  std::string out;
  if (name.size() + prefix.size() + all.size() + 2 <= room)
    return out.append("; ").append(name).append("*=").append(prefix).append(all);
  std::size_t number = 0;
  std::string segment = prefix;
  const auto flush = [&] {
    out.append("; ").append(name).append("*").append(std::to_string(number++)).append("*=");
    out.append(segment);
    segment.clear();
  };
  for (const char c : value) {
    const std::string piece = stands_in_2231(c) ? std::string(1, c) : percent_encoded(c);
    if (segment.size() + piece.size() + name.size() + 8 > room) flush();
    segment += piece;
  }
  if (!segment.empty()) flush();
  return out;
}

}  // namespace

const Parameter* ParameterList::find(std::string_view name) const {
  const auto found = std::ranges::find(parameters, name, &Parameter::name);
  return found == parameters.end() ? nullptr : &*found;
}

ParameterList parse_parameters(std::string_view text, Anomalies& anomalies, std::uint64_t offset,
                               const ParameterLimits& limits) {
  ParameterList list;
  Lexer lexer(text, anomalies, offset);
  Resolver resolver(anomalies, offset, limits);
  while (auto token = lexer.next()) {
    if (list.raw.size() == limits.parameters) {
      anomalies.add(AnomalyKind::too_many_parameters, offset + token->offset);
      break;
    }
    resolver.add(*token);
    list.raw.push_back({std::move(token->name), std::move(token->value)});
  }
  list.parameters = resolver.resolve();
  return list;
}

std::string format_parameter(std::string_view name, std::string_view value) {
  constexpr std::size_t longest_plain = 60;
  std::string text = clean(repair_utf8(value));
  // What looks like an encoded-word would be decoded by many readers, ours too.
  const bool misread = text.find("=?") != std::string::npos;
  if (misread || !is_ascii(text) || text.size() > longest_plain) return format_extended(name, text);
  std::string out = "; ";
  out.append(name).append("=");
  // A token could hold more, but not every reader knows: Python's loses "a'b" without quotes.
  const auto stands = [](char c) { return is_alnum(c) || c == '-' || c == '.' || c == '_'; };
  if (!text.empty() && std::ranges::all_of(text, stands)) return out + text;
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

}  // namespace posthorn::message
