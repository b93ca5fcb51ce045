#include "libmail/imap/search.h"

#include <algorithm>
#include <array>

#include "libmail/base/text.h"
#include "libmail/imap/flags.h"

namespace posthorn::imap {

namespace {

using Kind = SearchKey::Kind;

// What follows a keyword.
enum class Takes : std::uint8_t {
  nothing,
  flag,
  date,
  size,
  seconds,
  text,
  header,
  uids,
  id,
  filter
};

struct Named {
  std::string_view word;
  Kind kind;
  Takes takes;
  std::string_view flag;  // of the keywords that are flags
};

constexpr std::array<Named, 41> keywords = {{
    {"ALL", Kind::all, Takes::nothing, ""},
    {"ANSWERED", Kind::flag, Takes::nothing, "\\Answered"},
    {"BCC", Kind::bcc, Takes::text, ""},
    {"BEFORE", Kind::before, Takes::date, ""},
    {"BODY", Kind::body, Takes::text, ""},
    {"CC", Kind::cc, Takes::text, ""},
    {"DELETED", Kind::flag, Takes::nothing, "\\Deleted"},
    {"DRAFT", Kind::flag, Takes::nothing, "\\Draft"},
    {"EMAILID", Kind::email_id, Takes::id, ""},
    {"FILTER", Kind::filter, Takes::filter, ""},
    {"FLAGGED", Kind::flag, Takes::nothing, "\\Flagged"},
    {"FROM", Kind::from, Takes::text, ""},
    {"HEADER", Kind::header, Takes::header, ""},
    {"KEYWORD", Kind::flag, Takes::flag, ""},
    {"LARGER", Kind::larger, Takes::size, ""},
    {"OLD", Kind::no_flag, Takes::nothing, "\\Recent"},
    {"OLDER", Kind::older, Takes::seconds, ""},
    {"ON", Kind::on, Takes::date, ""},
    {"RECENT", Kind::flag, Takes::nothing, "\\Recent"},
    {"SAVEDATESUPPORTED", Kind::save_date_supported, Takes::nothing, ""},
    {"SAVEDBEFORE", Kind::saved_before, Takes::date, ""},
    {"SAVEDON", Kind::saved_on, Takes::date, ""},
    {"SAVEDSINCE", Kind::saved_since, Takes::date, ""},
    {"SEEN", Kind::flag, Takes::nothing, "\\Seen"},
    {"SENTBEFORE", Kind::sent_before, Takes::date, ""},
    {"SENTON", Kind::sent_on, Takes::date, ""},
    {"SENTSINCE", Kind::sent_since, Takes::date, ""},
    {"SINCE", Kind::since, Takes::date, ""},
    {"SMALLER", Kind::smaller, Takes::size, ""},
    {"SUBJECT", Kind::subject, Takes::text, ""},
    {"TEXT", Kind::text, Takes::text, ""},
    {"THREADID", Kind::thread_id, Takes::id, ""},
    {"TO", Kind::to, Takes::text, ""},
    {"UID", Kind::uids, Takes::uids, ""},
    {"UNANSWERED", Kind::no_flag, Takes::nothing, "\\Answered"},
    {"UNDELETED", Kind::no_flag, Takes::nothing, "\\Deleted"},
    {"UNDRAFT", Kind::no_flag, Takes::nothing, "\\Draft"},
    {"UNFLAGGED", Kind::no_flag, Takes::nothing, "\\Flagged"},
    {"UNKEYWORD", Kind::no_flag, Takes::flag, ""},
    {"UNSEEN", Kind::no_flag, Takes::nothing, "\\Seen"},
    {"YOUNGER", Kind::younger, Takes::seconds, ""},
}};

// One search command: keys are counted over the whole tree.
class KeyParser {
 public:
  explicit KeyParser(Scanner& in) : in_(in) {}

  SearchKey conjunction(unsigned depth) {
    std::vector<SearchKey> keys;
    do {
      keys.push_back(key(depth));
    } while (in_.ok() && in_.take(' '));
    return in_.ok() ? SearchKey::all_of(std::move(keys)) : SearchKey();
  }

 private:
  SearchKey key(unsigned depth) {
    if (depth > in_.dialect().nesting) in_.fail_here("search keys that are less nested");
    if (++count_ > in_.dialect().items) in_.fail_here("fewer search keys");
    if (!in_.ok()) return SearchKey();
    const char next = in_.peek();
    if (next == '(') {
      in_.enter();
      SearchKey inner = conjunction(depth + 1);
      in_.leave();
      return inner;
    }
    if (is_digit(next) || next == '*' || next == '$') {
      SearchKey numbers(Kind::numbers);
      numbers.set = scan_sequence_set(in_);
      return numbers;
    }
    return word_key(depth);
  }

  SearchKey word_key(unsigned depth) {
    const std::size_t begin = in_.position();
    const std::string word = upper(in_.take_while(is_alnum));
    if (word == "OR") return either(depth);
    if (word == "NOT" || word == "FUZZY") {
      in_.space();
      SearchKey of(word == "NOT" ? Kind::none_of : Kind::fuzzy);
      of.children.push_back(key(depth + 1));
      return of;
    }
    if (word == "NEW") {
      std::vector<SearchKey> both;
      both.push_back(SearchKey::of_flag("\\Recent"));
      both.emplace_back(Kind::no_flag).text = "\\Seen";
      return SearchKey::all_of(std::move(both));
    }
    if (word == "MODSEQ") return modseq();
    const auto* const named = std::find_if(keywords.begin(), keywords.end(),
                                           [&word](const Named& one) { return one.word == word; });
    if (named == keywords.end() || word.empty()) {
      in_.fail_at(begin, "a search key");
      return SearchKey();
    }
    SearchKey key(named->kind);
    key.text = named->flag;
    argument(named->takes, key);
    return key;
  }

  // OR a OR b OR c ...: long chains come from clients that join many keys; they become one key without nesting.
  SearchKey either(unsigned depth) {
    SearchKey any(Kind::either);
    while (in_.ok()) {
      in_.space();
      any.children.push_back(key(depth + 1));
      in_.space();
      const std::string_view rest = in_.rest();
      if (!istarts_with(rest, "OR ")) {
        any.children.push_back(key(depth + 1));
        break;
      }
      in_.take_word("OR");
    }
    return any;
  }

  void argument(Takes takes, SearchKey& key) {
    if (takes == Takes::nothing) return;
    in_.space();
    switch (takes) {
      case Takes::flag:
        key.text = in_.atom();
        break;
      case Takes::date:
        key.date = scan_date(in_);
        break;
      case Takes::size:
        key.number = in_.number64();
        break;
      case Takes::seconds:
        key.number = in_.nz_number();
        break;
      case Takes::text:
        key.text = in_.astring();
        break;
      case Takes::header:
        key.field = in_.astring();
        in_.space();
        key.text = in_.astring();
        break;
      case Takes::uids:
        key.set = scan_sequence_set(in_);
        break;
      case Takes::id:
        key.text = in_.astring();
        break;
      case Takes::filter:
        key.text = filter_name();
        break;
      case Takes::nothing:
        break;
    }
  }

  std::string filter_name() {
    const std::size_t begin = in_.position();
    std::string name(in_.atom());
    if (in_.ok() && !is_filter_name(name)) in_.fail_at(begin, "the name of a filter");
    return name;
  }

  // MODSEQ ["/flags/\\draft" all] 620162338
  SearchKey modseq() {
    SearchKey key(Kind::modseq);
    in_.space();
    if (in_.peek() == '"') {
      key.field = in_.string();
      in_.space();
      const std::size_t begin = in_.position();
      key.text = lower(in_.take_while(is_alpha));
      if (key.text != "priv" && key.text != "shared" && key.text != "all")
        in_.fail_at(begin, "priv, shared or all");
      in_.space();
    }
    key.number = in_.number64();
    return key;
  }

  Scanner& in_;
  std::size_t count_ = 0;
};

void write_flag(Writer& out, const SearchKey& key) {
  const bool on = key.kind == Kind::flag;
  if (!system_flag(key.text)) {
    out.raw(on ? "KEYWORD " : "UNKEYWORD ").raw(key.text);
    return;
  }
  const std::string name = upper(std::string_view(key.text).substr(1));
  if (name == "RECENT") {
    out.raw(on ? "RECENT" : "OLD");
  } else {
    out.raw(on ? "" : "UN").raw(name);
  }
}

void write_either(Writer& out, const SearchKey& key) {
  for (std::size_t i = 0; i + 1 < key.children.size(); ++i) {
    out.raw("OR ");
    write_search_key(out, key.children[i]);
    out.sp();
  }
  if (!key.children.empty()) write_search_key(out, key.children.back());
}

void write_both(Writer& out, const SearchKey& key) {
  out.raw("(");
  for (std::size_t i = 0; i < key.children.size(); ++i) {
    if (i > 0) out.sp();
    write_search_key(out, key.children[i]);
  }
  out.raw(")");
}

void write_simple(Writer& out, const SearchKey& key) {
  const auto* const named = std::find_if(keywords.begin(), keywords.end(),
                                         [&key](const Named& one) { return one.kind == key.kind; });
  out.raw(named->word);
  switch (named->takes) {
    case Takes::date:
      out.sp().raw(format_date(key.date));
      break;
    case Takes::size:
    case Takes::seconds:
      out.sp().number(key.number);
      break;
    case Takes::text:
    case Takes::id:
    case Takes::filter:
      out.sp().astring(key.text);
      break;
    case Takes::header:
      out.sp().astring(key.field).sp().astring(key.text);
      break;
    case Takes::uids:
      out.sp().raw(key.set.text());
      break;
    case Takes::flag:
    case Takes::nothing:
      break;
  }
}

}  // namespace

SearchKey SearchKey::of_flag(std::string_view flag) {
  SearchKey key(Kind::flag);
  key.text = flag;
  return key;
}
SearchKey SearchKey::of_text(Kind what, std::string_view words) {
  SearchKey key(what);
  key.text = words;
  return key;
}
SearchKey SearchKey::of_header(std::string_view name, std::string_view words) {
  SearchKey key(Kind::header);
  key.field = name;
  key.text = words;
  return key;
}
SearchKey SearchKey::of_date(Kind what, Date day) {
  SearchKey key(what);
  key.date = day;
  return key;
}
SearchKey SearchKey::of_number(Kind what, std::uint64_t value) {
  SearchKey key(what);
  key.number = value;
  return key;
}
SearchKey SearchKey::of_uids(SequenceSet uids) {
  SearchKey key(Kind::uids);
  key.set = std::move(uids);
  return key;
}
SearchKey SearchKey::inverse(SearchKey of) {
  if (of.kind == Kind::flag || of.kind == Kind::no_flag) {
    of.kind = of.kind == Kind::flag ? Kind::no_flag : Kind::flag;
    return of;
  }
  SearchKey key(Kind::none_of);
  key.children.push_back(std::move(of));
  return key;
}
SearchKey SearchKey::all_of(std::vector<SearchKey> keys) {
  if (keys.empty()) return SearchKey();
  if (keys.size() == 1) return std::move(keys[0]);
  SearchKey key(Kind::both);
  key.children = std::move(keys);
  return key;
}
SearchKey SearchKey::any_of(std::vector<SearchKey> keys) {
  if (keys.size() == 1) return std::move(keys[0]);
  SearchKey key(Kind::either);
  key.children = std::move(keys);
  return key;
}

bool SearchKey::needs_charset() const {
  return !is_ascii(text) || !is_ascii(field) ||
         std::any_of(children.begin(), children.end(),
                     [](const SearchKey& key) { return key.needs_charset(); });
}

SearchKey scan_search_keys(Scanner& in) {
  return KeyParser(in).conjunction(1);
}

Result<SearchKey, SyntaxError> parse_search_criteria(std::string_view text, Dialect dialect) {
  Scanner in(text, dialect);
  SearchKey key = scan_search_keys(in);
  in.want_end();
  if (!in.ok()) return fail(in.error());
  return key;
}

bool is_filter_name(std::string_view name) {
  return !name.empty() &&
         std::all_of(name.begin(), name.end(), [](char c) { return is_atom_char(c) && c != '/'; });
}

void write_search_key(Writer& out, const SearchKey& key) {
  switch (key.kind) {
    case Kind::both:
      return write_both(out, key);
    case Kind::either:
      return write_either(out, key);
    case Kind::none_of:
    case Kind::fuzzy:
      out.raw(key.kind == Kind::none_of ? "NOT " : "FUZZY ");
      return write_search_key(out, key.children.front());
    case Kind::numbers:
      out.raw(key.set.text());
      return;
    case Kind::flag:
    case Kind::no_flag:
      return write_flag(out, key);
    case Kind::modseq:
      out.raw("MODSEQ ");
      if (!key.field.empty()) out.raw(imap::quoted(key.field)).sp().raw(key.text).sp();
      out.number(key.number);
      return;
    default:
      return write_simple(out, key);
  }
}

}  // namespace posthorn::imap
