// From octets of messages to what lists show. Sans I/O.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agents/mua/mail_store.h"
#include "libmail/message/message_view.h"

namespace posthorn::mua {

// The fields a Summary is made of, for BODY[HEADER.FIELDS (...)].
[[nodiscard]] const std::vector<std::string>& summary_fields();
// Fills in what a header says. `header`: the block, or those fields of it.
void read_header(std::string_view header, Summary& into);
// Display names decoded.
[[nodiscard]] std::vector<message::Address> read_addresses(const message::Header& header,
                                                           std::string_view field);
// A decoded field; "" if there is none.
[[nodiscard]] std::string read_text(const message::Header& header, std::string_view field);

// Every part, depth first, with its section number (RFC 9051 6.4.5.1).
[[nodiscard]] std::vector<PartInfo> list_parts(const message::MessageView& message);
[[nodiscard]] bool has_attachment(const message::MessageView& message);
// The text for people: text/plain, format=flowed joined; else HTML as text. LF line ends, decoded, any width.
[[nodiscard]] std::string main_text(const message::MessageView& message, std::size_t width);
// The HTML that is there, "" if there is none.
[[nodiscard]] std::string main_html(const message::MessageView& message);

}  // namespace posthorn::mua
