// BODY[section] and BINARY[part] of one message (RFC 9051 6.4.5, RFC 3516).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "libmail/imap/fetch.h"
#include "libmail/message/message_view.h"

namespace posthorn::imapd {

// A message in memory with CRLF line ends; taken apart when somebody asks for a part.
class FetchedText {
 public:
  explicit FetchedText(std::string octets) : octets_(std::move(octets)) {}

  [[nodiscard]] std::string_view octets() const { return octets_; }
  [[nodiscard]] const message::MessageView& view();
  // The octets of a section, in this text or in `held`; nothing if the message has none.
  std::optional<std::string_view> section(const imap::Section& section, std::string& held);
  // " BODY[1]<0> {5}" CRLF and the octets; NIL for what the message does not have. False: its encoding is unknown.
  bool append_item(const imap::FetchItem& item, std::string_view name, std::string& out);

 private:
  bool append_binary(const imap::FetchItem& item, std::string& out);

  std::string octets_;
  std::unique_ptr<message::MessageView> view_;
};

// Whether `item` needs nothing but the message's own header.
[[nodiscard]] bool is_about_header(const imap::FetchItem& item);

}  // namespace posthorn::imapd
