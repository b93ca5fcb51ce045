// What SORT and THREAD compare messages by, read from their headers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agents/imapd/session.h"

namespace posthorn::imapd {

struct MessageKeys {
  std::uint32_t uid = 0;
  std::int64_t arrival = 0;  // seconds
  std::int64_t sent = 0;     // the Date field, else arrival (RFC 5256 2.2)
  std::uint64_t size = 0;
  bool is_reply = false;  // RFC 5256 2.1
  std::string subject;    // the base subject, folded
  std::string from;       // the first address's mailbox, folded (RFC 5256 3)
  std::string to;
  std::string cc;
  std::string display_from;  // the name, else the address (RFC 5957 3)
  std::string display_to;
  std::string message_id;
  std::vector<std::string>
      references;  // the oldest first; In-Reply-To's first if there is no References

  struct Needs {
    bool size = false;
    bool arrival = false;
    bool date = false;  // `sent`
    bool subject = false;
    bool addresses = false;   // from, to, cc, display_from, display_to
    bool references = false;  // message_id and references
    [[nodiscard]] bool header() const { return date || subject || addresses || references; }
  };
};

// In slices in the pool; a message that is gone is left out.
async::Task<store::StoreResult<std::vector<MessageKeys>>> read_keys(
    Session& session, const std::vector<std::uint32_t>& uids, MessageKeys::Needs needs);

}  // namespace posthorn::imapd
