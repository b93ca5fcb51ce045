// Address lists of header fields (RFC 5322 3.4 and 4.4; groups in From by RFC 6854, UTF-8 by RFC
// 6532). SMTP paths have a stricter grammar of their own: libmail/smtp/address.h.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libmail/base/result.h"

namespace posthorn::message {

struct AddressLimits {
  std::size_t mailboxes = 20'000;
  std::size_t comment_depth = 32;
  std::size_t group_depth = 3;  // for readers; RFC 5322 has no group within a group
};

// Everything owns its bytes. Quoting and comments are undone, encoded-words are left as they are.
struct Address {
  std::string
      display_name;  // words joined by one space, else the comment behind the address, else ""
  std::string local_part;  // without quotes: "a b"@c gives a b
  std::string domain;      // with its brackets if it is a literal, [192.0.2.1]; "" if there is none

  // local-part@domain with the local-part quoted where the grammar demands it.
  [[nodiscard]] std::string addr_spec() const;
};

// mailboxes[first, first + count) belong to the group.
struct Group {
  std::string name;
  std::size_t first = 0;
  std::size_t count = 0;
};

struct AddressList {
  std::vector<Address> mailboxes;
  std::vector<Group> groups;  // in order; an empty one (undisclosed-recipients:;) has count 0
};

struct AddressError {
  std::size_t offset = 0;  // into the parsed text
  std::string text;        // for people: "no '@' in the address"
};

// Parses a field body that is about to be sent, folds and all. Read leniently where real mail needs it: empty list elements
// and route addresses (RFC 5322 4.4), dots anywhere in a local-part ("a..b@docomo.ne.jp" exists), a
// single word without a domain ("root" of cron, which RFC 6409 8 lets an MSA qualify), unquoted
// dots and 8-bit octets in a display name. A text of nothing but blanks and comments is an empty
// list. Linear in text.size(); does not recurse. For mail that is there already: address_reader.h.
[[nodiscard]] Result<AddressList, AddressError> parse_address_list(
    std::string_view text, const AddressLimits& limits = {});

}  // namespace posthorn::message
