// The small files of the store, and what the index holds: whatever stands in them, reading ends, and writing what was read and
// reading it again gives the same.
#include <cstdlib>

#include "libmail/base/result.h"
#include "libmail/store/acl.h"
#include "libmail/store/index_values.h"
#include "libmail/store/keywords.h"
#include "libmail/store/quota.h"
#include "libmail/store/share_list.h"
#include "libmail/store/subscriptions.h"

using namespace posthorn;
using namespace posthorn::store;

// The first octet says which.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'k': {
      const auto names = parse_dovecot_keywords(text);
      check(names.size() <= letter_keywords, "no letter beyond z");
      check(parse_dovecot_keywords(format_dovecot_keywords(names)) == names, "keywords come back");
      break;
    }
    case 'x': {
      const ExtraKeywords extra = ExtraKeywords::parse(text);
      const ExtraKeywords again = ExtraKeywords::parse(extra.text());
      check(again.names == extra.names, "names come back");
      check(extra.uid_validity == 0 || again.messages == extra.messages, "messages come back");
      break;
    }
    case 's': {
      const auto names = parse_subscriptions(text);
      check(parse_subscriptions(format_subscriptions(names)).size() <= names.size(),
            "no subscription comes from nowhere");
      break;
    }
    case 'a': {
      const Acl acl = Acl::parse(text);
      static_cast<void>(acl.rights_of("bob", {"staff"}, false));
      static_cast<void>(Acl::parse(acl.text()));
      break;
    }
    case 'd': {
      const auto before = sharers_with(text, "bob", {"staff"});
      auto after = sharers_with(with_shares_of(text, "ann", {"user=bob"}), "bob", {"staff"});
      check(after.contains("ann"), "what is shared is found");
      for (const std::string& owner : before)
        check(owner == "ann" || after.contains(owner), "other people's shares stay");
      break;
    }
    case 'q':
      static_cast<void>(parse_maildirsize(text, QuotaLimits()));
      static_cast<void>(parse_quota(text));
      break;
    case 'h':
      if (const auto header = decode_header(text))
        check(encode_header(*header) == text, "a header comes back");
      break;
    case 'r':
      if (const auto row = decode_row(1, text)) {
        std::string out(row_octets, '\0');
        encode_row(*row, out.data());
        check(out == text, "a row comes back");
      }
      break;
    case 'u':
      if (text.size() < 4096) static_cast<void>(decode_uids(text));
      break;
    default:
      break;
  }
  return 0;
}
