// Mailboxes and paths of the envelope (RFC 5321 4.1.2, RFC 6531 3.3) as values.
//
// A local-part is kept as the octets it means: quotes and backslashes are gone, so "a b"@x and a\ b
// differ from nothing but themselves, and whoever compares, looks up or logs sees one form.
// format_mailbox() quotes again.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "libmail/base/result.h"

namespace posthorn::smtp {

// RFC 5321 4.5.3.1 gives 64 for the local-part and asks for no limit where that can be done; bounce
// addresses that carry another address inside (VERP, SRS) are longer than 64.
inline constexpr std::size_t max_local_part = 256;
inline constexpr std::size_t max_domain = 255;

// Whether UTF-8 may stand where ASCII is the rule: the transaction has SMTPUTF8.
enum class Utf8 : bool { refused, allowed };

struct Mailbox {
  std::string local_part;  // never empty, no controls, does not begin with '-'
  std::string domain;      // as written ("Example.ORG", "[192.0.2.1]", "[IPv6:2001:db8::1]"); empty
                           // only for <Postmaster>

  Mailbox() = default;
  Mailbox(std::string local, std::string at)
      : local_part(std::move(local)), domain(std::move(at)) {}

  [[nodiscard]] bool is_literal() const { return !domain.empty() && domain.front() == '['; }
  // Local-parts octet by octet, domains as same_domain() does.
  bool operator==(const Mailbox& other) const;
};

// No mailbox: the null path "<>" of reports.
using ReversePath = std::optional<Mailbox>;

enum class AddressError {
  no_brackets,        // a path stands between "<" and ">"
  empty_path,         // "<>" where a mailbox is needed
  bad_source_route,   // "@a,@b:" that is none
  empty_local_part,   // "@x", """"@x
  bad_local_part,     // neither a dot-string nor a quoted-string
  looks_like_option,  // begins with "-": a program would take the argument for an option
  no_domain,
  bad_domain,
  bad_literal,  // brackets without an IPv4 address or IPv6:address in them
  too_long,
  bad_utf8,          // ill-formed, or a control character of Unicode
  utf8_not_allowed,  // 8-bit octets without SMTPUTF8
  trailing_text,
};
// "domain is missing", for the text of a reply.
[[nodiscard]] std::string_view describe(AddressError error);

// "ann@example.org", the whole text, no brackets. The domain must be there.
[[nodiscard]] Result<Mailbox, AddressError> parse_mailbox(std::string_view text, Utf8 utf8);

// "<...>" at the beginning of `text`, which is moved behind it. A source route is checked and
// dropped (RFC 5321 appendix C).
[[nodiscard]] Result<ReversePath, AddressError> take_reverse_path(std::string_view& text,
                                                                  Utf8 utf8);
// The same without "<>", and with <Postmaster>, which needs no domain (RFC 5321 4.1.1.3).
[[nodiscard]] Result<Mailbox, AddressError> take_forward_path(std::string_view& text, Utf8 utf8);

// "ann@example.org", `"a b"@example.org`: a text that parse_mailbox() reads back (<Postmaster>
// excepted).
[[nodiscard]] std::string format_mailbox(const Mailbox& mailbox);
[[nodiscard]] std::string format_path(const ReversePath& path);  // "<ann@example.org>", "<>"
[[nodiscard]] std::string format_path(const Mailbox& mailbox);

// True if the mailbox needs SMTPUTF8 to travel as it is.
[[nodiscard]] bool needs_smtputf8(const Mailbox& mailbox);

// A name by RFC 5321's Domain (or, if allowed, RFC 6531's U-labels); at most max_domain octets,
// labels of at most 63.
[[nodiscard]] bool is_domain(std::string_view text, Utf8 utf8);
// "[192.0.2.1]", "[IPv6:2001:db8::1]". Only the two registered forms.
[[nodiscard]] bool is_address_literal(std::string_view text);
// 192.0.2.1 -> "[192.0.2.1]", 2001:db8::1 -> "[IPv6:2001:db8::1]"; nothing for what is no address.
[[nodiscard]] std::optional<std::string> format_address_literal(std::string_view address);

// The form to look up and compare: A-labels (RFC 5891, by libidn2), lower case. What IDNA does not
// accept is only lowered. Literals are lowered.
[[nodiscard]] std::string canonical_domain(std::string_view domain);
// "xn--mller-kva.example" -> "müller.example"; unchanged if there is no A-label in it or it is no
// good one.
[[nodiscard]] std::string unicode_domain(std::string_view domain);
[[nodiscard]] bool same_domain(std::string_view a, std::string_view b);

}  // namespace posthorn::smtp
