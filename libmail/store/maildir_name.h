// The names of files in a Maildir. Sans I/O.
//
//   1795378460.M123456P812Q7.mail.example.org,S=4012,W=4101:2,FS
//   |--------------- unique base ---------------|--sizes--| info
//
// Strangers' programs put any name there: nothing here trusts one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libmail/base/clock.h"

namespace posthorn::store {

// The system flags of the name, RFC 9051's in Maildir's letters.
struct MaildirFlags {
  bool draft = false;    // D
  bool flagged = false;  // F
  bool passed = false;   // P
  bool replied = false;  // R
  bool seen = false;     // S
  bool trashed = false;  // T
  bool operator==(const MaildirFlags&) const = default;
};

// Views into the name that was parsed.
struct MaildirName {
  std::string_view base;  // up to ":", with the sizes: what dovecot-uidlist calls the file name
  std::string_view info;  // behind ":", "" if there is none
  MaildirFlags flags;
  std::string_view keywords;               // the letters a-z of the flags, in the name's order
  std::optional<std::uint64_t> size;       // S=: octets as they lie in the file
  std::optional<std::uint64_t> crlf_size;  // W=: octets with CRLF line ends
  std::uint64_t seconds = 0;               // the leading number, 0 if there is none
  std::uint64_t microseconds = 0;          // of M, 0 if there is none
};

// Nothing for a name that is no message: a leading dot, an empty base, CR, LF, NUL or "/" in it.
std::optional<MaildirName> parse_maildir_name(std::string_view name);

// base + ":2," + letters in ASCII order, flags and keywords together.
std::string format_maildir_name(std::string_view base, const MaildirFlags& flags,
                                std::string_view keywords = {});

// Older first: by time, then by name. This is the order in which new messages get their UIDs.
bool arrived_before(const MaildirName& a, const MaildirName& b);

// Makes the unique bases of one process.
class MaildirNames {
 public:
  // `host`: "/" and ":" and controls in it are replaced as the Maildir text asks.
  MaildirNames(std::string_view host, int pid);
  // Never the same twice, even if the clock stands still or goes back.
  std::string make(WallTime now, std::uint64_t size, std::uint64_t crlf_size);

 private:
  std::string tail_;  // "P812Q"
  std::string host_;
  std::uint64_t count_ = 0;
};

}  // namespace posthorn::store
