// Mailbox names (RFC 9051 section 5.1, 5.1.3; RFC 6855, RFC 9755; NFC by RFC 5198). Inside Posthorn a name is UTF-8 in NFC;
// on the wire it is that (UTF8=ACCEPT, IMAP4rev2) or modified UTF-7.
//
// There is one wire form a name: UTF-7 that isn't canonical ("&AGE-" for "a", unpaired surrogates, an "&" without "-",
// bits that are left over, two shifted runs side by side) names nothing. SELECT of such a name finds no mailbox, CREATE says NO.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/base/result.h"
#include "libmail/imap/scanner.h"

namespace posthorn::imap {

enum class NameError : std::uint8_t {
  not_utf7,  // 8-bit or control octets, or a malformed or non-canonical shift
  not_utf8,
  control,   // C0, DEL, C1, U+2028, U+2029
  empty,     // the name, or a level of it
  too_long,  // a level over 255 octets on the wire, a name over 1000
  wildcard,  // "*" or "%" in a name that is to be made
};
[[nodiscard]] std::string_view text_of(NameError error);

// `utf8` must be well-formed. Always the canonical form.
[[nodiscard]] std::string encode_utf7(std::string_view utf8);
[[nodiscard]] Result<std::string, NameError> decode_utf7(std::string_view wire);

// From a command or response. UTF-8 is normalised, "inbox" in any case is INBOX, and so is the first level before
// `separator` ('\0': there is none). A name in UTF-7 that is no NFC keeps its form: it names what a client made so.
[[nodiscard]] Result<std::string, NameError> name_from_wire(std::string_view wire, bool utf8,
                                                            char separator);
// A client's leniency: what can't be decoded is taken as it is, if it is UTF-8, else with "?" for octets.
[[nodiscard]] std::string name_from_server(std::string_view wire, bool utf8);
[[nodiscard]] std::string name_to_wire(std::string_view name, bool utf8);

// For CREATE and RENAME: what the syntax allows and a mailbox must not be. A separator at the end is taken off by the
// caller (RFC 9051 6.3.4). What a file system or Maildir++ can't hold is the store's to say.
[[nodiscard]] Result<void, NameError> check_new_name(std::string_view name, char separator);

[[nodiscard]] bool is_inbox(std::string_view name);  // in any case

// LIST's patterns, both in UTF-8 after name_from_wire: "*" any octets, "%" all but the separator. Linear in the
// product of the two lengths whatever they are ("%*%*%*").
class ListPattern {
 public:
  ListPattern(std::string_view pattern, char separator);
  [[nodiscard]] bool matches(std::string_view name) const;
  // Some name below `parent` could match: is it worth looking? For "%" and RECURSIVEMATCH.
  [[nodiscard]] bool may_match_below(std::string_view parent) const;

 private:
  [[nodiscard]] std::vector<bool> run(std::string_view name) const;
  std::string pattern_;  // runs of wildcards collapsed
  char separator_;
};

}  // namespace posthorn::imap
