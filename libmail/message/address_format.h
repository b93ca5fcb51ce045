// Addresses as they are written into a header.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libmail/base/result.h"
#include "libmail/message/address_list.h"

namespace posthorn::message {

// Why an address can't stand in a header (or an SMTP command): a control, ill-formed UTF-8, a domain with
// characters no domain has, nothing before the '@', parts longer than RFC 5321 4.5.3.1 has it. Nothing
// if it can. This is what keeps "a\r\nBcc: x"@example.org out.
[[nodiscard]] Result<void, std::string> check_address(const Address& address);

// "Ann Example <ann@example.org>", the name (UTF-8) as atoms, quoted string or encoded-words; controls in
// it become spaces. The address has to pass check_address().
[[nodiscard]] std::string format_address(const Address& address);
// Joined by ", ", groups too. To be folded by fold_field().
[[nodiscard]] std::string format_address_list(const AddressList& list);
[[nodiscard]] std::string format_address_list(const std::vector<Address>& mailboxes);

}  // namespace posthorn::message
