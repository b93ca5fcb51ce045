// CATENATE's URL parts (RFC 4469): octets of a message that is here already.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "agents/imapd/session.h"

namespace posthorn::imapd {

// What a URL means. A large message as a whole comes in steps, everything else in memory.
struct UrlOctets {
  std::uint64_t size = 0;  // CRLF line ends
  std::string octets;
  std::unique_ptr<store::MessageSource>
      source;  // of the whole message, line ends as stored; `octets` is empty then

  UrlOctets() = default;
};

// Nothing: BADURL, the URL is none of ours, or names nothing that this user may read.
async::Task<std::optional<UrlOctets>> find_url(Session& session, std::string url);

}  // namespace posthorn::imapd
