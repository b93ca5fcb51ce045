// List-Unsubscribe and List-Unsubscribe-Post (RFC 2369 3.2, RFC 8058) and mailto URIs (RFC 6068). Sans I/O.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/message/header.h"

namespace posthorn::mua {

struct UnsubscribeWay {
  bool one_click = false;           // POST to `url` does it, without a person
  std::string url;                  // https, or http (a person's browser); "" if there is none
  std::vector<std::string> mailto;  // addresses
  std::string subject = "unsubscribe";
  std::string body;
};
// Nothing if the message names no way. One-click needs https and exactly one field of each kind.
[[nodiscard]] std::optional<UnsubscribeWay> find_unsubscribe(const message::Header& header);

struct MailtoUri {
  std::vector<std::string> to;
  std::string subject;
  std::string body;
};
// Fields other than to, subject and body are ignored (RFC 6068 4). Controls but line ends in the body make it nothing.
[[nodiscard]] std::optional<MailtoUri> parse_mailto(std::string_view uri);

}  // namespace posthorn::mua
