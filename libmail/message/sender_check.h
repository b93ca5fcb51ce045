// Senders that look like somebody else.
#pragma once

#include <string_view>

#include "libmail/message/address_list.h"

namespace posthorn::message {

// The display name holds an address that isn't this one: "ceo@bank.example" <x@evil.example>. What can stand for
// an '@' or a dot (U+FF20, U+FE6B, U+FF0E, ...) counts.
[[nodiscard]] bool name_claims_other_address(const Address& address);

// Letters of scripts that no language writes within one word: Latin with Cyrillic, Greek or Armenian. Japanese
// (Han, kana), Korean and Chinese mix by nature, and each mixes with Latin. A domain is judged label by label, any
// text word by word. `text` is UTF-8.
[[nodiscard]] bool mixes_scripts(std::string_view text);

struct SenderCheck {
  bool other_address = false;
  bool mixed_scripts = false;  // in the name, the local-part or the domain (U-labels)
  [[nodiscard]] bool suspicious() const { return other_address || mixed_scripts; }
};
[[nodiscard]] SenderCheck check_sender(const Address& address);

}  // namespace posthorn::message
