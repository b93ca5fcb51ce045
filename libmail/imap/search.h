// Search keys as a tree (RFC 9051 6.4.4, RFC 5032 WITHIN, RFC 5466 FILTERS, RFC 7162 MODSEQ, RFC 8474, RFC 8514, RFC 6203). The server reads
// them, the client's query language writes them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/base/result.h"
#include "libmail/imap/date.h"
#include "libmail/imap/scanner.h"
#include "libmail/imap/sequence_set.h"
#include "libmail/imap/writer.h"

namespace posthorn::imap {

struct SearchKey {
  enum class Kind : std::uint8_t {
    all,
    both,     // children: every one of them
    either,   // OR: two or more children; more are written as nested ORs
    none_of,  // NOT: one child
    numbers,  // set: message numbers, or "$"
    uids,     // set
    flag,     // text: "\Seen" or a keyword; SEEN, KEYWORD x
    no_flag,  // UNSEEN, UNKEYWORD x; OLD is no_flag "\Recent"
    before,
    on,
    since,  // date: INTERNALDATE
    sent_before,
    sent_on,
    sent_since,  // date: the Date field
    saved_before,
    saved_on,
    saved_since,
    save_date_supported,
    larger,
    smaller,  // number: octets
    older,
    younger,  // number: seconds of INTERNALDATE's age
    bcc,
    cc,
    from,
    to,
    subject,
    body,
    text,    // text: substring
    header,  // field, text; "" = the field is there
    modseq,  // number: at least; field, text: RFC 7162 3.1.5's entry name and type, "" if not said
    email_id,
    thread_id,  // text
    filter,     // text: a named filter (RFC 5466)
    fuzzy,      // one child
  };
  Kind kind = Kind::all;
  std::string text;  // octets in the command's charset; server: turn into UTF-8 before use
  std::string field;
  std::uint64_t number = 0;
  Date date;
  SequenceSet set;
  std::vector<SearchKey> children;

  SearchKey() = default;
  explicit SearchKey(Kind what) : kind(what) {}
  static SearchKey of_flag(std::string_view flag);
  static SearchKey of_text(Kind what, std::string_view words);
  static SearchKey of_header(std::string_view name, std::string_view words);
  static SearchKey of_date(Kind what, Date day);
  static SearchKey of_number(Kind what, std::uint64_t value);
  static SearchKey of_uids(SequenceSet uids);
  static SearchKey inverse(SearchKey key);
  static SearchKey all_of(std::vector<SearchKey> keys);  // no key: ALL; one: that
  static SearchKey any_of(std::vector<SearchKey> keys);  // at least one
  // Some text in it is not ASCII.
  [[nodiscard]] bool needs_charset() const;
  bool operator==(const SearchKey&) const = default;
};

// Keys to the end of the command, or to ")" if one is open: their conjunction. Nesting and number are bounded by the Dialect.
[[nodiscard]] SearchKey scan_search_keys(Scanner& in);
// A whole text that is nothing but keys: the value of a filter (RFC 5466 3.2).
[[nodiscard]] Result<SearchKey, SyntaxError> parse_search_criteria(std::string_view text,
                                                                   Dialect dialect);
// RFC 5466 section 4: an atom without "/".
[[nodiscard]] bool is_filter_name(std::string_view name);
void write_search_key(Writer& out, const SearchKey& key);

}  // namespace posthorn::imap
