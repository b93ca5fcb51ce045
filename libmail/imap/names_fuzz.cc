// Mailbox names, patterns and sequence sets: one form each, there and back.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "libmail/base/text.h"
#include "libmail/imap/imap_url.h"
#include "libmail/imap/mailbox_name.h"
#include "libmail/imap/sequence_set.h"

using namespace posthorn;
using namespace posthorn::imap;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto name = decode_utf7(text)) {
    if (!is_utf8(*name) || encode_utf7(*name) != text) std::abort();
  }
  if (is_utf8(text)) {
    const std::string wire = encode_utf7(text);
    if (!is_ascii(wire)) std::abort();
    const auto back = decode_utf7(wire);
    if (back && *back != text) std::abort();
    (void)check_new_name(text, '.');
    if (const auto made = name_from_wire(text, true, '/'))
      if (name_from_wire(*made, true, '/') != made) std::abort();
  }
  (void)name_from_server(text, false);
  if (size < 200) {
    const ListPattern pattern(text.substr(0, size / 2), '.');
    if (pattern.matches(text.substr(size / 2)) && text.find_first_of("*%") >= size / 2 &&
        !iequals(text.substr(0, size / 2), text.substr(size / 2)))
      std::abort();
  }
  if (const auto url = parse_imap_url(text)) {
    if (url->uid == 0 || !is_utf8(url->mailbox) || !is_utf8(url->user)) std::abort();
  }
  if (const auto set = parse_sequence_set(text)) {
    const auto again = parse_sequence_set(set->text());
    if (!again || again->resolve(1000) != set->resolve(1000)) std::abort();
    NumberSet numbers = set->resolve(1000);
    NumberSet one_by_one;
    for (const SequenceSet::Range& range : set->ranges())
      one_by_one.add(range.first == 0 ? 1000 : range.first, range.last == 0 ? 1000 : range.last);
    if (!(one_by_one == numbers)) std::abort();
    const NumberSet odd{1, 3, 5, 999};
    NumberSet rest = numbers;
    rest.remove(odd);
    if (rest.count() + numbers.intersected(odd).count() != numbers.count()) std::abort();
  }
  return 0;
}
