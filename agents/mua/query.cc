#include "agents/mua/query.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "libmail/base/clock.h"
#include "libmail/base/text.h"
#include "libmail/message/header.h"

namespace posthorn::mua {

using imap::SearchKey;
using Kind = SearchKey::Kind;

namespace {

constexpr std::size_t deepest = 50;
constexpr std::size_t most_terms = 500;

struct Token {
  enum class Type { word, open, close, negation, either, end } type = Type::end;
  std::string text;     // of a word, quotes undone
  bool quoted = false;  // from its beginning: no operator in it
  std::size_t offset = 0;
};

class Tokens {
 public:
  explicit Tokens(std::string_view text) : text_(text) { advance(); }
  [[nodiscard]] const Token& now() const { return token_; }
  void advance() {
    while (at_ < text_.size() && (is_space(text_[at_]) || text_[at_] == '\n')) ++at_;
    token_ = Token();
    token_.offset = at_;
    if (at_ == text_.size()) return;
    const char c = text_[at_];
    if (c == '(' || c == ')') {
      ++at_;
      token_.type = c == '(' ? Token::Type::open : Token::Type::close;
      return;
    }
    if (c == '-' && at_ + 1 < text_.size() && !is_space(text_[at_ + 1])) {
      ++at_;
      token_.type = Token::Type::negation;
      return;
    }
    read_word();
  }

 private:
  void read_word() {
    token_.type = Token::Type::word;
    token_.quoted = text_[at_] == '"';
    bool inside = false;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '"') {
        inside = !inside;
        continue;
      }
      if (inside && c == '\\' && at_ + 1 < text_.size()) {
        token_.text += text_[++at_];
        continue;
      }
      if (!inside && (is_space(c) || c == '\n' || c == '(' || c == ')')) break;
      token_.text += c;
    }
    if (token_.quoted) return;
    if (iequals(token_.text, "or")) token_.type = Token::Type::either;
    if (iequals(token_.text, "not")) token_.type = Token::Type::negation;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  Token token_;
};

class Parser {
 public:
  Parser(std::string_view text, std::chrono::sys_seconds now) : tokens_(text), now_(now) {}

  Result<Query, QueryError> parse() {
    Query query;
    if (tokens_.now().type == Token::Type::end) return query;
    auto key = either(0);
    if (!key) return fail(key.error());
    if (tokens_.now().type != Token::Type::end)
      return fail(QueryError{tokens_.now().offset, "a parenthesis is closed that was not opened"});
    query.key = std::move(*key);
    query.attachment = attachment_;
    return query;
  }

 private:
  using Key = Result<SearchKey, QueryError>;

  Key either(std::size_t depth) {
    std::vector<SearchKey> keys;
    for (;;) {
      auto key = both(depth);
      if (!key) return key;
      keys.push_back(std::move(*key));
      if (tokens_.now().type != Token::Type::either) break;
      if (attachment_) return attachment_misplaced();
      in_either_ = true;
      tokens_.advance();
    }
    if (keys.size() == 1) return std::move(keys.front());
    return SearchKey::any_of(std::move(keys));
  }

  Key both(std::size_t depth) {
    std::vector<SearchKey> keys;
    bool any = false;
    for (;;) {
      const Token& token = tokens_.now();
      if (token.type == Token::Type::end || token.type == Token::Type::close ||
          token.type == Token::Type::either)
        break;
      auto key = negated(depth);
      if (!key) return key;
      any = true;
      if (key->kind != Kind::all) keys.push_back(std::move(*key));
    }
    if (!any)
      return fail(QueryError{tokens_.now().offset, "something to look for is missing here"});
    return SearchKey::all_of(std::move(keys));
  }

  Key negated(std::size_t depth) {
    bool no = false;
    while (tokens_.now().type == Token::Type::negation) {
      no = !no;
      tokens_.advance();
    }
    auto key = primary(depth, no);
    if (!key || !no || key->kind == Kind::all) return key;
    return SearchKey::inverse(std::move(*key));
  }

  Key primary(std::size_t depth, bool no) {
    const Token token = tokens_.now();
    if (++terms_ > most_terms) return fail(QueryError{token.offset, "these are too many words"});
    if (token.type == Token::Type::open) {
      if (depth == deepest) return fail(QueryError{token.offset, "these are too many parentheses"});
      if (no) ++negations_;
      tokens_.advance();
      auto key = either(depth + 1);
      if (no) --negations_;
      if (!key) return key;
      if (tokens_.now().type != Token::Type::close)
        return fail(QueryError{token.offset, "this parenthesis is not closed"});
      tokens_.advance();
      return key;
    }
    if (token.type != Token::Type::word)
      return fail(QueryError{token.offset, "something to look for is missing here"});
    tokens_.advance();
    const auto colon = token.text.find(':');
    if (token.quoted || colon == std::string::npos || colon == 0)
      return SearchKey::of_text(Kind::text, token.text);
    return term(token, lower(token.text.substr(0, colon)), token.text.substr(colon + 1), no);
  }

  Key term(const Token& token, const std::string& name, const std::string& value, bool no) {
    static constexpr std::array<std::pair<std::string_view, Kind>, 8> texts{
        {{"from", Kind::from},
         {"to", Kind::to},
         {"cc", Kind::cc},
         {"bcc", Kind::bcc},
         {"subject", Kind::subject},
         {"body", Kind::body},
         {"text", Kind::text},
         {"id", Kind::header}}};
    for (const auto& [word, kind] : texts) {
      if (word != name) continue;
      if (value.empty())
        return fail(QueryError{token.offset, name + ": is followed by what to look for"});
      if (kind == Kind::header) return SearchKey::of_header("Message-ID", value);
      return SearchKey::of_text(kind, value);
    }
    if (name == "is") return is(token, value);
    if (name == "has") return has(token, value, no);
    if (name == "header") return header(token, value);
    if (name == "keyword" || name == "tag") return SearchKey::of_flag(value);
    if (name == "larger" || name == "smaller") return size(token, name, value);
    if (name == "before" || name == "after" || name == "since" || name == "on")
      return date(token, name, value);
    if (name == "older" || name == "newer") return age(token, name, value);
    if (name == "uid") return uids(token, value);
    // "re: hello" and addresses with a colon are words, but what looks like an operator is a typing error.
    std::vector<std::string> known;
    for (const auto& [word, meaning] : query_words())
      known.emplace_back(word.substr(0, word.find(':')));
    if (const auto near = nearest(name, known))
      return fail(QueryError{
          token.offset, fmt::format("there is no {}:, did you mean {}:? (\"{}\" in quotes is text)",
                                    printable(name), *near, printable(token.text))});
    return SearchKey::of_text(Kind::text, token.text);
  }

  static Key is(const Token& token, const std::string& value) {
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 8> flags{
        {{"read", "\\Seen"},
         {"seen", "\\Seen"},
         {"flagged", "\\Flagged"},
         {"starred", "\\Flagged"},
         {"answered", "\\Answered"},
         {"draft", "\\Draft"},
         {"deleted", "\\Deleted"},
         {"forwarded", "$Forwarded"}}};
    const std::string word = lower(value);
    for (const auto& [name, flag] : flags) {
      if (word == name) return SearchKey::of_flag(flag);
      if (word == "un" + std::string(name)) return SearchKey::inverse(SearchKey::of_flag(flag));
    }
    if (word == "new") return SearchKey::inverse(SearchKey::of_flag("\\Seen"));
    return fail(QueryError{token.offset,
                           "is: read, unread, flagged, answered, draft, deleted or forwarded"});
  }

  Key attachment_misplaced() const {
    return fail(QueryError{tokens_.now().offset,
                           "has:attachment can't stand beside `or`, nor in a negated group"});
  }
  Key has(const Token& token, const std::string& value, bool no) {
    if (lower(value) != "attachment")
      return fail(QueryError{token.offset, "has: attachment is all there is"});
    if (in_either_ || negations_ > 0) return attachment_misplaced();
    attachment_ = !no;
    return SearchKey(Kind::all);
  }

  static Key header(const Token& token, const std::string& value) {
    const auto equals = value.find('=');
    const std::string name = value.substr(0, equals);
    if (!message::is_field_name(name))
      return fail(QueryError{token.offset, "header: is followed by NAME=TEXT"});
    return SearchKey::of_header(name, equals == std::string::npos ? "" : value.substr(equals + 1));
  }

  static Key size(const Token& token, const std::string& name, const std::string& value) {
    const auto octets = parse_size(value);
    if (!octets) return fail(QueryError{token.offset, name + ": is followed by a size: 200k, 5M"});
    return SearchKey::of_number(name == "larger" ? Kind::larger : Kind::smaller, *octets);
  }

  [[nodiscard]] std::optional<imap::Date> parse_day(const std::string& value) const {
    using std::chrono::days;
    std::optional<std::chrono::sys_days> day;
    const auto today = std::chrono::floor<days>(now_);
    Duration span{};
    if (value == "today")
      day = today;
    else if (value == "yesterday")
      day = today - days(1);
    else if (value.ends_with('d') && parse_duration(value, span))
      day = today - std::chrono::duration_cast<days>(span);
    if (!day) {
      const auto parts = split(value, '-');
      if (parts.size() != 3) return std::nullopt;
      const auto y = parse_number<int>(parts[0]);
      const auto m = parse_number<unsigned>(parts[1]);
      const auto d = parse_number<unsigned>(parts[2]);
      if (!y || !m || !d) return std::nullopt;
      const std::chrono::year_month_day written{std::chrono::year(*y), std::chrono::month(*m),
                                                std::chrono::day(*d)};
      if (!written.ok() || *y < 1970 || *y > 9999) return std::nullopt;
      day = written;
    }
    const std::chrono::year_month_day date(*day);
    return imap::Date(static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                      static_cast<unsigned>(date.day()));
  }

  [[nodiscard]] Key date(const Token& token, const std::string& name,
                         const std::string& value) const {
    const auto day = parse_day(lower(value));
    if (!day)
      return fail(QueryError{token.offset,
                             name + ": is followed by a day: 2026-11-23, 7d, today, yesterday"});
    const Kind kind = name == "before" ? Kind::before : name == "on" ? Kind::on : Kind::since;
    return SearchKey::of_date(kind, *day);
  }

  // By days on every server: RFC 5032 isn't everywhere.
  [[nodiscard]] Key age(const Token& token, const std::string& name,
                        const std::string& value) const {
    Duration span{};
    if (!parse_duration(lower(value), span))
      return fail(QueryError{token.offset, name + ": is followed by a time: 12h, 30d"});
    const auto then = std::chrono::floor<std::chrono::days>(
        now_ - std::chrono::duration_cast<std::chrono::seconds>(span));
    const std::chrono::year_month_day date(then);
    const imap::Date day(static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                         static_cast<unsigned>(date.day()));
    return SearchKey::of_date(name == "older" ? Kind::before : Kind::since, day);
  }

  static Key uids(const Token& token, const std::string& value) {
    auto set = imap::parse_sequence_set(value);
    if (!set || set->is_saved())
      return fail(QueryError{token.offset, "uid: is followed by numbers: 7, 9:12"});
    return SearchKey::of_uids(std::move(*set));
  }

  Tokens tokens_;
  std::chrono::sys_seconds now_;
  std::optional<bool> attachment_;
  bool in_either_ = false;
  std::size_t negations_ = 0;
  std::size_t terms_ = 0;
};

}  // namespace

Result<Query, QueryError> parse_query(std::string_view text, std::chrono::sys_seconds now) {
  return Parser(text, now).parse();
}

const std::vector<std::pair<std::string_view, std::string_view>>& query_words() {
  static const std::vector<std::pair<std::string_view, std::string_view>> words = {
      {"from:TEXT", "in the sender; to:, cc:, bcc: and subject: the same"},
      {"body:TEXT", "in the text; text:TEXT or a bare word: anywhere"},
      {"header:NAME=TEXT", "in any field; id:TEXT in the Message-ID"},
      {"is:WORD", "read, unread, flagged, answered, draft, deleted, forwarded"},
      {"keyword:WORD", "with this keyword (tag:)"},
      {"has:attachment", "with a file"},
      {"before:DAY",
       "arrived before 2026-11-23, 7d, today, yesterday; after: from that day on; on: that day"},
      {"older:TIME", "arrived longer ago than 30d; newer:"},
      {"larger:SIZE", "of more than 5M; smaller:"},
      {"uid:NUMBERS", "7, 9:12"}};
  return words;
}

}  // namespace posthorn::mua
